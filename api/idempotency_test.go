package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlite"
)

// keyed calls the API with an Idempotency-Key.
func (b *bundle) keyed(key, method, path, body string) reply {
	b.t.Helper()
	return b.with(http.Header{"Authorization": {"Bearer " + b.org}, keyHeader: {key}}, method, path, body)
}

func (r reply) replayed() bool { return r.header.Get(replayedHeader) == "true" }

// replica is another server on the same database, as another process would be.
func (b *bundle) replica(t testing.TB, change func(*Options)) *bundle {
	t.Helper()
	return b.replicaThatWaits(t, 30*time.Second, change)
}

// replicaThatWaits is a replica that waits so long for what another one executes.
func (b *bundle) replicaThatWaits(t testing.TB, wait time.Duration, change func(*Options)) *bundle {
	t.Helper()
	o := Options{Store: b.store, Dispatcher: b.dispatcher, Tokens: b.tokens, Logger: newLogger(b.log)}
	if change != nil {
		change(&o)
	}
	server, err := New(o)
	require.NoError(t, err)
	server.open.wait = wait
	listener := httptest.NewServer(server.Handler())
	t.Cleanup(listener.Close)
	c := b.in(t)
	c.url = listener.URL
	return c
}

// later has a server live in the future.
func later(d time.Duration) func(*Options) {
	return func(o *Options) { o.Now = func() time.Time { return time.Now().Add(d) } }
}

func (b *bundle) count(path string) int {
	b.t.Helper()
	return len(b.do("GET", path, "").page(b.t).Data)
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app, other := b.application(), b.application()

	t.Run("gets the first answer again, and nothing is done twice", func(t *testing.T) {
		b := b.in(t)
		first := b.keyed("k1", "POST", "/app", `{"name":"One"}`)
		require.Equal(t, 201, first.status, first.body)
		require.False(t, first.replayed())
		before := b.count("/app")
		for range 2 {
			again := b.keyed("k1", "POST", "/app", `{"name":"One"}`)
			require.Equal(t, first.status, again.status)
			require.Equal(t, first.body, again.body)
			require.Equal(t, first.header.Get("Content-Type"), again.header.Get("Content-Type"))
			require.True(t, again.replayed())
			require.NotEqual(t, first.header.Get(requestIDHeader), again.header.Get(requestIDHeader))
		}
		require.Equal(t, before, b.count("/app"))
	})
	t.Run("gets an answer without a body again", func(t *testing.T) {
		b := b.in(t)
		ep := b.endpoint(app, `{"url":"https://example.com"}`)
		path := "/app/" + app + "/endpoint/" + ep + "/secret"
		for i := range 2 {
			r := b.keyed("k2", "POST", path+"/rotate", `{}`)
			require.Equal(t, 204, r.status, r.body)
			require.Empty(t, r.body)
			require.Equal(t, i == 1, r.replayed())
		}
		e, err := b.store.Endpoint(t.Context(), app, ep)
		require.NoError(t, err)
		require.Len(t, e.Secrets, 2, "rotated once")
	})
	t.Run("with another body or query is refused", func(t *testing.T) {
		b := b.in(t)
		require.Equal(t, 201, b.keyed("k3", "POST", "/app", `{"name":"Three","uid":"three"}`).status)
		for _, changed := range []reply{
			b.keyed("k3", "POST", "/app", `{"name":"Three", "uid":"three"}`),
			b.keyed("k3", "POST", "/app?get_if_exists=true", `{"name":"Three","uid":"three"}`),
		} {
			require.Equal(t, 422, changed.status, changed.body)
			require.Contains(t, changed.body, `"loc":["header","idempotency-key"]`)
			require.Contains(t, changed.body, "another body or query")
			require.NotContains(t, changed.body, "k3")
		}
		require.Equal(t, 422, func() int {
			path := "/app/" + app + "/msg"
			require.Equal(t, 202, b.keyed("k4", "POST", path, `{"eventType":"e","payload":{"a":1}}`).status)
			return b.keyed("k4", "POST", path, `{"eventType":"e","payload":{"a":2}}`).status
		}())
	})
	t.Run("belongs to its path and its caller", func(t *testing.T) {
		b := b.in(t)
		body := `{"url":"https://example.com/x"}`
		ids := map[string]bool{}
		tokens := []string{b.org}
		limited, err := b.tokens.Application(posthorn.DefaultOrg, app)
		require.NoError(t, err)
		foreign, err := b.tokens.Organisation("org_other")
		require.NoError(t, err)
		for _, token := range append(tokens, limited) {
			for range 2 {
				r := b.with(http.Header{"Authorization": {"Bearer " + token}, keyHeader: {"k5"}}, "POST", "/app/"+app+"/endpoint", body)
				require.Equal(t, 201, r.status, r.body)
				ids[r.field(t, "id")] = true
			}
		}
		require.Len(t, ids, 2)
		require.Equal(t, 201, b.keyed("k5", "POST", "/app/"+other+"/endpoint", body).status)
		require.Equal(t, 404, b.with(http.Header{"Authorization": {"Bearer " + foreign}, keyHeader: {"k5"}}, "POST", "/app/"+app+"/endpoint", body).status)
		require.Equal(t, 401, b.with(http.Header{keyHeader: {"k5"}}, "POST", "/app/"+app+"/endpoint", body).status, "a key is no token")
		r := b.keyed("k5", "POST", "/app/"+app+"/endpoint/", body)
		require.True(t, r.replayed(), "a slash at the end makes no other path")
	})
	t.Run("means nothing to other methods", func(t *testing.T) {
		b := b.in(t)
		for _, name := range []string{"A", "B"} {
			r := b.keyed("k6", "PATCH", "/app/"+app, `{"name":"`+name+`"}`)
			require.Equal(t, 200, r.status)
			require.Equal(t, name, r.field(t, "name"))
		}
	})
	t.Run("is free again after a refusal or a failure", func(t *testing.T) {
		b := b.in(t)
		require.Equal(t, 422, b.keyed("k7", "POST", "/app", `{"name":""}`).status)
		require.Equal(t, 422, b.keyed("k7", "POST", "/app", `not JSON`).status)
		require.Equal(t, 201, b.keyed("k7", "POST", "/app", `{"name":"Seven"}`).status)
		require.Equal(t, 404, b.keyed("k8", "POST", "/app/nope/msg", `{"eventType":"e","payload":{}}`).status)

		ep, m := b.endpoint(app, `{"url":"https://example.com"}`), b.message(app, `{"eventType":"e","payload":{}}`)
		resend := "/app/" + app + "/msg/" + m + "/endpoint/" + ep + "/resend"
		b.dispatcher.fail(posthorn.Errorf(posthorn.Unavailable, "away"))
		require.Equal(t, 503, b.keyed("k9", "POST", resend, "").status)
		b.dispatcher.fail(nil)
		require.False(t, b.keyed("k9", "POST", resend, "").replayed())
		require.True(t, b.keyed("k9", "POST", resend, "").replayed())
	})
	t.Run("is 1 to 256 visible characters", func(t *testing.T) {
		b := b.in(t)
		for key, want := range map[string]int{
			"": 422, "a b": 422, "a\tb": 422, "é": 422, strings.Repeat("x", 257): 422, strings.Repeat("x", 256): 201, "!~": 201, "auto_0194": 201,
		} {
			r := b.keyed(key, "POST", "/app", `{"name":"Key"}`)
			require.Equal(t, want, r.status, "%q: %s", key, r.body)
			if want == 422 {
				require.Contains(t, r.body, `"loc":["header","idempotency-key"]`)
			}
		}
		r := b.with(http.Header{"Authorization": {"Bearer " + b.org}, keyHeader: {"a", "b"}}, "POST", "/app", `{"name":"Key"}`)
		require.Equal(t, 422, r.status)
	})
	t.Run("ends with a day", func(t *testing.T) {
		b := b.in(t)
		first := b.keyed("k10", "POST", "/app", `{"name":"Ten"}`).field(t, "id")
		message := `{"eventType":"e","payload":{}}`
		sent := b.keyed("k10", "POST", "/app/"+app+"/msg", message).field(t, "id")
		soon, tomorrow := b.replica(t, later(answerLife-time.Minute)), b.replica(t, later(answerLife+time.Minute))
		require.Equal(t, first, soon.keyed("k10", "POST", "/app", `{"name":"Ten"}`).field(t, "id"))
		require.Equal(t, sent, soon.keyed("k10", "POST", "/app/"+app+"/msg", message).field(t, "id"))
		require.Equal(t, 201, tomorrow.keyed("k10", "POST", "/app", `{"name":"Another"}`).status)
		require.NotEqual(t, sent, tomorrow.keyed("k10", "POST", "/app/"+app+"/msg", message).field(t, "id"))
	})
	t.Run("opens the answer that the database keeps, and nothing else does", func(t *testing.T) {
		b := b.in(t)
		first := b.keyed("k11", "POST", "/app", `{"name":"hidden-name"}`)
		found, err := b.store.Claim(t.Context(), digest(posthorn.DefaultOrg, "", "POST", basePath+"/app", "k11"), time.Now())
		require.NoError(t, err)
		require.True(t, found.Answered())
		for _, hidden := range []string{"hidden-name", first.field(t, "id"), "Content-Type"} {
			require.NotContains(t, string(found.Answer), hidden)
		}
		require.NotContains(t, b.log.String(), "k11")
	})
	t.Run("is understood by every POST, and documented there", func(t *testing.T) {
		b := b.in(t)
		document := b.as("", "GET", "/openapi.json", "").body
		n := 0
		for _, route := range (&Server{}).routes() {
			if route.method == post && route.scope != public {
				n++
				path := strings.NewReplacer("{", "", "}", "").Replace(route.path)
				r := b.keyed("not visible", "POST", path, `{}`)
				require.Equal(t, 422, r.status, route.id)
				require.Contains(t, r.body, "idempotency-key", route.id)
			}
		}
		require.GreaterOrEqual(t, strings.Count(document, `"name":"idempotency-key"`), n)
	})
}

func TestIdempotencyKeyOfAMessage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	path := "/app/" + app + "/msg"
	body := `{"eventType":"e","payload":{"a": 1}}`

	t.Run("stores and begins one message", func(t *testing.T) {
		b := b.in(t)
		before := len(b.dispatcher.startedMessages())
		first := b.keyed("m1", "POST", path, body)
		require.Equal(t, 202, first.status, first.body)
		again := b.keyed("m1", "POST", path, body)
		require.Equal(t, first.status, again.status)
		require.Equal(t, first.body, again.body)
		require.False(t, first.replayed())
		require.True(t, again.replayed())
		require.Len(t, b.dispatcher.startedMessages(), before+1)
		require.NotEqual(t, first.field(t, "id"), b.keyed("m2", "POST", path, body).field(t, "id"))
	})
	t.Run("keeps no copy of the payload", func(t *testing.T) {
		b := b.in(t)
		id := b.keyed("m3", "POST", path, body).field(t, "id")
		require.NoError(t, b.store.ExpungePayload(t.Context(), app, id))
		again := b.keyed("m3", "POST", path, body)
		require.Equal(t, id, again.field(t, "id"))
		require.Contains(t, again.body, `{"expired":true}`)
	})
	t.Run("answers as before, whatever has become of the application", func(t *testing.T) {
		b := b.in(t)
		gone := b.must(201, "POST", "/app", `{"name":"Gone"}`)
		first := b.keyed("m4", "POST", "/app/"+gone+"/msg", body)
		b.must(204, "DELETE", "/app/"+gone, "")
		require.Equal(t, first.body, b.keyed("m4", "POST", "/app/"+gone+"/msg", body).body)
		require.Equal(t, 404, b.keyed("m5", "POST", "/app/"+gone+"/msg", body).status)
	})
	t.Run("after a conflict is free for another event id", func(t *testing.T) {
		b := b.in(t)
		event := func(id string) string { return `{"eventType":"e","eventId":"` + id + `","payload":{}}` }
		require.Equal(t, 202, b.keyed("m6", "POST", path, event("evt-1")).status)
		require.True(t, b.keyed("m6", "POST", path, event("evt-1")).replayed(), "no conflict with itself")
		require.Equal(t, 409, b.keyed("m7", "POST", path, event("evt-1")).status)
		require.Equal(t, 409, b.keyed("m7", "POST", path, event("evt-1")).status)
		require.Equal(t, 202, b.keyed("m7", "POST", path, event("evt-2")).status)
	})
	t.Run("that could not begin names the same message when it can", func(t *testing.T) {
		b := b.in(t)
		before := b.count(path)
		b.dispatcher.fail(posthorn.Errorf(posthorn.Unavailable, "away"))
		for range 2 {
			require.Equal(t, 503, b.keyed("m8", "POST", path, body).status)
		}
		b.dispatcher.fail(nil)
		first := b.keyed("m8", "POST", path, body)
		require.Equal(t, 202, first.status)
		require.False(t, first.replayed())
		again := b.keyed("m8", "POST", path, body)
		require.True(t, again.replayed())
		require.Equal(t, first.body, again.body)
		require.Equal(t, before+1, b.count(path))
	})
	t.Run("that takes up a message left behind is settled with it", func(t *testing.T) {
		b := b.in(t)
		event := `{"eventType":"e","eventId":"evt-left","payload":{}}`
		b.dispatcher.fail(posthorn.Errorf(posthorn.Unavailable, "away"))
		require.Equal(t, 503, b.do("POST", path, event).status)
		b.dispatcher.fail(nil)
		first := b.keyed("m9", "POST", path, event)
		require.Equal(t, 202, first.status)
		require.Equal(t, first.body, b.keyed("m9", "POST", path, event).body)
		require.Equal(t, 409, b.do("POST", path, event).status)
	})
	t.Run("whose process died after it was stored makes no second one", func(t *testing.T) {
		b := b.in(t)
		before := b.count(path)
		dying := b.replica(t, func(o *Options) { o.Dispatcher = broken{func() error { panic("the end") }} })
		require.Equal(t, 500, dying.keyed("m10", "POST", path, body).status)
		require.Equal(t, before+1, b.count(path))
		first := b.keyed("m10", "POST", path, body)
		require.Equal(t, 202, first.status)
		started := b.dispatcher.startedMessages()
		require.Equal(t, first.field(t, "id"), started[len(started)-1].ID)
		require.Equal(t, before+1, b.count(path))
	})
}

// gated is a dispatcher that begins nothing before it may.
type gated struct {
	*fakeTemporal
	reached, open chan struct{}
}

func newGated(f *fakeTemporal) *gated {
	return &gated{fakeTemporal: f, reached: make(chan struct{}, 100), open: make(chan struct{})}
}

func (g *gated) Resend(ctx context.Context, m posthorn.Message, ep string) error {
	g.reached <- struct{}{}
	<-g.open
	return g.fakeTemporal.Resend(ctx, m, ep)
}

func (g *gated) Start(ctx context.Context, m posthorn.Message) error {
	g.reached <- struct{}{}
	<-g.open
	return g.fakeTemporal.Start(ctx, m)
}

func TestIdempotencyKeyAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	ep, m := b.endpoint(app, `{"url":"https://example.com"}`), b.message(app, `{"eventType":"e","payload":{}}`)
	resend := "/app/" + app + "/msg/" + m + "/endpoint/" + ep + "/resend"
	path := "/app/" + app + "/msg"
	body := `{"eventType":"e","payload":{"a":1}}`
	together := func(n int, call func(i int) reply) []reply {
		replies := make([]reply, n)
		var calls sync.WaitGroup
		for i := range n {
			calls.Go(func() { replies[i] = call(i) })
		}
		calls.Wait()
		return replies
	}
	requireOne := func(t *testing.T, replies []reply, status int) {
		t.Helper()
		first := 0
		for _, r := range replies {
			require.Equal(t, status, r.status, r.body)
			require.Equal(t, replies[0].body, r.body)
			if !r.replayed() {
				first++
			}
		}
		require.Equal(t, 1, first)
	}

	t.Run("those of one process wait for the first and get its answer", func(t *testing.T) {
		b := b.in(t)
		requireOne(t, together(20, func(int) reply { return b.keyed("c1", "POST", "/app", `{"name":"At once"}`) }), 201)
		requireOne(t, together(20, func(int) reply { return b.keyed("c1", "POST", path, body) }), 202)

		gate := newGated(b.dispatcher)
		slow := b.replica(t, func(o *Options) { o.Dispatcher = gate })
		done := make(chan []reply)
		go func() { done <- together(5, func(int) reply { return slow.keyed("c2", "POST", resend, "") }) }()
		<-gate.reached
		select {
		case <-done:
			t.Fatal("nobody may be answered before the first")
		case <-time.After(50 * time.Millisecond):
		}
		close(gate.open)
		requireOne(t, <-done, 202)
		require.Empty(t, gate.reached, "it was executed once")
	})
	t.Run("those of several processes too", func(t *testing.T) {
		b := b.in(t)
		replicas := []*bundle{b.replica(t, nil), b.replica(t, nil), b.replica(t, nil)}
		before := b.count(path + "?limit=250")
		requireOne(t, together(30, func(i int) reply { return replicas[i%3].keyed("c3", "POST", "/app", `{"name":"Everywhere"}`) }), 201)
		replies := together(30, func(i int) reply { return replicas[i%3].keyed("c3", "POST", path, body) })
		for _, r := range replies {
			require.Equal(t, 202, r.status, r.body)
			require.Equal(t, replies[0].field(t, "id"), r.field(t, "id"))
		}
		require.Equal(t, before+1, b.count(path+"?limit=250"))
		event := `{"eventType":"e","eventId":"evt-everywhere","payload":{}}`
		for _, r := range together(30, func(i int) reply { return replicas[i%3].keyed("c4", "POST", path, event) }) {
			require.Equal(t, 202, r.status, r.body)
		}
	})
	t.Run("who waits for another process gets its answer, or is asked to come again", func(t *testing.T) {
		b := b.in(t)
		gate := newGated(b.dispatcher)
		slow := b.replica(t, func(o *Options) { o.Dispatcher = gate })
		hasty := b.replicaThatWaits(t, 200*time.Millisecond, nil)
		first, second := make(chan reply, 1), make(chan reply, 1)
		go func() { first <- slow.keyed("c5", "POST", resend, "") }()
		<-gate.reached
		r := hasty.keyed("c5", "POST", resend, "")
		require.Equal(t, 503, r.status)
		require.NotEmpty(t, r.header.Get("Retry-After"))
		require.Equal(t, 422, hasty.keyed("c5", "POST", resend, "{}").status, "another body need not wait")
		go func() { second <- b.keyed("c5", "POST", resend, "") }()
		close(gate.open)
		require.Equal(t, 202, (<-first).status)
		r = <-second
		require.Equal(t, 202, r.status)
		require.True(t, r.replayed())
	})
	t.Run("the request of a process that died is executed once its lease is over", func(t *testing.T) {
		b := b.in(t)
		claim := store.Claim{
			ID: digest(posthorn.DefaultOrg, "", "POST", basePath+"/app", "c6"), Fingerprint: digest("", `{"name":"Orphan"}`),
			Owner: "the dead", CreatedAt: time.Now(), ExpiresAt: time.Now().Add(claimLease),
		}
		require.NoError(t, b.store.CreateClaim(t.Context(), claim))
		require.Equal(t, 503, b.replicaThatWaits(t, 200*time.Millisecond, nil).keyed("c6", "POST", "/app", `{"name":"Orphan"}`).status)
		heir := b.replica(t, later(claimLease))
		first := heir.keyed("c6", "POST", "/app", `{"name":"Orphan"}`)
		require.Equal(t, 201, first.status, first.body)
		require.Equal(t, first.body, heir.keyed("c6", "POST", "/app", `{"name":"Orphan"}`).body)
	})
	t.Run("a caller that hangs up finds the answer when it comes back", func(t *testing.T) {
		b := b.in(t)
		gate := newGated(b.dispatcher)
		slow := b.replica(t, func(o *Options) { o.Dispatcher = gate })
		ctx, hangUp := context.WithCancel(t.Context())
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, slow.url+basePath+path, strings.NewReader(body))
		require.NoError(t, err)
		request.Header = http.Header{"Authorization": {"Bearer " + b.org}, keyHeader: {"c7"}}
		ended := make(chan error, 1)
		go func() {
			_, err := http.DefaultClient.Do(request)
			ended <- err
		}()
		<-gate.reached
		hangUp()
		require.Error(t, <-ended)
		close(gate.open)
		r := slow.keyed("c7", "POST", path, body)
		require.Equal(t, 202, r.status, r.body)
		require.True(t, r.replayed())
	})
}

func TestIdempotencyKeySurvivesARestart(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "posthorn.db")
	start := func() *bundle {
		db, err := sqlite.Open(t.Context(), sqlite.Options{Path: file, Durability: sqlite.Normal})
		require.NoError(t, err)
		b := setup(t)
		b.store = db
		return b.replica(t, nil)
	}
	b := start()
	app := b.keyed("r1", "POST", "/app", `{"name":"Before"}`)
	path := "/app/" + app.field(t, "id") + "/msg"
	m := b.keyed("r1", "POST", path, `{"eventType":"e","payload":{"n":1}}`)
	require.NoError(t, b.store.Close())
	b = start()
	for _, r := range []struct {
		first, again reply
	}{
		{app, b.keyed("r1", "POST", "/app", `{"name":"Before"}`)},
		{m, b.keyed("r1", "POST", path, `{"eventType":"e","payload":{"n":1}}`)},
	} {
		require.Equal(t, r.first.status, r.again.status)
		require.Equal(t, r.first.body, r.again.body)
	}
	require.NoError(t, b.store.Close())
}

// BenchmarkCreateMessage compares requests with and without a key, as many callers at once send them.
func BenchmarkCreateMessage(b *testing.B) {
	for _, with := range []string{"without a key", "with a key"} {
		b.Run(with, func(tb *testing.B) {
			api := setup(tb)
			api = api.replica(tb, func(o *Options) { o.Dispatcher = broken{func() error { return nil }} })
			path := "/app/" + api.application() + "/msg"
			body := `{"eventType":"order.created","payload":{"text":"` + strings.Repeat("x", 400) + `"}}`
			var n atomic.Int64
			tb.SetParallelism(32)
			tb.ReportAllocs()
			used := cpuTime(tb)
			tb.ResetTimer()
			tb.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					header := http.Header{"Authorization": {"Bearer " + api.org}}
					if with == "with a key" {
						header.Set(keyHeader, fmt.Sprintf("auto_%d", n.Add(1)))
					}
					if r := api.with(header, "POST", path, body); r.status != 202 {
						tb.Errorf("%d %s", r.status, r.body)
						return
					}
				}
			})
			tb.ReportMetric(float64(tb.N)/tb.Elapsed().Seconds(), "messages/s")
			tb.ReportMetric(float64(cpuTime(tb)-used)/float64(time.Microsecond)/float64(tb.N), "cpu-µs/op")
		})
	}
}

// cpuTime is what the process has used: on a machine with other work it tells more than the time that has passed.
func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	require.NoError(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// claimCounter counts the writes that a request with a key may cost.
type claimCounter struct {
	store.Store
	messages, claims atomic.Int32
}

func (s *claimCounter) CreateMessages(ctx context.Context, ms []posthorn.Message, c *store.Claim) ([]error, error) {
	s.messages.Add(1)
	return s.Store.CreateMessages(ctx, ms, c)
}

func (s *claimCounter) CreateClaim(ctx context.Context, c store.Claim) error {
	s.claims.Add(1)
	return s.Store.CreateClaim(ctx, c)
}

func (s *claimCounter) AnswerClaim(ctx context.Context, c store.Claim) error {
	s.claims.Add(1)
	return s.Store.AnswerClaim(ctx, c)
}

func (s *claimCounter) DropClaim(ctx context.Context, c store.Claim) error {
	s.claims.Add(1)
	return s.Store.DropClaim(ctx, c)
}

func TestAKeyCostsAMessageNoCommit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	counting := &claimCounter{Store: b.store}
	c := b.replica(t, func(o *Options) { o.Store = counting })
	for range 2 { // the second is a repetition
		require.Equal(t, 202, c.keyed("k", "POST", "/app/"+app+"/msg", `{"eventType":"e","payload":{}}`).status)
		require.Equal(t, 202, c.keyed("k", "POST", "/app/"+app+"/msg/batch", batchOf(numbered(10)...)).status)
		require.EqualValues(t, 2, counting.messages.Load())
		require.Zero(t, counting.claims.Load())
	}
	require.Equal(t, 201, c.keyed("k", "POST", "/app", `{"name":"n"}`).status)
	require.EqualValues(t, 2, counting.claims.Load(), "other requests have their claim written before, and the answer after")
}
