package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/app"
)

// orderedEndpoint makes an endpoint that wants its messages in order.
func (b *bundle) orderedEndpoint(url string) string {
	b.t.Helper()
	status, answer := b.request(http.MethodPost, "/endpoint", fmt.Sprintf(`{"url":%q,"ordered":true}`, url))
	require.Equal(b.t, http.StatusCreated, status, "%s", answer)
	var out struct {
		ID      string
		Ordered bool
	}
	require.NoError(b.t, json.Unmarshal(answer, &out))
	require.True(b.t, out.Ordered)
	return out.ID
}

// sendKeyed posts an event with an ordering key.
func (b *bundle) sendKeyed(key string, n int) string {
	b.t.Helper()
	status, answer := b.request(http.MethodPost, "/msg", fmt.Sprintf(`{"eventType":"a","orderingKey":%q,"payload":{"key":%q,"n":%d}}`, key, key, n))
	require.Equal(b.t, http.StatusAccepted, status, "%s", answer)
	var out struct{ ID, OrderingKey string }
	require.NoError(b.t, json.Unmarshal(answer, &out))
	require.Equal(b.t, key, out.OrderingKey)
	return out.ID
}

// numbers are the n of what was received, by key.
func numbers(t *testing.T, requests []received) map[string][]int {
	t.Helper()
	found := map[string][]int{}
	for _, r := range requests {
		var payload struct {
			Key string
			N   int
		}
		require.NoError(t, json.Unmarshal(r.body, &payload))
		found[payload.Key] = append(found[payload.Key], payload.N)
	}
	return found
}

func upTo(n int) []int {
	var all []int
	for i := range n {
		all = append(all, i)
	}
	return all
}

func TestOrderedEndpoint(t *testing.T) {
	t.Parallel()

	t.Run("gets one message at a time, in the order of acceptance, however long each takes", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		var flying, most atomic.Int32
		rec := newReceiver(t, func(_ http.ResponseWriter, _ *http.Request, n int) {
			now := flying.Add(1)
			defer flying.Add(-1)
			if now > most.Load() {
				most.Store(now)
			}
			<-time.After(time.Duration(n%3) * 20 * time.Millisecond)
		})
		b.orderedEndpoint(rec.URL)
		const messages = 20
		for i := range messages {
			b.sendKeyed("", i)
		}
		require.Equal(t, upTo(messages), numbers(t, rec.wait(t, messages))[""])
		require.EqualValues(t, 1, most.Load())
	})

	t.Run("waits for one that fails, until that succeeds", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n <= 2 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		ep := b.orderedEndpoint(rec.URL)
		first, second, third := b.sendKeyed("", 0), b.sendKeyed("", 1), b.sendKeyed("", 2)
		require.Eventually(t, func() bool {
			_, waiting := b.held(ep)
			return waiting["order"] == 2
		}, patience, 10*time.Millisecond)
		for _, id := range []string{first, second, third} {
			b.waitState(id, posthorn.Delivered)
		}
		require.Equal(t, []int{0, 0, 0, 1, 2}, numbers(t, rec.all())[""])
		require.Len(t, b.attempts(third), 1, "waiting is no attempt")
	})

	t.Run("goes on when one is exhausted", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n <= 4 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		b.orderedEndpoint(rec.URL)
		first, second := b.sendKeyed("", 0), b.sendKeyed("", 1)
		b.waitState(first, posthorn.Failed)
		b.waitState(second, posthorn.Delivered)
		require.Equal(t, []int{0, 0, 0, 0, 1}, numbers(t, rec.all())[""])
	})

	t.Run("a key that is stuck does not stop the others, and other endpoints don't wait at all", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		var open atomic.Bool
		rec := newReceiver(t, nil)
		rec.Config.Handler = recording(rec, func(w http.ResponseWriter, body []byte) {
			if !open.Load() && slices.Contains([]string{`{"key":"stuck","n":0}`}, string(body)) {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		free := newReceiver(t, nil)
		ep := b.orderedEndpoint(rec.URL)
		b.endpoint(svix.EndpointIn{Url: free.URL})
		for i := range 5 {
			b.sendKeyed("stuck", i)
			b.sendKeyed("free", i)
		}
		free.wait(t, 10)
		require.Eventually(t, func() bool { return len(numbers(t, rec.all())["free"]) == 5 }, patience, 10*time.Millisecond)
		open.Store(true)
		require.Eventually(t, func() bool {
			got := numbers(t, rec.all())["stuck"]
			return len(got) > 0 && got[len(got)-1] == 4
		}, patience, 10*time.Millisecond)
		require.Equal(t, upTo(5), numbers(t, rec.all())["free"])
		require.Equal(t, upTo(5), slices.Compact(numbers(t, rec.all())["stuck"]))
		_, waiting := b.held(ep)
		require.Zero(t, waiting["order"])
	})

	t.Run("keeps the order through a pause", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, nil)
		ep := b.orderedEndpoint(rec.URL)
		b.change(http.MethodPost, ep, "/pause", "")
		for i := range 10 {
			b.sendKeyed("", i)
		}
		b.waitHeld(ep, 10)
		b.change(http.MethodPost, ep, "/resume", `{"rate":1000}`)
		require.Equal(t, upTo(10), numbers(t, rec.wait(t, 10))[""])
	})

	t.Run("a wrong key names the field", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		status, answer := b.request(http.MethodPost, "/msg", `{"eventType":"a","orderingKey":"a b","payload":{}}`)
		require.Equal(t, http.StatusUnprocessableEntity, status)
		require.Contains(t, string(answer), "orderingKey")
	})
}

// recording is a handler that notes each request like newReceiver's, and answers by the body.
func recording(rec *receiver, answer func(w http.ResponseWriter, body []byte)) http.HandlerFunc {
	noting := rec.Config.Handler
	return func(w http.ResponseWriter, r *http.Request) {
		noting.ServeHTTP(silent{w}, r)
		rec.mu.Lock()
		body := rec.requests[len(rec.requests)-1].body
		rec.mu.Unlock()
		answer(w, body)
	}
}

// silent keeps a handler from answering.
type silent struct{ http.ResponseWriter }

func (silent) WriteHeader(int) {}

func TestOrderSurvivesARestart(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	first, err := app.New(cfg, "", quiet())
	require.NoError(t, err)
	require.NoError(t, first.Start(t.Context()))
	b := setupOn(t, first)
	var open atomic.Bool
	rec := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		if !open.Load() {
			w.Header().Set("Retry-After", "3")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	b.orderedEndpoint(rec.URL)
	for i := range 6 {
		b.sendKeyed("", i)
	}
	rec.wait(t, 1)
	require.NoError(t, first.Close())
	open.Store(true)

	second, err := app.New(cfg, "", quiet())
	require.NoError(t, err)
	require.NoError(t, second.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, second.Close()) })
	b.app = second
	b.sendKeyed("", 6)
	require.Eventually(t, func() bool {
		got := numbers(t, rec.all())[""]
		return got[len(got)-1] == 6
	}, patience, 20*time.Millisecond)
	require.Equal(t, upTo(7), slices.Compact(numbers(t, rec.all())[""]))
}
