package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

// stretch is the answer of a poll, payloads as they stand in it.
type stretch struct {
	Data []struct {
		ID        string
		EventType string
		Payload   json.RawMessage
		Headers   map[string]string
	}
	Iterator string
	Done     bool
}

func (s stretch) ids() []string {
	ids := []string{}
	for _, m := range s.Data {
		ids = append(ids, m.ID)
	}
	return ids
}

// poll asks for a stretch; iterator may be empty.
func (b *bundle) poll(path, iterator string) stretch {
	b.t.Helper()
	if iterator != "" {
		path += map[bool]string{true: "&", false: "?"}[strings.Contains(path, "?")] + "iterator=" + iterator
	}
	r := b.do("GET", path, "")
	require.Equal(b.t, http.StatusOK, r.status, r.body)
	var got stretch
	require.NoError(b.t, json.Unmarshal([]byte(r.body), &got), r.body)
	require.NotEmpty(b.t, got.Iterator)
	return got
}

// poller makes a poller and returns its path.
func (b *bundle) poller(app, body string) string {
	b.t.Helper()
	return "/app/" + app + "/poller/" + b.must(http.StatusCreated, "POST", "/app/"+app+"/poller", body)
}

func (b *bundle) messages(app string, n int) []string {
	b.t.Helper()
	ids := []string{}
	for range n {
		ids = append(ids, b.message(app, `{"eventType":"a","payload":{}}`))
	}
	return ids
}

func TestEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app, other := b.application(), b.application()
	path := "/app/" + app + "/events"

	t.Run("have an iterator even if there are none, and it leads to what comes", func(t *testing.T) {
		b := b.in(t)
		none := b.poll(path, "")
		require.Empty(t, none.Data)
		require.True(t, none.Done)
		ids := b.messages(app, 3)
		b.messages(other, 1)
		first := b.poll(path+"?limit=2", none.Iterator)
		require.Equal(t, ids[:2], first.ids())
		require.False(t, first.Done)
		second := b.poll(path+"?limit=2", first.Iterator)
		require.Equal(t, ids[2:], second.ids())
		require.True(t, second.Done)
		third := b.poll(path, second.Iterator)
		require.Empty(t, third.Data)
		require.Equal(t, second.Iterator, third.Iterator)
		require.Equal(t, second.ids(), b.poll(path+"?limit=2", first.Iterator).ids(), "an iterator can be used again")
		require.Equal(t, ids, b.poll(path, "").ids(), "without an iterator it begins at the beginning")
	})

	typed := b.message(app, `{"eventType":"order.paid","eventId":"evt","payload":{"n": 1},"channels":["eu","vip"]}`)
	names := strings.NewReplacer("{app}", app, "{typed}", typed, "{garbage}", base64.RawURLEncoding.EncodeToString([]byte(`{"m":"msg_garbage"}`)),
		"{app token}", "", "{future}", url.QueryEscape(time.Now().Add(time.Hour).Format(time.RFC3339)), "{past}", url.QueryEscape(time.Now().Add(-time.Hour).Format(time.RFC3339)))
	own, err := b.tokens.Application(posthorn.DefaultOrg, app)
	require.NoError(t, err)
	foreign, err := b.tokens.Application(posthorn.DefaultOrg, other)
	require.NoError(t, err)
	message := []string{`"id":"{typed}"`, `"eventId":"evt"`, `"eventType":"order.paid"`, `"channels":["eu","vip"]`, `"payload":{"n":1}`, `"timestamp":"`, `"done":true`}
	scenarios := []scenario{
		{name: "show whole messages, unsigned", path: path + "?event_types=order.paid", status: 200, contains: message, excludes: []string{"headers", `"eventType":"a"`}},
		{name: "are there for the application's own token", token: own, path: path, status: 200, contains: []string{"{typed}"}},
		{name: "are not there for another application's token", token: foreign, path: path, status: 404},
		{name: "are narrowed to one of several channels", path: path + "?channels=us&channels=vip", status: 200, contains: []string{"{typed}"}, excludes: []string{`"eventType":"a"`}},
		{name: "are narrowed to type and channel at once", path: path + "?channels=vip&event_types=a", status: 200, contains: []string{`"data":[]`, `"done":true`}},
		{name: "begin after a moment", path: path + "?after={past}", status: 200, contains: []string{"{typed}", `"eventType":"a"`}},
		{name: "begin after a moment, were it in the future", path: path + "?after={future}", status: 200, contains: []string{`"data":[]`}},
		{name: "refuse a moment that is none", path: path + "?after=yesterday", status: 400},
		{name: "refuse a name that no event type can have", path: path + "?event_types=a,b%20c", status: 422, contains: []string{`"loc":["query","event_types","1"]`}},
		{name: "refuse a name that no channel can have", path: path + "?channels=b%20c", status: 422, contains: []string{`"loc":["query","channels","0"]`}},
		{name: "have 250 at most", path: path + "?limit=251", status: 422, contains: []string{`"loc":["query","limit"]`}},
		{name: "may be 250", path: path + "?limit=250", status: 200},
		{name: "are not in an application that there isn't", path: "/app/nope/events", status: 404},
	}
	for _, list := range []string{"event_types=order.paid,x", "event_types=x&event_types=order.paid", "event_types[]=x&event_types[]=order.paid", "event_types[0]=x&event_types[1]=order.paid"} {
		scenarios = append(scenarios, scenario{name: "are narrowed by " + list, path: path + "?" + list, status: 200, contains: []string{"{typed}"}, excludes: []string{`"eventType":"a"`}})
	}
	for _, iterator := range []string{"x", "!", "e30=", "msg_1", typed, "{garbage}", "eyJlIjotMX0", "eyJ4IjoxfQ", "e30K", strings.Repeat("a", 300), "bnVsbA", "eyJhIjoxZTMwMH0"} {
		scenarios = append(scenarios, scenario{name: "refuse the iterator " + iterator, path: path + "?iterator=" + iterator, status: 422, contains: []string{`"loc":["query","iterator"]`}})
	}
	for i := range scenarios {
		scenarios[i].method = "GET"
	}
	b.run(t, names, scenarios)

	t.Run("that an old client asks for come without new fields", func(t *testing.T) {
		r := b.in(t).with(http.Header{"Authorization": {"Bearer " + b.org}, "User-Agent": {"svix-libs/1.44.0/go"}}, "GET", path+"?event_types=order.paid", "")
		require.Equal(t, http.StatusOK, r.status)
		require.Contains(t, r.body, `"iterator":"`)
		require.Contains(t, r.body, typed)
	})
	t.Run("remember the moment they began after", func(t *testing.T) {
		b := b.in(t)
		future := names.Replace("?after={future}")
		next := b.poll(path+future, "").Iterator
		b.messages(app, 1)
		require.Empty(t, b.poll(path, next).Data)
	})
	t.Run("whose payload was expunged say so", func(t *testing.T) {
		app := b.in(t).application()
		id := b.messages(app, 1)[0]
		require.NoError(t, b.store.ExpungePayload(t.Context(), app, id))
		r := b.in(t).do("GET", "/app/"+app+"/events", "")
		require.Contains(t, r.body, `"payload":{"expired":true}`)
	})
}

func TestPoll(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, name := range []string{"a", "b"} {
		b.must(201, "POST", "/event-type", `{"name":"`+name+`","description":""}`)
	}

	t.Run("begins where the poller was made", func(t *testing.T) {
		b := b.in(t)
		app := b.application()
		before := b.messages(app, 2)
		path := b.poller(app, `{}`)
		require.Empty(t, b.poll(path, "").Data)
		after := b.messages(app, 2)
		got := b.poll(path, "")
		require.Equal(t, after, got.ids())
		require.Equal(t, append(before, after...), b.poll(path+"?after=2020-01-01T00:00:00Z", "").ids(), "unless it is asked for more")
		require.Empty(t, b.poll(path, got.Iterator).Data)
	})
	t.Run("shows what the poller is for, narrowed further if asked", func(t *testing.T) {
		b := b.in(t)
		app := b.application()
		path := b.poller(app, `{"uid":"archive","eventTypes":["a","b"],"channels":["eu","us"]}`)
		post := func(eventType, channels string) string {
			return b.message(app, `{"eventType":"`+eventType+`","payload":{},"channels":`+channels+`}`)
		}
		a, both := post("a", `["eu"]`), post("b", `["us","vip"]`)
		post("c", `["eu"]`)
		post("a", `["vip"]`)
		post("a", `null`)
		for _, path := range []string{path, "/app/" + app + "/poller/archive"} {
			require.Equal(t, []string{a, both}, b.poll(path, "").ids())
			require.Equal(t, []string{both}, b.poll(path+"?event_type=b", "").ids())
			require.Equal(t, []string{both}, b.poll(path+"?channel=vip", "").ids())
			require.Empty(t, b.poll(path+"?event_type=c", "").Data, "but never more")
			end := b.poll(path, "")
			require.True(t, end.Done)
			require.Equal(t, end.Iterator, b.poll(path, end.Iterator).Iterator)
		}
		b.run(t, strings.NewReplacer("{path}", path), []scenario{
			{name: "refuses a name that is none", method: "GET", path: "{path}?event_type=%20", status: 422, contains: []string{`"loc":["query","event_type"]`}},
			{name: "refuses a channel that is none", method: "GET", path: "{path}?channel=%20", status: 422, contains: []string{`"loc":["query","channel"]`}},
			{name: "refuses an iterator that is none", method: "GET", path: "{path}?iterator=x", status: 422, contains: []string{`"loc":["query","iterator"]`}},
			{name: "refuses an iterator that is none as a consumer", method: "GET", path: "{path}/consumer/c?iterator=x", status: 422, contains: []string{`"loc":["query","iterator"]`}},
		})
	})
	t.Run("comes signed, so that another library verifies what it shows", func(t *testing.T) {
		b := b.in(t)
		app := b.application()
		path := b.poller(app, `{"secret":"`+secretOf24+`"}`)
		b.message(app, "{\"eventType\":\"a\",\"payload\":{ \"n\" : 1.50e+03,\n\"html\":\"<&>\u2028é\\u00e9\", \"z\":1, \"z\":2 }}")
		b.message(app, `{"eventType":"a","payload":{},"transformationsParams":{"rawPayload":"not <JSON>"}}`)
		verify := func(secret string, want bool) {
			t.Helper()
			wh, err := standardwebhooks.NewWebhook(secret)
			require.NoError(t, err)
			got := b.poll(path, "")
			require.Len(t, got.Data, 2)
			for _, m := range got.Data {
				headers := http.Header{}
				for name, value := range m.Headers {
					headers.Set(name, value)
				}
				err := wh.Verify(m.Payload, headers)
				require.Equal(t, want, err == nil, "%s: %v", m.Payload, err)
				require.Equal(t, m.ID, m.Headers["webhook-id"])
			}
		}
		verify(secretOf24, true)
		require.Equal(t, http.StatusNoContent, b.do("POST", path+"/secret/rotate", "").status)
		verify(secretOf24, true)
		fresh := b.do("GET", path+"/secret", "").field(t, "key")
		verify(fresh, true)
		require.Equal(t, http.StatusNoContent, b.do("POST", path+"/secret/rotate", `{"key":"`+secretOf64+`","gracePeriodSeconds":0}`).status)
		verify(fresh, false)
		verify(secretOf64, true)
	})
	t.Run("shows a payload that is gone without a signature", func(t *testing.T) {
		b := b.in(t)
		app := b.application()
		path := b.poller(app, `{}`)
		require.NoError(t, b.store.ExpungePayload(t.Context(), app, b.messages(app, 1)[0]))
		r := b.do("GET", path, "")
		require.Contains(t, r.body, `{"expired":true}`)
		require.NotContains(t, r.body, "headers")
	})
	t.Run("is refused while the poller is disabled, and goes on where it was", func(t *testing.T) {
		b := b.in(t)
		app := b.application()
		path := b.poller(app, `{}`)
		ids := b.messages(app, 1)
		require.Equal(t, http.StatusOK, b.do("PUT", path, `{"disabled":true}`).status)
		for _, path := range []string{path, path + "/consumer/c"} {
			r := b.do("GET", path, "")
			require.Equal(t, http.StatusForbidden, r.status, r.body)
			require.Contains(t, r.body, "disabled")
		}
		ids = append(ids, b.messages(app, 1)...)
		require.Equal(t, http.StatusOK, b.do("PUT", path, `{}`).status)
		require.Equal(t, ids, b.poll(path, "").ids())
		require.Equal(t, ids, b.poll(path+"/consumer/c", "").ids())
	})
}

func TestConsumer(t *testing.T) {
	t.Parallel()
	b := setup(t)

	t.Run("gets the same until its next poll acknowledges it", func(t *testing.T) {
		b := b.in(t)
		app := b.application()
		path := b.poller(app, `{}`) + "/consumer/worker-1"
		ids := b.messages(app, 5)
		first := b.poll(path+"?limit=2", "")
		require.Equal(t, ids[:2], first.ids())
		require.Equal(t, ids[:2], b.poll(path+"?limit=2", "").ids(), "it may have crashed")
		second := b.poll(path+"?limit=2", first.Iterator)
		require.Equal(t, ids[2:4], second.ids())
		require.Equal(t, ids[2:4], b.poll(path+"?limit=2", "").ids(), "only the first two are acknowledged")
		third := b.poll(path+"?limit=2", second.Iterator)
		require.Equal(t, ids[4:], third.ids())
		require.True(t, third.Done)
		require.Empty(t, b.poll(path, third.Iterator).Data)
		require.Empty(t, b.poll(path, "").Data)
		late := b.messages(app, 1)
		require.Equal(t, late, b.poll(path, "").ids())
	})
	t.Run("does not go back by repeating an old poll", func(t *testing.T) {
		b := b.in(t)
		app := b.application()
		path := b.poller(app, `{}`) + "/consumer/c"
		ids := b.messages(app, 3)
		first := b.poll(path+"?limit=1", "")
		second := b.poll(path+"?limit=1", first.Iterator)
		b.poll(path+"?limit=1", second.Iterator)
		require.Equal(t, ids[1:2], b.poll(path+"?limit=1", first.Iterator).ids(), "the repeated request has the answer it had")
		require.Equal(t, ids[2:], b.poll(path, "").ids())
	})
	t.Run("has a position of its own", func(t *testing.T) {
		b := b.in(t)
		app := b.application()
		path := b.poller(app, `{}`)
		ids := b.messages(app, 2)
		b.poll(path+"/consumer/a", b.poll(path+"/consumer/a", "").Iterator)
		require.Empty(t, b.poll(path+"/consumer/a", "").Data)
		require.Equal(t, ids, b.poll(path+"/consumer/b", "").ids())
	})
	t.Run("can be sought, which voids the iterators it has", func(t *testing.T) {
		b := b.in(t)
		app := b.application()
		old := b.messages(app, 2)
		path := b.poller(app, `{}`) + "/consumer/c"
		ids := append(old, b.messages(app, 2)...)
		first := b.poll(path, "")
		r := b.do("POST", path+"/seek", `{"after":"2025-04-21T11:20:34Z"}`)
		require.Equal(t, http.StatusOK, r.status, r.body)
		sought := r.field(t, "iterator")
		require.Equal(t, ids, b.poll(path, first.Iterator).ids(), "the running consumer follows")
		require.Equal(t, ids, b.poll(path, "").ids())
		got := b.poll(path+"?limit=1", sought)
		require.Equal(t, ids[:1], got.ids())
		require.Equal(t, ids[1:], b.poll(path, got.Iterator).ids())
		require.Equal(t, ids[1:], b.poll(path, "").ids())

		future := fmt.Sprintf(`{"after":%q}`, time.Now().Add(time.Hour).Format(time.RFC3339))
		require.Equal(t, http.StatusOK, b.do("POST", path+"/seek", future).status)
		require.Empty(t, b.poll(path, got.Iterator).Data)
	})
	t.Run("keeps its position over a change of the poller, and loses it with the poller", func(t *testing.T) {
		b := b.in(t)
		app := b.application()
		poller := b.poller(app, `{}`)
		path := poller + "/consumer/c"
		b.messages(app, 2)
		b.poll(path, b.poll(path+"?limit=1", "").Iterator)
		require.Equal(t, http.StatusOK, b.do("PUT", poller, `{"description":"new"}`).status)
		require.Len(t, b.poll(path, "").Data, 1)
		require.Equal(t, http.StatusNoContent, b.do("DELETE", poller, "").status)
		require.Equal(t, http.StatusNotFound, b.do("GET", path, "").status)
		require.Equal(t, http.StatusNotFound, b.do("POST", path+"/seek", `{"after":"2025-04-21T11:20:34Z"}`).status)
	})

	app, other := b.application(), b.application()
	path := b.poller(app, `{"uid":"main"}`)
	own, err := b.tokens.Application(posthorn.DefaultOrg, app)
	require.NoError(t, err)
	b.run(t, strings.NewReplacer("{path}", path, "{other}", other), []scenario{
		{name: "may have the application's token", token: own, method: "GET", path: "{path}/consumer/c", status: 200},
		{name: "may seek with the application's token", token: own, method: "POST", path: "{path}/consumer/c/seek", body: `{"after":"2025-04-21T11:20:34Z"}`, status: 200},
		{name: "may not have another application's token", token: own, method: "GET", path: "/app/{other}/poller/main/consumer/c", status: 404},
		{name: "needs a token", token: "none", method: "GET", path: "{path}/consumer/c", status: 401},
		{name: "needs a name that is one", method: "GET", path: "{path}/consumer/a%20b", status: 422, contains: []string{`"loc":["path","consumer_id"]`}},
		{name: "needs a moment to seek", method: "POST", path: "{path}/consumer/c/seek", body: `{}`, status: 422, contains: []string{"after"}},
		{name: "needs a moment that is one", method: "POST", path: "{path}/consumer/c/seek", body: `{"after":"tomorrow"}`, status: 422, contains: []string{`"loc":["body","after"]`}},
		{name: "has 250 messages at most", method: "GET", path: "{path}/consumer/c?limit=251", status: 422},
	})
}

func TestPoller(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must(201, "POST", "/event-type", `{"name":"a","description":""}`)
	app, other := b.application(), b.application()
	plain := strings.TrimPrefix(b.poller(app, `{}`), "/app/"+app+"/poller/")
	full := strings.TrimPrefix(b.poller(app, `{"uid":"main","description":"d","eventTypes":["a","a"],"channels":["c"],"disabled":true,"secret":"`+secretOf24+`"}`), "/app/"+app+"/poller/")
	own, err := b.tokens.Application(posthorn.DefaultOrg, app)
	require.NoError(t, err)
	path := "/app/{app}/poller"
	b.run(t, strings.NewReplacer("{app}", app, "{other}", other, "{plain}", plain, "{full}", full), []scenario{
		{name: "has defaults for everything", method: "GET", path: path + "/{plain}/config", status: 200,
			contains: []string{`"id":"{plain}"`, `"disabled":false`, `"description":""`}, excludes: []string{"uid", "eventTypes", "channels", "whsec_", "secret"}},
		{name: "shows all that it was given but its secret", method: "GET", path: path + "/main/config", status: 200,
			contains: []string{`"id":"{full}"`, `"uid":"main"`, `"eventTypes":["a"]`, `"channels":["c"]`, `"disabled":true`, `"description":"d"`}, excludes: []string{"whsec_"}},
		{name: "has a secret of its own", method: "GET", path: path + "/main/secret", status: 200, contains: []string{secretOf24}},
		{name: "is listed newest first", method: "GET", path: path + "?limit=1", status: 200, contains: []string{"{full}", `"done":false`}, excludes: []string{"{plain}", "whsec_"}},
		{name: "is listed on the next page", method: "GET", path: path + "?limit=1&iterator={full}", status: 200, contains: []string{"{plain}", `"done":true`}, excludes: []string{"main"}},
		{name: "is not listed behind garbage", method: "GET", path: path + "?iterator=poll_garbage", status: 422},
		{name: "belongs to its application", method: "GET", path: "/app/{other}/poller/{full}", status: 404},
		{name: "belongs to its application for changes too", method: "PUT", path: "/app/{other}/poller/{full}", body: `{}`, status: 404},
		{name: "may be made with the application's token", token: own, method: "POST", path: path, body: `{"uid":"mine"}`, status: 201},
		{name: "may not be made elsewhere with it", token: own, method: "POST", path: "/app/{other}/poller", body: `{}`, status: 404},
		{name: "can't show event types that don't exist", method: "POST", path: path, body: `{"eventTypes":["a","nope"]}`, status: 422, contains: []string{`"loc":["body","eventTypes"]`, "nope"}},
		{name: "can't have an empty list", method: "POST", path: path, body: `{"channels":[]}`, status: 422, contains: []string{`"loc":["body","channels"]`}},
		{name: "can't have eleven channels", method: "POST", path: path, body: `{"channels":["1","2","3","4","5","6","7","8","9","10","11"]}`, status: 422},
		{name: "can't have a uid like an id", method: "POST", path: path, body: `{"uid":"poll_1"}`, status: 422, contains: []string{`"loc":["body","uid"]`}},
		{name: "can't take a taken uid", method: "POST", path: path, body: `{"uid":"main"}`, status: 409, contains: []string{`"code":"conflict"`}},
		{name: "can't have a secret that is none, and doesn't repeat it", method: "POST", path: path, body: `{"secret":"whsec_hunter2"}`, status: 422, contains: []string{`"loc":["body","secret"]`}, excludes: []string{"hunter2"}},
		{name: "is replaced by a PUT", method: "PUT", path: path + "/main", body: `{"description":"new"}`, status: 200, contains: []string{`"id":"{full}"`, `"uid":"main"`, `"description":"new"`}, excludes: []string{"eventTypes", "channels"}},
		{name: "checks event types in a PUT", method: "PUT", path: path + "/main", body: `{"eventTypes":["nope"]}`, status: 422},
		{name: "is created by a PUT to an unknown uid", method: "PUT", path: path + "/fresh", body: `{}`, status: 201, contains: []string{`"uid":"fresh"`}},
		{name: "is not created by a PUT to an unknown id", method: "PUT", path: path + "/poll_1", body: `{}`, status: 404},
		{name: "can be deleted", method: "DELETE", path: path + "/main", status: 204},
		{name: "is gone then", method: "GET", path: path + "/{full}", status: 404},
		{name: "is gone for seeking the secret, too", method: "GET", path: path + "/{full}/secret", status: 404},
		{name: "frees its uid", method: "POST", path: path, body: `{"uid":"main"}`, status: 201},
		{name: "needs an application that exists", method: "POST", path: "/app/nope/poller", body: `{}`, status: 404},
	})
	require.NotContains(t, b.log.String(), "whsec_")
}
