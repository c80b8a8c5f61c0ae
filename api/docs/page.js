// Shows the API's own document. Tokens that are pasted here are kept in the memory of the page, and nowhere else.
const address = '/api/v1/openapi.json';

// withWebhooks loads the document again once there is a token: it then describes the events of the token's organisation.
// A token that isn't good shows at the first request that is tried out.
const withWebhooks = () => ({
  statePlugins: {
    auth: {
      wrapActions: {
        authorize: (authorize, system) => async (payload) => {
          authorize(payload);
          const headers = { Authorization: `Bearer ${payload.bearer?.value}` };
          const answer = await fetch(address, { headers });
          if (answer.ok) system.specActions.updateSpec(await answer.text());
        },
      },
    },
  },
});

SwaggerUIBundle({
  url: address,
  dom_id: '#api',
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [withWebhooks],
  layout: 'BaseLayout',
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: 'list',
  filter: true,
  persistAuthorization: false,
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // nobody else gets to see the document
});
