package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// archive is enough of everything for lists of several pages: ten items in each.
type archive struct {
	*bundle
	app, ep, msg string
	begin        time.Time
}

// made is when item i was made: one a day, the last a day ago.
func (a archive) made(i int) time.Time { return a.begin.Add(time.Duration(i) * 24 * time.Hour) }

func newArchive(t *testing.T) archive {
	t.Helper()
	a := archive{bundle: setup(t), begin: time.Now().Add(-10 * 24 * time.Hour).Truncate(time.Second)}
	for range 10 {
		a.app = a.application()
	}
	for i := range 10 {
		a.must(http.StatusCreated, "POST", "/event-type", fmt.Sprintf(`{"name":"type.%d","description":"d"}`, i))
		a.ep = a.endpoint(a.app, fmt.Sprintf(`{"url":"https://example.com/%d"}`, i))
	}
	endpoints := a.do("GET", "/app/"+a.app+"/endpoint", "").page(t).keys("id")
	for i := range 10 {
		a.msg = posthorn.MessageID.Floor(a.made(i))
		require.NoError(t, a.store.CreateMessage(t.Context(), posthorn.Message{
			ID: a.msg, AppID: a.app, EventType: fmt.Sprintf("type.%d", i%3), Channels: []string{fmt.Sprintf("channel-%d", i%2)},
			Tags: []string{fmt.Sprintf("tag/%d", i%5)}, Payload: []byte("{}"), CreatedAt: a.made(i), ExpiresAt: a.made(i).Add(posthorn.DefaultRetention),
		}))
		a.attempt(t, a.ep, i, i%4 != 0)
	}
	for i, ep := range endpoints[1:] {
		a.attempt(t, ep, 9, i%2 == 0)
	}
	return a
}

// attempt sends message i, in effect, when it is made.
func (a archive) attempt(t *testing.T, ep string, i int, success bool) {
	t.Helper()
	sent := posthorn.Attempt{
		ID: posthorn.AttemptID.Floor(a.made(i)), MessageID: posthorn.MessageID.Floor(a.made(i)), AppID: a.app, EndpointID: ep,
		EventType: fmt.Sprintf("type.%d", i%3), Trigger: posthorn.Automatic, URL: "https://example.com", StartedAt: a.made(i), Status: 503,
	}
	if ep != a.ep {
		sent.ID = posthorn.AttemptID.New()
	}
	if success {
		sent.Success, sent.Status = true, 204
	}
	_, err := a.store.Record(t.Context(), store.Record{MessageID: sent.MessageID, AppID: a.app, Dispatched: true, Attempts: []posthorn.Attempt{sent}})
	require.NoError(t, err)
}

// lists are the paths of all lists of ten items, and the field that names an item.
func (a archive) lists() map[string]string {
	return map[string]string{
		"/app":                        "id",
		"/app/" + a.app + "/endpoint": "id",
		"/event-type":                 "name",
		"/app/" + a.app + "/msg":      "id",
		a.byEndpoint():                "id",
		"/app/" + a.app + "/attempt/msg/" + a.msg: "id",
		a.attempted(): "id",
		"/app/" + a.app + "/msg/" + a.msg + "/endpoint": "id",
	}
}

func (a archive) byEndpoint() string { return "/app/" + a.app + "/attempt/endpoint/" + a.ep }
func (a archive) attempted() string  { return "/app/" + a.app + "/endpoint/" + a.ep + "/msg" }

func TestEveryListLeadsForthAndBack(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	for path, field := range a.lists() {
		t.Run(strings.NewReplacer(a.app, "{app}", a.ep, "{ep}", a.msg, "{msg}").Replace(path), func(t *testing.T) {
			t.Parallel()
			list := func(limit int, iterator string) page {
				return a.in(t).do("GET", fmt.Sprintf("%s?limit=%d&iterator=%s", path, limit, url.QueryEscape(iterator)), "").page(t)
			}
			all := list(50, "").keys(field)
			require.Len(t, all, 10)
			for _, limit := range []int{1, 6, 10, 50} {
				var forth, back []string
				p := list(limit, "")
				forth = append(forth, p.keys(field)...)
				for !p.Done {
					require.Len(t, p.Data, limit)
					require.Equal(t, forth[len(forth)-1], *p.Iterator)
					p = list(limit, *p.Iterator)
					forth = append(forth, p.keys(field)...)
				}
				require.Equal(t, all, forth)
				behind := list(limit, *p.Iterator)
				require.Empty(t, behind.Data)
				require.True(t, behind.Done)
				require.Nil(t, behind.Iterator)
				require.Nil(t, behind.PrevIterator)

				back = p.keys(field)
				for {
					require.Equal(t, "-"+back[0], *p.PrevIterator)
					if p = list(limit, *p.PrevIterator); len(p.Data) == 0 {
						break
					}
					back = append(p.keys(field), back...)
				}
				require.Equal(t, all, back)
			}
		})
	}
}

func TestEveryListRefusesWhatIsNoPage(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	for path := range a.lists() {
		for query, status := range map[string]int{
			"limit=1": 200, "limit=250": 200, "limit=251": 422, "limit=0": 422, "limit=-1": 422, "limit=many": 400,
			"iterator=msg_garbage": 422, "iterator=%2D": 422, "iterator=--": 422, "iterator=a%20b": 422, "iterator=%00": 422, "iterator=%FF": 422,
		} {
			if path == "/event-type" && (query == "iterator=msg_garbage" || query == "iterator=--") {
				status = 200 // a name like any other
			}
			r := a.do("GET", path+"?"+query, "")
			require.Equal(t, status, r.status, "%s?%s: %s", path, query, r.body)
			if status == 422 {
				require.Contains(t, r.body, `"loc":["query","`+query[:strings.Index(query, "=")]+`"]`)
			}
		}
	}
}

func TestListsAreNarrowed(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	day := func(i int, shift time.Duration) string {
		return url.QueryEscape(a.made(i).Add(shift).UTC().Format(time.RFC3339))
	}
	for path, number := range map[string]func(item map[string]any) string{
		"/app/" + a.app + "/msg": func(item map[string]any) string { return item["id"].(string) },
		a.attempted():            func(item map[string]any) string { return item["id"].(string) },
		a.byEndpoint():           func(item map[string]any) string { return item["msgId"].(string) },
	} {
		for _, c := range []struct {
			query string
			want  []int // newest first
		}{
			{"event_types=type.0", []int{9, 6, 3, 0}},
			{"event_types=type.0,type.1", []int{9, 7, 6, 4, 3, 1, 0}},
			{"event_types=type.0&event_types=type.1", []int{9, 7, 6, 4, 3, 1, 0}},
			{"event_types[]=type.0&event_types[]=type.1", []int{9, 7, 6, 4, 3, 1, 0}},
			{"event_types%5B0%5D=type.0&event_types%5B1%5D=type.1", []int{9, 7, 6, 4, 3, 1, 0}},
			{"event_types=type.0,type.0&event_types[]=type.0", []int{9, 6, 3, 0}},
			{"event_types=type.9", nil},
			{"channel=channel-1", []int{9, 7, 5, 3, 1}},
			{"channel=tag/1", nil},
			{"tag=tag/1", []int{6, 1}},
			{"tag=tag%2F1&channel=channel-1", []int{1}},
			{"tag=channel-1", nil},
			{"tag=tag/1&event_types=type.0", []int{6}},
			{"channel=channel-1&event_types=type.0,type.2", []int{9, 5, 3}},
			{"before=" + day(2, 0), []int{1, 0}},
			{"after=" + day(7, 0), []int{9, 8}},
			{"after=" + day(2, 0) + "&before=" + day(6, time.Second), []int{6, 5, 4, 3}},
			{"after=" + day(2, 0) + "&before=" + day(6, 0) + "&event_types=type.0&channel=channel-1", []int{3}},
			{"after=" + day(2, 0) + "&limit=3", []int{5, 4, 3}},
			{"after=" + day(2, 0) + "&limit=3&channel=channel-1", []int{7, 5, 3}},
			{"after=" + day(6, 0) + "&before=" + day(2, 0), nil},
		} {
			p := a.do("GET", path+"?"+c.query, "").page(t)
			got := []string{}
			for _, item := range p.Data {
				got = append(got, number(item))
			}
			want := []string{}
			for _, i := range c.want {
				want = append(want, posthorn.MessageID.Floor(a.made(i)))
			}
			require.Equal(t, want, got, "%s?%s", path, c.query)
		}
	}
}

func TestListsLookBack90Days(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	old := time.Now().Add(-91 * 24 * time.Hour)
	m := posthorn.Message{ID: posthorn.MessageID.Floor(old), AppID: a.app, EventType: "type.0", CreatedAt: old}
	require.NoError(t, a.store.CreateMessage(t.Context(), m))
	_, err := a.store.Record(t.Context(), store.Record{MessageID: m.ID, AppID: a.app, Attempts: []posthorn.Attempt{{
		ID: posthorn.AttemptID.Floor(old), MessageID: m.ID, AppID: a.app, EndpointID: a.ep, EventType: "type.0", Trigger: posthorn.Automatic, Success: true, Status: 200,
	}}})
	require.NoError(t, err)
	for path, kind := range map[string]posthorn.IDKind{
		"/app/" + a.app + "/msg": posthorn.MessageID, a.attempted(): posthorn.MessageID, a.byEndpoint(): posthorn.AttemptID,
	} {
		id := kind.Floor(old)
		for query, there := range map[string]bool{
			"":                             false,
			"event_types=type.0&limit=250": false,
			"before=" + url.QueryEscape(old.Add(time.Hour).UTC().Format(time.RFC3339)):      true,
			"before=" + url.QueryEscape(old.Add(2160*time.Hour).UTC().Format(time.RFC3339)): true,
			"before=" + url.QueryEscape(old.Add(2161*time.Hour).UTC().Format(time.RFC3339)): false,
			"after=" + url.QueryEscape(old.Add(-time.Hour).UTC().Format(time.RFC3339)):      true,
			"after=" + url.QueryEscape(old.Add(-time.Hour).UTC().Format(time.RFC3339)) + "&before=" +
				url.QueryEscape(time.Now().UTC().Format(time.RFC3339)): false,
			"iterator=" + kind.Floor(old.Add(time.Hour)):   true,
			"iterator=-" + kind.Floor(old.Add(-time.Hour)): true,
		} {
			p := a.do("GET", path+"?"+query, "").page(t)
			require.Equal(t, there, slices.Contains(p.keys("id"), id), "%s?%s", path, query)
		}
	}
}

func TestStatusesExcludeEachOther(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	seen := map[string]string{}
	for _, status := range []string{"0", "1", "2", "3"} {
		for _, id := range h.do("GET", "/app/"+h.app+"/endpoint/"+h.ep+"/msg?status="+status, "").page(t).keys("id") {
			require.Empty(t, seen[id], "%s has two statuses", id)
			seen[id] = status
		}
	}
	require.Equal(t, map[string]string{h.delivered: "0", h.failed: "2", h.retrying: "3"}, seen, "the delivered one had failed before")
}

func TestSearch(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	token, err := a.tokens.Application(posthorn.DefaultOrg, a.app)
	require.NoError(t, err)
	id := func(i int) string { return posthorn.MessageID.Floor(a.made(i)) }
	day := func(i int) string { return a.made(i).UTC().Format(time.RFC3339) }
	path := "/app/" + a.app + "/msg/search"
	for body, want := range map[string][]string{
		`{"limit":2}`: {id(9), id(8)},
		`{"limit":2,"channel":null,"tag":null,"event_types":null,"iterator":null,"before":null,"after":null}`: {id(9), id(8)},
		`{"limit":2,"iterator":"` + id(5) + `"}`:           {id(4), id(3)},
		`{"limit":2,"iterator":"-` + id(5) + `"}`:          {id(7), id(6)},
		`{"event_types":["type.0","type.1"],"limit":2}`:    {id(9), id(7)},
		`{"channel":"channel-1","event_types":["type.0"]}`: {id(9), id(3)},
		`{"tag":"tag/1"}`: {id(6), id(1)},
		`{"after":"` + day(2) + `","before":"` + day(5) + `"}`: {id(4), id(3)},
		`{"after":"` + day(2) + `","limit":2}`:                 {id(4), id(3)},
		`{"tag":"none"}`:                                       {},
	} {
		r := a.as(token, "POST", path, body)
		require.Equal(t, want, r.page(t).keys("id"), body)
		require.NotContains(t, r.body, "expired")
	}
	a.run(t, strings.NewReplacer(), []scenario{
		{name: "has no payloads unless asked", method: "POST", path: path, body: `{"limit":1}`, status: 200, contains: []string{`"payload":{}`, `"tags":["tag/4"]`, `"done":false`}},
		{name: "has 50 items at most unless told otherwise", method: "POST", path: path, body: `{}`, status: 200, contains: []string{`"done":true`}},
		{name: "has 250 items at most", method: "POST", path: path, body: `{"limit":251}`, status: 422, contains: []string{`"loc":["body","limit"]`}},
		{name: "has one item at least", method: "POST", path: path, body: `{"limit":0}`, status: 422},
		{name: "needs an iterator that is an id", method: "POST", path: path, body: `{"iterator":"msg_garbage"}`, status: 422, contains: []string{`"loc":["body","iterator"]`}},
		{name: "needs times that are some", method: "POST", path: path, body: `{"before":"yesterday"}`, status: 422, contains: []string{"before"}},
		{name: "needs names that are strings", method: "POST", path: path, body: `{"event_types":[1]}`, status: 422},
		{name: "has 500 event types at most", method: "POST", path: path, body: `{"event_types":["x"` + strings.Repeat(`,"x"`, 500) + `]}`, status: 422, contains: []string{`"loc":["body","event_types"]`}},
		{name: "may have 500 event types", method: "POST", path: path, body: `{"event_types":["x"` + strings.Repeat(`,"x"`, 499) + `]}`, status: 200},
		{name: "has a list with 500 event types at most too", method: "GET", path: "/app/" + a.app + "/msg?event_types=x" + strings.Repeat(",x", 500), status: 422, contains: []string{`"loc":["query","event_types"]`}},
		{name: "has a list that may have 500 event types too", method: "GET", path: "/app/" + a.app + "/msg?event_types=x" + strings.Repeat(",x", 499), status: 200},
		{name: "needs an application that exists", method: "POST", path: "/app/nope/msg/search", body: `{}`, status: 404},
	})
	t.Run("has payloads if asked", func(t *testing.T) {
		sent := a.message(a.app, `{"eventType":"e","payload":{"found":"me"}}`)
		for body, there := range map[string]bool{`{"with_content":true,"limit":1}`: true, `{"with_content":false,"limit":1}`: false} {
			r := a.do("POST", path, body)
			require.Equal(t, []string{sent}, r.page(t).keys("id"))
			require.Equal(t, there, strings.Contains(r.body, "found"))
		}
	})
}

func TestCountOfAttempts(t *testing.T) {
	t.Parallel()
	a := newArchive(t)
	day := func(i int) string { return url.QueryEscape(a.made(i).UTC().Format(time.RFC3339)) }
	path := a.byEndpoint() + "/count"
	for query, want := range map[string]int{
		"": 10, "status=0": 7, "status=2": 3, "status=1": 0, "status_code_class=500": 3, "status_code_class=200&status=2": 0,
		"channel=channel-1": 5, "tag=tag/1": 2, "event_types=type.0,type.1": 7, "event_types[]=type.0&status=2": 1,
		"after=" + day(7): 2, "before=" + day(2): 2, "channel=channel-0&status=2&before=" + day(8): 2,
	} {
		r := a.do("GET", path+"?"+query, "")
		require.Equal(t, http.StatusOK, r.status, r.body)
		require.JSONEq(t, fmt.Sprintf(`{"count":%d,"approximated":false}`, want), r.body, query)
	}
	a.run(t, strings.NewReplacer(), []scenario{
		{name: "of a status that doesn't exist", method: "GET", path: path + "?status=9", status: 422, contains: []string{`"loc":["query","status"]`}},
		{name: "at an endpoint that doesn't exist", method: "GET", path: "/app/" + a.app + "/attempt/endpoint/nope/count", status: 404},
	})
}

func TestCountOfAttemptsHasALimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	ep := b.endpoint(app, `{"url":"https://example.com"}`)
	r := store.Record{MessageID: b.message(app, `{"eventType":"e","payload":{}}`)}
	for range countLimit + 1 {
		r.Attempts = append(r.Attempts, posthorn.Attempt{ID: posthorn.AttemptID.New(), MessageID: r.MessageID, AppID: app, EndpointID: ep, EventType: "e", Success: len(r.Attempts) > 0, Status: 200})
	}
	_, err := b.store.Record(t.Context(), r)
	require.NoError(t, err)
	require.JSONEq(t, `{"count":10000,"approximated":true}`, b.do("GET", "/app/"+app+"/attempt/endpoint/"+ep+"/count", "").body)
	require.JSONEq(t, `{"count":10000,"approximated":false}`, b.do("GET", "/app/"+app+"/attempt/endpoint/"+ep+"/count?status=0", "").body)
}

func TestTags(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	path := "/app/" + app + "/msg"
	body := func(tags string) string { return `{"eventType":"e","payload":{},"tags":` + tags + `}` }
	id := b.message(app, body(`["a/b","#1\\2","a/b","x-_.Y"]`))
	b.run(t, strings.NewReplacer("{id}", id), []scenario{
		{name: "are in the answer", method: "POST", path: path, body: body(`["one"]`), status: 202, contains: []string{`"tags":["one"]`}},
		{name: "are kept once each", method: "GET", path: path + "/{id}", status: 200, contains: []string{`"tags":["a/b","#1\\2","x-_.Y"]`}},
		{name: "are listed", method: "GET", path: path + "?tag=a/b", status: 200, contains: []string{"{id}", `"tags":["a/b"`}},
		{name: "are left out if there are none", method: "POST", path: path, body: body(`[]`), status: 202, excludes: []string{"tags"}},
		{name: "may be null", method: "POST", path: path, body: body(`null`), status: 202, excludes: []string{"tags"}},
		{name: "are five at most", method: "POST", path: path, body: body(`["1","2","3","4","5","6"]`), status: 422, contains: []string{`"loc":["body","tags"]`}},
		{name: "can't be empty", method: "POST", path: path, body: body(`["a",""]`), status: 422, contains: []string{`"loc":["body","tags","1"]`}},
		{name: "can't have spaces", method: "POST", path: path, body: body(`["a b"]`), status: 422, contains: []string{`"loc":["body","tags","0"]`}},
		{name: "can't have other letters", method: "POST", path: path, body: body(`["é"]`), status: 422},
		{name: "have 128 characters at most", method: "POST", path: path, body: body(`["` + strings.Repeat("x", 129) + `"]`), status: 422, contains: []string{`"loc":["body","tags","0"]`}},
		{name: "may have 128 characters", method: "POST", path: path, body: body(`["` + strings.Repeat("x", 128) + `"]`), status: 202},
		{name: "are strings", method: "POST", path: path, body: body(`[1]`), status: 422},
	})
}
