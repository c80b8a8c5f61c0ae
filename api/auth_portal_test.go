package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func TestAppPortalAccess(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	b.must(200, "PATCH", "/app/"+app, `{"uid":"acme"}`)
	access := func(t *testing.T, ref, body string) reply {
		r := b.in(t).do("POST", "/auth/app-portal-access/"+ref, body)
		require.Equal(t, http.StatusOK, r.status, r.body)
		return r
	}

	t.Run("makes a token for the application, good for a week, and a link with it", func(t *testing.T) {
		r := access(t, "acme", `{}`)
		token := r.field(t, "token")
		who, err := b.tokens.read(token)
		require.NoError(t, err)
		require.Equal(t, posthorn.DefaultOrg, who.org)
		require.Equal(t, app, who.app)
		require.WithinDuration(t, time.Now().Add(7*24*time.Hour), who.expires, time.Minute)
		require.Nil(t, who.capabilities)
		require.False(t, who.readOnly)
		require.Equal(t, http.StatusOK, b.as(token, "GET", "/app/"+app+"/endpoint", "").status)
		require.Equal(t, http.StatusForbidden, b.as(token, "GET", "/app", "").status)

		link, err := url.Parse(r.field(t, "url"))
		require.NoError(t, err)
		require.Equal(t, "http://127.0.0.1:8071/portal", link.Scheme+"://"+link.Host+link.Path)
		require.Empty(t, link.RawQuery, "the server that is asked for the page doesn't see the token")
		fragment, err := url.ParseQuery(link.EscapedFragment())
		require.NoError(t, err)
		require.Equal(t, token, fragment.Get("key"))
	})
	t.Run("links to where the server is said to be", func(t *testing.T) {
		b := b.serve(t, func(o *Options) { o.PublicURL = "https://hooks.example.com/base/" })
		require.True(t, strings.HasPrefix(b.do("POST", "/auth/app-portal-access/acme", `{}`).field(t, "url"), "https://hooks.example.com/base/portal#key="))
	})
	t.Run("grants what was asked for", func(t *testing.T) {
		who, err := b.tokens.read(access(t, app, `{"featureFlags":["beta","beta"],"capabilities":["ViewBase","CreateAttempts"],"expiry":3600,"readOnly":true,"sessionId":"user@1"}`).field(t, "token"))
		require.NoError(t, err)
		require.Equal(t, []string{"beta"}, who.flags)
		require.Equal(t, []Capability{ViewBase, CreateAttempts}, who.capabilities)
		require.True(t, who.readOnly)
		require.Equal(t, "user@1", who.session)
		require.WithinDuration(t, time.Now().Add(time.Hour), who.expires, time.Minute)

		who, err = b.tokens.read(access(t, app, `{"capabilities":[]}`).field(t, "token"))
		require.NoError(t, err)
		require.NotNil(t, who.capabilities, "none is not all")
		who, err = b.tokens.read(access(t, app, `{"application":null,"capabilities":null,"expiry":null,"readOnly":null,"sessionId":null}`).field(t, "token"))
		require.NoError(t, err)
		require.Nil(t, who.capabilities)
	})
	t.Run("makes the application if it is told how, and leaves one that there is alone", func(t *testing.T) {
		token := access(t, "new", `{"application":{"name":"New","uid":"new"}}`).field(t, "token")
		require.Equal(t, "New", b.as(token, "GET", "/app/new", "").field(t, "name"))
		access(t, "new", `{"application":{"name":"Newer","uid":"other"}}`)
		require.Equal(t, "New", b.do("GET", "/app/new", "").field(t, "name"))
	})
	t.Run("the older form is there and marked as such", func(t *testing.T) {
		r := b.do("POST", "/auth/dashboard-access/acme", "")
		require.Equal(t, http.StatusOK, r.status, r.body)
		require.Contains(t, r.field(t, "url"), r.field(t, "token"))
		require.Equal(t, http.StatusNotFound, b.do("POST", "/auth/dashboard-access/nobody", "").status)
		var document struct {
			Paths map[string]map[string]struct{ Deprecated bool }
		}
		require.NoError(t, json.Unmarshal([]byte(b.do("GET", "/openapi.json", "").body), &document))
		require.True(t, document.Paths["/api/v1/auth/dashboard-access/{app_id}"]["post"].Deprecated)
		require.False(t, document.Paths["/api/v1/auth/app-portal-access/{app_id}"]["post"].Deprecated)
	})

	const path = "/auth/app-portal-access/"
	b.run(t, nothingToReplace(), []scenario{
		{name: "an unknown application is not found", method: "POST", path: path + "nobody", body: `{}`, status: 404, contains: []string{`"code":"not_found"`}},
		{name: "its uid has to be the one of the path", method: "POST", path: path + "nobody", body: `{"application":{"name":"x","uid":"somebody"}}`, status: 422,
			contains: []string{`"loc":["body","application","uid"]`, `"type":"application_uid_mismatch"`}},
		{name: "its uid has to be there", method: "POST", path: path + "nobody", body: `{"application":{"name":"x"}}`, status: 422,
			contains: []string{`"loc":["body","application","uid"]`, `"type":"application_uid_missing"`}},
		{name: "a capability has to be one", method: "POST", path: path + "acme", body: `{"capabilities":["Everything"]}`, status: 422, contains: []string{`"capabilities"`}},
		{name: "an application can't be given the organisation's", method: "POST", path: path + "acme", body: `{"capabilities":["CreateMessages"]}`, status: 422, contains: []string{`"capabilities"`}},
		{name: "a token lasts a second at least", method: "POST", path: path + "acme", body: `{"expiry":0}`, status: 422, contains: []string{`"expiry"`}},
		{name: "a token lasts 28 days at most", method: "POST", path: path + "acme", body: `{"expiry":2419201}`, status: 422, contains: []string{`"expiry"`}},
		{name: "a session has a name", method: "POST", path: path + "acme", body: `{"sessionId":""}`, status: 422, contains: []string{`"sessionId"`}},
		{name: "a flag has a name", method: "POST", path: path + "acme", body: `{"featureFlags":["a b"]}`, status: 422, contains: []string{`"featureFlags"`}},
	})

	t.Run("a server with a public key only says that it can't", func(t *testing.T) {
		signer, err := ParseTokens("RS256", []byte(rsaPair().pkcs8))
		require.NoError(t, err)
		org, err := signer.Organisation(posthorn.DefaultOrg)
		require.NoError(t, err)
		b := b.serve(t, func(o *Options) {
			o.Tokens, err = ParseTokens("RS256", []byte(rsaPair().spk))
			require.NoError(t, err)
		})
		require.Equal(t, http.StatusOK, b.as(org, "GET", "/app", "").status)
		r := b.as(org, "POST", path+"acme", `{}`)
		require.Equal(t, http.StatusBadRequest, r.status, r.body)
		require.Equal(t, "cannot_sign", r.field(t, "code"))
	})
	t.Run("no token is logged", func(t *testing.T) {
		token := access(t, app, `{}`).field(t, "token")
		require.NotContains(t, b.log.String(), token[strings.LastIndex(token, ".")+1:])
	})
}

func TestWhoami(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	ask := func(t *testing.T, token string) map[string]any {
		r := b.in(t).as(token, "GET", "/auth/whoami", "")
		require.Equal(t, http.StatusOK, r.status, r.body)
		require.Equal(t, "no-store", r.header.Get("Cache-Control"))
		var out map[string]any
		require.NoError(t, json.Unmarshal([]byte(r.body), &out))
		require.True(t, posthorn.TokenID.Valid(out["tokenId"].(string)))
		_, err := time.Parse(time.RFC3339, out["expiresAt"].(string))
		require.NoError(t, err)
		delete(out, "tokenId")
		delete(out, "expiresAt")
		return out
	}
	require.Equal(t, map[string]any{"envId": posthorn.DefaultOrg, "permissionSource": "SvixJwt", "readOnly": false}, ask(t, b.org))
	require.Equal(t, map[string]any{
		"envId": posthorn.DefaultOrg, "appId": app, "sessionId": "user_1", "permissionSource": "SvixJwt", "readOnly": true,
		"capabilities": []any{"ViewBase"}, "featureFlags": []any{"beta"},
	}, ask(t, b.issue(Grant{App: app, Session: "user_1", ReadOnly: true, Capabilities: []Capability{ViewBase}, FeatureFlags: []string{"beta"}})))
	require.Equal(t, []any{}, ask(t, b.issue(Grant{App: app, Capabilities: []Capability{}}))["capabilities"], "narrowed to nothing is narrowed")
}

func TestFeatureFlagsOfPortalTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	for _, et := range []string{`{"name":"open","description":""}`, `{"name":"beta.one","description":"","featureFlag":"beta"}`, `{"name":"alpha.one","description":"","featureFlag":"alpha"}`} {
		b.must(201, "POST", "/event-type", et)
	}
	for _, c := range []struct {
		name  string
		token string
		sees  []string
		not   []string
	}{
		{"the organisation sees all", b.org, []string{"alpha.one", "beta.one", "open"}, nil},
		{"an application without flags sees those without", b.issue(Grant{App: app}), []string{"open"}, []string{"alpha.one", "beta.one"}},
		{"an application sees those of its flags too", b.issue(Grant{App: app, FeatureFlags: []string{"beta", "gamma"}}), []string{"beta.one", "open"}, []string{"alpha.one"}},
		{"so it does by a link", b.do("POST", "/auth/app-portal-access/"+app, `{"featureFlags":["alpha"]}`).field(t, "token"), []string{"alpha.one", "open"}, []string{"beta.one"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.sees, b.as(c.token, "GET", "/event-type", "").page(t).keys("name"))
			for _, name := range c.sees {
				require.Equal(t, http.StatusOK, b.as(c.token, "GET", "/event-type/"+name, "").status)
				require.Equal(t, http.StatusCreated, b.as(c.token, "POST", "/app/"+app+"/endpoint", `{"url":"https://example.com","eventTypes":["`+name+`"]}`).status)
			}
			for _, name := range c.not {
				b.as(c.token, "GET", "/event-type/"+name, "").requireRefused(t, http.StatusNotFound, "not_found", "Entity not found")
				r := b.as(c.token, "POST", "/app/"+app+"/endpoint", `{"url":"https://example.com","eventTypes":["open","`+name+`","unknown"]}`)
				require.Equal(t, http.StatusUnprocessableEntity, r.status, r.body)
				require.Contains(t, r.body, name)
				require.Contains(t, r.body, "unknown")
				require.NotContains(t, r.body, "open")
			}
		})
	}
}

func TestPortal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for path, kind := range map[string]string{"/portal": "text/html", "/portal/portal.js": "text/javascript", "/portal/portal.css": "text/css"} {
		r := b.outside(path)
		require.Equal(t, http.StatusOK, r.status, path)
		require.Contains(t, r.header.Get("Content-Type"), kind)
		require.Contains(t, r.header.Get("Content-Security-Policy"), "default-src 'none'")
		require.NotContains(t, r.body, "://", "nothing is loaded from elsewhere")
		require.NotContains(t, r.body, "innerHTML", "customers' data is shown as text")
	}
	require.Contains(t, b.outside("/portal").body, `src="portal/portal.js"`)
	require.Equal(t, http.StatusNotFound, b.outside("/portal/secret").status)
}
