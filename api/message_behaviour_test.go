package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

// TestWhatClientsRelyOn holds what existing clients of the API expect of messages.
func TestWhatClientsRelyOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.must(201, "POST", "/app", `{"name":"Acme","uid":"acme"}`)
	path := "/app/" + app + "/msg"
	b.endpoint(app, `{"url":"https://example.com/hook","uid":"ep"}`)

	t.Run("a message that was created is the one that is got and listed, and its channel finds it", func(t *testing.T) {
		b := b.in(t)
		first := b.do("POST", path, `{"eventType":"a","eventId":"one","channels":["red"],"payload":{"n":1}}`)
		require.Equal(t, 202, first.status, first.body)
		b.message(app, `{"eventType":"a","payload":{"n":2}}`)
		require.JSONEq(t, first.body, b.do("GET", path+"/"+first.field(t, "id"), "").body)
		require.JSONEq(t, first.body, b.do("GET", path+"/one", "").body)
		require.Len(t, b.do("GET", path, "").page(t).Data, 2)
		require.Equal(t, []string{first.field(t, "id")}, b.do("GET", path+"?channel=red", "").page(t).keys("id"))
	})
	t.Run("without content the payload is {} everywhere, and is stored all the same", func(t *testing.T) {
		b := b.in(t)
		r := b.do("POST", path+"?with_content=false", `{"eventType":"a","eventId":"hidden","payload":{"n":3}}`)
		require.Equal(t, 202, r.status)
		require.Contains(t, r.body, `"payload":{}`)
		for _, query := range []string{"/hidden?with_content=false", "?with_content=false"} {
			answer := b.do("GET", path+query, "").body
			require.Contains(t, answer, `"payload":{}`)
			require.NotContains(t, answer, `"n":`)
		}
		require.Contains(t, b.do("GET", path+"/hidden", "").body, `"payload":{"n":3}`)
		require.Contains(t, b.do("GET", path+"/hidden/raw", "").body, `n\":3`)
	})
	t.Run("an event id is good for one message of its application", func(t *testing.T) {
		b := b.in(t)
		b.message(app, `{"eventType":"a","eventId":"evt","payload":{}}`)
		r := b.do("POST", path, `{"eventType":"b","eventId":"evt","payload":{"other":1}}`)
		require.Equal(t, http.StatusConflict, r.status)
		require.Equal(t, "conflict", r.field(t, "code"))
		b.message(b.application(), `{"eventType":"a","eventId":"evt","payload":{}}`)
	})
	t.Run("too much, no object, and a sixth channel are refused", func(t *testing.T) {
		b := b.in(t)
		big := `{"eventType":"a","payload":{"a":"` + strings.Repeat("x", 8_000_000) + `"}}`
		require.Equal(t, http.StatusRequestEntityTooLarge, b.do("POST", path, big).status)
		for _, payload := range []string{`"text"`, `1`, `true`, `null`, `[]`, `[{}]`} {
			r := b.do("POST", path, `{"eventType":"a","payload":`+payload+`}`)
			require.Equal(t, 422, r.status, payload)
			require.Contains(t, r.body, `"loc":["body","payload"]`)
		}
		for channels, status := range map[string]int{
			`["1","2","3","4","5"]`: 202, `["1","2","3","4","5","6"]`: 422, `["` + strings.Repeat("c", 128) + `"]`: 202, `["` + strings.Repeat("c", 129) + `"]`: 422,
			`[""]`: 422, `["a b"]`: 422, `[]`: 422, `["a","a"]`: 202, `null`: 202,
		} {
			require.Equal(t, status, b.do("POST", path, `{"eventType":"a","payload":{},"channels":`+channels+`}`).status, channels)
		}
		for channels, status := range map[string]int{
			`["0","1","2","3","4","5","6","7","8","9"]`: 201, `["0","1","2","3","4","5","6","7","8","9","10"]`: 422,
		} {
			require.Equal(t, status, b.do("POST", "/app/"+app+"/endpoint", `{"url":"https://example.com","channels":`+channels+`}`).status, channels)
		}
	})
	t.Run("a payload that was expunged is gone, and can't be sent again", func(t *testing.T) {
		b := b.in(t)
		expunged := b.message(app, `{"eventType":"a","payload":{"n":4}}`)
		require.NoError(t, b.store.ExpungePayload(t.Context(), app, expunged))
		kept := b.message(app, `{"eventType":"a","payload":{"n":6}}`)
		require.Contains(t, b.do("GET", path+"/"+expunged, "").body, `"payload":{"expired":true}`)
		r := b.do("POST", path+"/"+expunged+"/endpoint/ep/resend", "")
		require.Equal(t, http.StatusBadRequest, r.status)
		require.Equal(t, "missing_payload", r.field(t, "code"))
		require.Contains(t, b.do("GET", path+"/"+kept, "").body, `"payload":{"n":6}`)
		require.Equal(t, 202, b.do("POST", path+"/"+kept+"/endpoint/ep/resend", "").status)
	})
	t.Run("a raw payload is what is sent, to the byte", func(t *testing.T) {
		b := b.in(t)
		r := b.do("POST", path, `{"eventType":"a","payload":{},"transformationsParams":{"rawPayload":"  not\tJSON \u00e9 "}}`)
		require.Equal(t, 202, r.status)
		started := b.dispatcher.startedMessages()
		require.Equal(t, "  not\tJSON é ", string(started[len(started)-1].Payload))
	})
	t.Run("a message brings its application along, if there is none", func(t *testing.T) {
		b := b.in(t)
		with := func(uid string) string {
			return `{"eventType":"a","payload":{},"application":{"name":"Brought","uid":"` + uid + `"}}`
		}
		r := b.do("POST", "/app/brought/msg", with("other"))
		require.Equal(t, 422, r.status)
		require.Contains(t, r.body, "application_uid_mismatch")
		require.Equal(t, 202, b.do("POST", "/app/brought/msg", with("brought")).status)
		require.Equal(t, "Brought", b.do("GET", "/app/brought", "").field(t, "name"))
		require.Equal(t, 202, b.do("POST", "/app/acme/msg", with("ignored")).status)
		require.Equal(t, "Acme", b.do("GET", "/app/acme", "").field(t, "name"))
	})
	t.Run("the older name of the payload is understood", func(t *testing.T) {
		require.Contains(t, b.in(t).do("POST", path, `{"eventType":"a","data":{"n":7}}`).body, `"payload":{"n":7}`)
	})
}

func TestPrecheck(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must(201, "POST", "/event-type", `{"name":"paid","description":""}`)
	app, empty := b.application(), b.application()
	b.endpoint(app, `{"url":"https://example.com","eventTypes":["paid"],"channels":["red"]}`)
	b.endpoint(app, `{"url":"https://example.com","channels":["blue"],"disabled":true}`)
	path := "/app/{app}/msg/precheck/active"
	limited, err := b.tokens.Application(posthorn.DefaultOrg, app)
	require.NoError(t, err)
	b.run(t, strings.NewReplacer("{app}", app, "{empty}", empty), []scenario{
		{name: "finds an endpoint that wants it", method: "POST", path: path, body: `{"eventType":"paid","channels":["green","red"]}`, status: 200, contains: []string{`{"active":true}`}},
		{name: "finds none for another event type", method: "POST", path: path, body: `{"eventType":"sent","channels":["red"]}`, status: 200, contains: []string{`{"active":false}`}},
		{name: "finds none for no channel", method: "POST", path: path, body: `{"eventType":"paid"}`, status: 200, contains: []string{`{"active":false}`}},
		{name: "does not count a disabled one", method: "POST", path: path, body: `{"eventType":"paid","channels":["blue"]}`, status: 200, contains: []string{`{"active":false}`}},
		{name: "finds none where there are none", method: "POST", path: "/app/{empty}/msg/precheck/active", body: `{"eventType":"paid"}`, status: 200, contains: []string{`{"active":false}`}},
		{name: "needs an event type", method: "POST", path: path, body: `{}`, status: 422, contains: []string{"eventType"}},
		{name: "needs an event type that is one", method: "POST", path: path, body: `{"eventType":"a b"}`, status: 422, contains: []string{`"loc":["body","eventType"]`}},
		{name: "needs few channels", method: "POST", path: path, body: `{"eventType":"paid","channels":["1","2","3","4","5","6"]}`, status: 422, contains: []string{`"loc":["body","channels"]`}},
		{name: "needs an application", method: "POST", path: "/app/nope/msg/precheck/active", body: `{"eventType":"paid"}`, status: 404},
		{name: "is not for an application's token", token: limited, method: "POST", path: path, body: `{"eventType":"paid"}`, status: 403},
	})
	require.Empty(t, b.dispatcher.startedMessages())
	b.endpoint(empty, `{"url":"https://example.com"}`)
	require.Contains(t, b.do("POST", "/app/"+empty+"/msg/precheck/active", `{"eventType":"paid"}`).body, "true")
}
