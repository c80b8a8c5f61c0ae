// Shows the API's own document. Tokens that are pasted here are kept in the memory of the page, and nowhere else.
SwaggerUIBundle({
  url: '/api/v1/openapi.json',
  dom_id: '#api',
  presets: [SwaggerUIBundle.presets.apis],
  layout: 'BaseLayout',
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: 'list',
  filter: true,
  persistAuthorization: false,
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // nobody else gets to see the document
});
