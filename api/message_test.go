package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func TestMessage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.must(201, "POST", "/app", `{"name":"Acme","uid":"acme"}`)
	id := b.message(app, `{"eventType":"order.created","eventId":"evt-1","channels":["x","y"],"payload":{"secret":"P1"}}`)
	other := b.message(app, `{"eventType":"order.paid","payload":{"n":2}}`)
	path := "/app/{app}/msg"
	b.run(t, strings.NewReplacer("{app}", app, "{id}", id, "{other}", other), []scenario{
		{name: "is found by its id", method: "GET", path: path + "/{id}", status: 200,
			contains: []string{`"id":"{id}"`, `"eventId":"evt-1"`, `"eventType":"order.created"`, `"channels":["x","y"]`, `"payload":{"secret":"P1"}`, `"timestamp":"20`}},
		{name: "is found by its event id", method: "GET", path: path + "/evt-1", status: 200, contains: []string{`"id":"{id}"`}},
		{name: "is found without its payload", method: "GET", path: path + "/{id}?with_content=false", status: 200, contains: []string{`"payload":{}`}, excludes: []string{"P1"}},
		{name: "is listed newest first", method: "GET", path: path + "?limit=1", status: 200, contains: []string{"{other}", `"done":false`}, excludes: []string{"{id}"}},
		{name: "is listed without payloads on demand", method: "GET", path: path + "?with_content=false", status: 200, contains: []string{"{id}", "{other}", `"payload":{}`}, excludes: []string{"P1"}},
		{name: "is listed by channel", method: "GET", path: path + "?channel=x", status: 200, contains: []string{"{id}", "P1"}, excludes: []string{"{other}"}},
		{name: "is listed by event type", method: "GET", path: path + "?event_types=order.paid", status: 200, contains: []string{"{other}"}, excludes: []string{"{id}"}},
		{name: "is listed by event types with commas", method: "GET", path: path + "?event_types=order.paid,order.created", status: 200, contains: []string{"{other}", "{id}"}},
		{name: "is listed by repeated event types", method: "GET", path: path + "?event_types=order.paid&event_types=none", status: 200, contains: []string{"{other}"}, excludes: []string{"{id}"}},
		{name: "is listed by event types in brackets", method: "GET", path: path + "?event_types[]=order.created", status: 200, contains: []string{"{id}"}, excludes: []string{"{other}"}},
		{name: "is listed by event types in numbered brackets", method: "GET", path: path + "?event_types[1]=order.paid", status: 200, contains: []string{"{other}"}, excludes: []string{"{id}"}},
		{name: "needs a time that is one", method: "GET", path: path + "?before=yesterday", status: 400, contains: []string{`"code":"generic_error"`}},
		{name: "needs an iterator that is an id", method: "GET", path: path + "?iterator=msg_garbage", status: 422},
		{name: "is not found in an application that doesn't exist", method: "GET", path: "/app/nope/msg", status: 404},
		{name: "can't repeat an event id", method: "POST", path: path, body: `{"eventType":"e","eventId":"evt-1","payload":{}}`, status: 409, contains: []string{`"code":"conflict"`}},
		{name: "is answered without its payload on demand", method: "POST", path: path + "?with_content=false", body: `{"eventType":"e","payload":{"hide":"me"}}`, status: 202,
			contains: []string{`"payload":{}`}, excludes: []string{"hide"}},
		{name: "needs an event type", method: "POST", path: path, body: `{"payload":{}}`, status: 422, contains: []string{`"loc":["body","eventType"]`}},
		{name: "needs a payload", method: "POST", path: path, body: `{"eventType":"e"}`, status: 422, contains: []string{`"loc":["body","payload"]`}},
		{name: "needs a payload that is an object", method: "POST", path: path, body: `{"eventType":"e","payload":[1]}`, status: 422, contains: []string{`"loc":["body","payload"]`}},
		{name: "needs a payload that isn't null", method: "POST", path: path, body: `{"eventType":"e","payload":null}`, status: 422},
		{name: "needs an event type that is a string", method: "POST", path: path, body: `{"eventType":1,"payload":{}}`, status: 422, contains: []string{`"loc":["body","eventType"]`}},
		{name: "needs a body that is an object", method: "POST", path: path, body: `[]`, status: 422},
		{name: "needs a body", method: "POST", path: path, status: 422, contains: []string{"value_error.jsondecode"}},
		{name: "needs JSON", method: "POST", path: path, body: `{"eventType":"e","payload":{}`, status: 422, contains: []string{"value_error.jsondecode"}},
		{name: "can't have six channels", method: "POST", path: path, body: `{"eventType":"e","payload":{},"channels":["1","2","3","4","5","6"]}`, status: 422, contains: []string{`"loc":["body","channels"]`}},
		{name: "can't have an empty list of channels", method: "POST", path: path, body: `{"eventType":"e","payload":{},"channels":[]}`, status: 422},
		{name: "names the channel that is wrong", method: "POST", path: path, body: `{"eventType":"e","payload":{},"channels":["1","2","3","a b"]}`, status: 422, contains: []string{`"loc":["body","channels","3"]`}},
		{name: "can't have an event id like an id", method: "POST", path: path, body: `{"eventType":"e","payload":{},"eventId":"msg_1"}`, status: 422},
		{name: "is kept for 5 days at least", method: "POST", path: path, body: `{"eventType":"e","payload":{},"payloadRetentionPeriod":4}`, status: 422, contains: []string{`"loc":["body","payloadRetentionPeriod"]`}},
		{name: "is kept for 90 days at most", method: "POST", path: path, body: `{"eventType":"e","payload":{},"payloadRetentionPeriod":91}`, status: 422},
		{name: "needs an application that exists", method: "POST", path: "/app/nope/msg", body: `{"eventType":"e","payload":{}}`, status: 404},
		{name: "creates its application only with a uid", method: "POST", path: "/app/nope/msg", body: `{"eventType":"e","payload":{},"application":{"name":"n"}}`, status: 422,
			contains: []string{`"type":"application_uid_missing"`}},
		{name: "creates its application only with the uid of the path", method: "POST", path: "/app/nope/msg", body: `{"eventType":"e","payload":{},"application":{"name":"n","uid":"other"}}`, status: 422,
			contains: []string{`"type":"application_uid_mismatch"`}},
		{name: "creates its application only if it is valid", method: "POST", path: "/app/nope/msg", body: `{"eventType":"e","payload":{},"application":{"name":"","uid":"nope"}}`, status: 422,
			contains: []string{`"loc":["body","application","name"]`}},
		{name: "has not created an application so far", method: "GET", path: "/app/nope", status: 404},
		{name: "creates its application", method: "POST", path: "/app/fresh/msg", body: `{"eventType":"e","payload":{},"application":{"name":"Fresh","uid":"fresh"}}`, status: 202},
		{name: "has created its application", method: "GET", path: "/app/fresh", status: 200, contains: []string{`"name":"Fresh"`}},
		{name: "doesn't touch an application that exists", method: "POST", path: "/app/acme/msg", body: `{"eventType":"e","payload":{},"application":{"name":"Other","uid":"whatever"}}`, status: 202},
		{name: "has not touched it", method: "GET", path: "/app/acme", status: 200, contains: []string{`"name":"Acme"`}},
	})
	t.Run("is kept as long as it says", func(t *testing.T) {
		for period, want := range map[string]time.Duration{"": posthorn.DefaultRetention, `,"payloadRetentionPeriod":5`: posthorn.MinRetention} {
			m, err := b.store.MessageByID(t.Context(), b.message(app, `{"eventType":"e","payload":{}`+period+`}`))
			require.NoError(t, err)
			require.Equal(t, want, m.ExpiresAt.Sub(m.CreatedAt))
		}
	})
	t.Run("is not logged", func(t *testing.T) { require.NotContains(t, b.log.String(), "P1") })
}

func TestPayloadIsKeptByteForByte(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	for _, payload := range []string{
		`{ "z" : 1.0e2,` + "\n\t" + `"a":[ ] , "a": 12345678901234567890.10 }`,
		`{"u":"\u00e9é<&>` + "\u2028" + `"}`,
		`{}`,
	} {
		id := b.message(app, ` {"payload": `+payload+` ,"eventType":"e"} `)
		stored, err := b.store.MessageByID(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, payload, string(stored.Payload))
		require.Equal(t, payload, string(b.dispatcher.startedMessages()[len(b.dispatcher.startedMessages())-1].Payload))
	}
	t.Run("if it is raw", func(t *testing.T) {
		for raw, shown := range map[string]string{
			`<xml a=\"b\"/>`:  `"payload":"<xml a=\"b\"/>"`,
			`{ \"json\": 1 }`: `"payload":{"json":1}`,
		} {
			r := b.do("POST", "/app/"+app+"/msg", `{"eventType":"e","payload":{},"transformationsParams":{"rawPayload":"`+raw+`","headers":{}}}`)
			require.Equal(t, http.StatusAccepted, r.status, r.body)
			require.Contains(t, r.body, shown)
			stored, err := b.store.MessageByID(t.Context(), r.field(t, "id"))
			require.NoError(t, err)
			require.Equal(t, strings.ReplaceAll(raw, `\"`, `"`), string(stored.Payload))
		}
	})
	t.Run("unless it is not UTF-8", func(t *testing.T) {
		r := b.do("POST", "/app/"+app+"/msg", "{\"eventType\":\"e\",\"payload\":{\"a\":\"\xff\"}}")
		require.Equal(t, http.StatusUnprocessableEntity, r.status, r.body)
	})
	t.Run("up to 1 MiB of body", func(t *testing.T) {
		frame := `{"eventType":"e","payload":{"a":""}}`
		body := strings.Replace(frame, `""`, `"`+strings.Repeat("x", maxMessageBody-len(frame))+`"`, 1)
		require.Len(t, body, maxMessageBody)
		require.Equal(t, http.StatusAccepted, b.do("POST", "/app/"+app+"/msg", body).status)
		r := b.do("POST", "/app/"+app+"/msg", body+" ")
		require.Equal(t, http.StatusRequestEntityTooLarge, r.status)
		require.Equal(t, "payload_too_large", r.field(t, "code"))
		r = b.do("POST", "/app", `{"name":"`+strings.Repeat("x", 1<<20)+`"}`)
		require.Equal(t, http.StatusRequestEntityTooLarge, r.status)
	})
	t.Run("until it is gone", func(t *testing.T) {
		id := b.message(app, `{"eventType":"e","payload":{"a":1}}`)
		require.NoError(t, b.store.ExpungePayload(t.Context(), app, id))
		for _, path := range []string{"/msg/" + id, "/msg?limit=1"} {
			require.Contains(t, b.do("GET", "/app/"+app+path, "").body, `"payload":{"expired":true}`)
		}
	})
}

func TestAMessageIsAcceptedOnlyWhenItsDeliveryHasBegun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	send := func(event string) reply {
		return b.do("POST", "/app/"+app+"/msg", `{"eventType":"e","eventId":"`+event+`","payload":{"a":1}}`)
	}
	unavailable := posthorn.Errorf(posthorn.Unavailable, "the delivery can't begin: %w", fmt.Errorf("dial tcp 10.1.2.3"))
	conflict := posthorn.Errorf(posthorn.Conflict, "it has begun")

	t.Run("a fresh one begins", func(t *testing.T) {
		id := b.message(app, `{"eventType":"e","payload":{}}`)
		started := b.dispatcher.startedMessages()
		require.Equal(t, id, started[len(started)-1].ID)
	})
	t.Run("one that the sweep has begun already is accepted", func(t *testing.T) {
		b.dispatcher.fail(conflict)
		require.Equal(t, http.StatusAccepted, send("swept").status)
	})
	t.Run("without Temporal the caller is asked to come again, and then succeeds with the same message", func(t *testing.T) {
		b.dispatcher.fail(unavailable)
		r := send("later")
		require.Equal(t, http.StatusServiceUnavailable, r.status, r.body)
		require.Regexp(t, "^[1-5]$", r.header.Get("Retry-After"))
		require.NotContains(t, r.body, "10.1.2.3")
		require.Equal(t, http.StatusServiceUnavailable, send("later").status)
		stored, err := b.store.Message(t.Context(), app, "later")
		require.NoError(t, err)

		b.dispatcher.fail(nil)
		r = send("later")
		require.Equal(t, http.StatusAccepted, r.status, r.body)
		require.Equal(t, stored.ID, r.field(t, "id"))
	})
	t.Run("a repeated one whose delivery has begun is a conflict", func(t *testing.T) {
		b.dispatcher.fail(nil)
		require.Equal(t, http.StatusAccepted, send("begun").status)
		require.Equal(t, http.StatusConflict, send("begun").status)
	})
	t.Run("a repeated one whose first round is recorded is a conflict", func(t *testing.T) {
		b.dispatcher.fail(nil)
		id := send("done").field(t, "id")
		_, err := b.store.Record(t.Context(), store.Record{MessageID: id, AppID: app, Dispatched: true})
		require.NoError(t, err)
		before := len(b.dispatcher.startedMessages())
		require.Equal(t, http.StatusConflict, send("done").status)
		require.Len(t, b.dispatcher.startedMessages(), before)
	})
}

func TestMessagesInTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	var ids []string
	var times []time.Time
	for i := range 6 {
		at := time.Now().Add(time.Duration(i-5) * 30 * 24 * time.Hour)
		id := posthorn.MessageID.Floor(at)
		require.NoError(t, b.store.CreateMessage(t.Context(), posthorn.Message{ID: id, AppID: app, EventType: "e", Payload: []byte("{}"), CreatedAt: at, ExpiresAt: at.Add(posthorn.DefaultRetention)}))
		ids, times = append(ids, id), append(times, at)
	}
	list := func(query string) []string { return b.do("GET", "/app/"+app+"/msg?"+query, "").page(t).keys("id") }
	at := func(i int, shift time.Duration) string {
		return times[i].Add(shift).UTC().Format("2006-01-02T15:04:05.000Z")
	}

	t.Run("are those of the last 90 days", func(t *testing.T) {
		require.Equal(t, []string{ids[5], ids[4], ids[3]}, list(""))
	})
	t.Run("are those of the 90 days before a moment", func(t *testing.T) {
		require.Equal(t, []string{ids[3], ids[2], ids[1]}, list("before="+at(4, -time.Second)))
	})
	t.Run("are those between two moments", func(t *testing.T) {
		require.Equal(t, []string{ids[3], ids[2]}, list("before="+at(4, -time.Second)+"&after="+at(1, time.Second)))
	})
	t.Run("go on from the iterator", func(t *testing.T) {
		require.Equal(t, []string{ids[2], ids[1]}, list("iterator="+ids[3]))
		require.Equal(t, []string{ids[5], ids[4]}, list("iterator=-"+ids[3]))
	})
	t.Run("after a moment begin with those that came next", func(t *testing.T) {
		p := b.do("GET", "/app/"+app+"/msg?limit=2&after="+at(0, time.Second), "").page(t)
		require.Equal(t, []string{ids[2], ids[1]}, p.keys("id"))
		require.False(t, p.Done)
		p = b.do("GET", "/app/"+app+"/msg?limit=2&iterator="+*p.PrevIterator, "").page(t)
		require.Equal(t, []string{ids[4], ids[3]}, p.keys("id"))
	})
}
