package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func TestExpunging(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app, other := b.application(), b.application()
	first := b.message(app, `{"eventType":"e","payload":{"secret":"p4yl0ad"}}`)
	b.message(app, `{"eventType":"e","eventId":"second","payload":{"secret":"p4yl0ad"}}`)
	third := b.message(app, `{"eventType":"e","payload":{"secret":"p4yl0ad"}}`)
	foreign := b.message(other, `{"eventType":"e","payload":{"kept":1}}`)
	appToken, err := b.tokens.Application(posthorn.DefaultOrg, app)
	require.NoError(t, err)
	names := strings.NewReplacer("{app}", app, "{other}", other, "{first}", first, "{third}", third, "{foreign}", foreign)
	many := `"` + strings.Repeat(`x","`, 1000) + `y"`
	b.run(t, names, []scenario{
		{name: "a payload is the organisation's to expunge", token: appToken, method: "DELETE", path: "/app/{app}/msg/{first}/content", status: 403},
		{name: "an unknown message is not found", method: "DELETE", path: "/app/{app}/msg/nope/content", status: 404},
		{name: "another application's message is not found", method: "DELETE", path: "/app/{app}/msg/{foreign}/content", status: 404},
		{name: "a payload is expunged", method: "DELETE", path: "/app/{app}/msg/{first}/content", status: 204},
		{name: "a payload is gone", method: "GET", path: "/app/{app}/msg/{first}", status: 200, contains: []string{`"payload":{"expired":true}`}, excludes: []string{"p4yl0ad"}},
		{name: "many at once are expunged each by itself", method: "POST", path: "/app/{app}/msg/bulk-expunge", body: `{"ids":["second","{third}","{foreign}","nope"]}`, status: 200,
			contains: []string{`"second":"expunged"`, `"{third}":"expunged"`, `"{foreign}":"not-found"`, `"nope":"not-found"`}},
		{name: "none at once is fine", method: "POST", path: "/app/{app}/msg/bulk-expunge", body: `{}`, status: 200, contains: []string{`{"results":{}}`}},
		{name: "one twice is one", method: "POST", path: "/app/{app}/msg/bulk-expunge", body: `{"ids":["a","a"]}`, status: 200, contains: []string{`{"results":{"a":"not-found"}}`}},
		{name: "what is no id is refused", method: "POST", path: "/app/{app}/msg/bulk-expunge", body: `{"ids":[{},[]]}`, status: 422, contains: []string{`"loc":["body","ids"`}},
		{name: "too many at once are refused", method: "POST", path: "/app/{app}/msg/bulk-expunge", body: `{"ids":[` + many + `]}`, status: 422, contains: []string{`"loc":["body","ids"`}},
		{name: "many at once are the organisation's to expunge", token: appToken, method: "POST", path: "/app/{app}/msg/bulk-expunge", body: `{"ids":[]}`, status: 403},
		{name: "the rest is gone", method: "GET", path: "/app/{app}/msg", status: 200, excludes: []string{"p4yl0ad"}},
		{name: "others' are not", method: "GET", path: "/app/{other}/msg", status: 200, contains: []string{`"kept":1`}},
		{name: "an unknown attempt has no headers", method: "GET", path: "/app/{app}/msg/{first}/attempt/atmpt_x/headers", status: 404},
		{name: "an unknown attempt is not expunged", method: "DELETE", path: "/app/{app}/msg/{first}/attempt/atmpt_x/content", status: 404},
		{name: "an attempt is the organisation's to expunge", token: appToken, method: "DELETE", path: "/app/{app}/msg/{first}/attempt/atmpt_x/content", status: 403},
	})

	t.Run("an attempt without a response is expunged like any other", func(t *testing.T) {
		b := b.in(t)
		made := posthorn.Attempt{
			ID: posthorn.AttemptID.New(), MessageID: first, AppID: app, EndpointID: posthorn.EndpointID.New(), Trigger: posthorn.Automatic,
			StartedAt: time.Now(), ErrorClass: "refused", Message: "connection refused after 2 ms",
			Sent: map[string]string{"X-Tenant": "acme", "Authorization": "", "webhook-id": first},
		}
		_, err := b.store.Record(t.Context(), store.Record{MessageID: first, AppID: app, Attempts: []posthorn.Attempt{made}})
		require.NoError(t, err)
		path := "/app/" + app + "/msg/" + first + "/attempt/" + made.ID
		require.Contains(t, b.do("GET", path, "").body, `"response":"connection refused after 2 ms"`)
		require.Contains(t, b.as(appToken, "GET", path+"/headers", "").body, `"X-Tenant":"acme"`)
		require.Contains(t, b.do("GET", path+"/headers", "").body, `"sensitive":["Authorization"]`)
		require.NotContains(t, b.do("GET", path+"/headers", "").body, "responseHeaders")
		require.Equal(t, http.StatusNoContent, b.do("DELETE", path+"/content", "").status)
		require.Contains(t, b.do("GET", path, "").body, `"response":"EXPUNGED"`)
		require.JSONEq(t, `{"sentHeaders":{},"sensitive":[]}`, b.do("GET", path+"/headers", "").body)
	})
}
