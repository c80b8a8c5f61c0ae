package api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/signing"
)

func TestEndpointsWithHTTPSOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	old := b.endpoint(app, `{"url":"http://example.com"}`)
	strict := b.replica(t, func(o *Options) { o.HTTPSOnly = true })
	path := "/app/{app}/endpoint"
	refused := []string{`"loc":["body","url"]`, "https://"}
	strict.run(t, strings.NewReplacer("{app}", app, "{old}", old), []scenario{
		{name: "refuse http", method: "POST", path: path, body: `{"url":"http://example.com"}`, status: 422, contains: refused},
		{name: "refuse http in capitals", method: "POST", path: path, body: `{"url":"HTTP://example.com"}`, status: 422, contains: refused},
		{name: "accept https", method: "POST", path: path, body: `{"url":"https://example.com"}`, status: 201},
		{name: "refuse http for a new one by PUT", method: "PUT", path: path + "/new", body: `{"url":"http://example.com"}`, status: 422, contains: refused},
		{name: "refuse http for an old one by PUT", method: "PUT", path: path + "/{old}", body: `{"url":"http://example.com/2"}`, status: 422, contains: refused},
		{name: "refuse http by PATCH", method: "PATCH", path: path + "/{old}", body: `{"url":"http://example.com/2"}`, status: 422, contains: refused},
		{name: "leave an old one alone", method: "PATCH", path: path + "/{old}", body: `{"description":"d"}`, status: 200, contains: []string{`"url":"http://example.com"`}},
		{name: "accept a better URL for an old one", method: "PATCH", path: path + "/{old}", body: `{"url":"https://example.com"}`, status: 200},
	})
}

func TestEndpointsWithKeyPairsByDefault(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	b.endpoint(app, `{"url":"https://example.com","uid":"plain"}`)
	pairs := b.replica(t, func(o *Options) { o.SignatureType = Ed25519 })
	secret := func(uid string) string {
		return pairs.do("GET", "/app/"+app+"/endpoint/"+uid+"/secret", "").field(t, "key")
	}
	pairs.endpoint(app, `{"url":"https://example.com","uid":"pair"}`)
	pairs.must(201, "PUT", "/app/"+app+"/endpoint/put", `{"url":"https://example.com"}`)
	own := signing.NewSymmetricKey().Reveal()
	pairs.endpoint(app, `{"url":"https://example.com","uid":"own","secret":"`+own+`"}`)
	for uid, prefix := range map[string]string{"plain": "whsec_", "pair": "whpk_", "put": "whpk_", "own": own} {
		require.True(t, strings.HasPrefix(secret(uid), prefix), uid)
	}
	before := secret("pair")
	pairs.must(204, "POST", "/app/"+app+"/endpoint/pair/secret/rotate", `{}`)
	require.NotEqual(t, before, secret("pair"))
	pairs.must(204, "POST", "/app/"+app+"/endpoint/plain/secret/rotate", `{}`)
	require.True(t, strings.HasPrefix(secret("plain"), "whpk_"), "what the server makes is of the default kind")
	stored, err := b.store.Endpoint(t.Context(), app, "pair")
	require.NoError(t, err)
	require.True(t, stored.Secrets[0].Key.CanSign())
	require.NotContains(t, b.log.String(), "whsk_")

	_, err = New(Options{Store: b.store, Dispatcher: b.dispatcher, Tokens: b.tokens, SignatureType: "rsa"})
	require.ErrorContains(t, err, "SignatureType")
}
