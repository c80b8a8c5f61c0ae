package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/posthorn/posthorn"
)

// sendMany posts events whose payloads are numbered, and returns their IDs.
func (b *bundle) sendMany(n int) []string {
	b.t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ids[i] = b.send("a", fmt.Sprintf(`{"n":%d}`, i))
	}
	return ids
}

// payloadNumbers are those of the events in the order in which they arrived.
func payloadNumbers(t *testing.T, requests []received) []int {
	t.Helper()
	found := make([]int, len(requests))
	for i, r := range requests {
		var event struct{ N int }
		require.NoError(t, json.Unmarshal(r.body, &event))
		found[i] = event.N
	}
	return found
}

// requireEach demands that each event arrived once.
func requireEach(t *testing.T, n int, requests []received) {
	t.Helper()
	want := make([]int, n)
	for i := range want {
		want[i] = i
	}
	require.ElementsMatch(t, want, payloadNumbers(t, requests))
}

// jitter is how long a request can take from its turn to its receiver on a machine that has much to do.
const jitter = time.Second

// requireRate demands of every stretch of time that no more arrived in it than the rate, and a second's worth of burst,
// allow.
func requireRate(t *testing.T, rate int, requests []received) {
	t.Helper()
	for i := range requests {
		for j := i; j < len(requests); j++ {
			allowed := float64(rate) * (requests[j].at.Sub(requests[i].at) + time.Second + jitter).Seconds()
			require.LessOrEqual(t, float64(j-i+1), allowed, "from the %d-th to the %d-th", i, j)
		}
	}
	least := time.Duration(len(requests)-rate) * time.Second / time.Duration(rate)
	require.GreaterOrEqual(t, requests[len(requests)-1].at.Sub(requests[0].at), least-jitter)
}

// requireOneAttempt demands that each message was delivered at the first attempt.
func (b *bundle) requireOneAttempt(ids []string) {
	b.t.Helper()
	for _, id := range ids {
		require.Equal(b.t, 1, b.waitState(id, posthorn.Delivered).Attempts)
	}
}

func (b *bundle) throttling(endpointID string) (status string, since *time.Time) {
	b.t.Helper()
	code, body := b.request(http.MethodGet, "/endpoint/"+endpointID+"/rate-limit-status", "")
	require.Equal(b.t, http.StatusOK, code, "%s", body)
	var out struct {
		Status         string
		ThrottledSince *time.Time
	}
	require.NoError(b.t, json.Unmarshal(body, &out))
	return out.Status, out.ThrottledSince
}

func TestEndpointWithRateLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n, perSecond = 40, 2
	rec := newReceiver(t, nil)
	ep := b.endpoint(svix.EndpointIn{Url: rec.URL, RateLimit: ptr(int32(perSecond))})
	status, since := b.throttling(ep.Id)
	require.Equal(t, "Ok", status)
	require.Nil(t, since)

	began := time.Now()
	ids := b.sendMany(n)
	status, since = b.throttling(ep.Id)
	require.Equal(t, "RateLimited", status)
	require.WithinRange(t, *since, began.Truncate(time.Millisecond), time.Now())

	requests := rec.wait(t, n)
	requireRate(t, perSecond, requests)
	for position, number := range payloadNumbers(t, requests) {
		require.InDelta(t, number, position, 10, "they come in the order in which they were accepted, as far as requests do")
	}
	b.requireOneAttempt(ids)
	requireEach(t, n, rec.all())
	require.Eventually(t, func() bool { status, _ = b.throttling(ep.Id); return status == "Ok" }, patience, 20*time.Millisecond)
}

func TestApplicationWithRateLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	code, body := b.request(http.MethodPatch, "", `{"throttleRate":10}`)
	require.Equal(t, http.StatusOK, code, "%s", body)
	rec := newReceiver(t, nil)
	for _, path := range []string{"/1", "/2", "/3"} {
		b.endpoint(svix.EndpointIn{Url: rec.URL + path})
	}
	ids := b.sendMany(20)
	requireRate(t, 10, rec.wait(t, 60))
	for _, id := range ids {
		require.Eventually(t, func() bool {
			for _, d := range b.destinations(id) {
				if d.State != posthorn.Delivered {
					return false
				}
			}
			return true
		}, patience, 20*time.Millisecond)
	}
	require.Len(t, rec.all(), 60)
}

func TestRetriesKeepTheRateLimit(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var seen sync.Map
	rec := newReceiver(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if _, again := seen.LoadOrStore(r.Header.Get("webhook-id"), true); !again {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	b.endpoint(svix.EndpointIn{Url: rec.URL, RateLimit: ptr(int32(5))})
	ids := b.sendMany(12)
	for _, id := range ids {
		require.Equal(t, 2, b.waitState(id, posthorn.Delivered).Attempts)
	}
	requireRate(t, 5, rec.all())
	require.Len(t, rec.all(), 24)
}

func TestRaisedRateLimitHoldsAtOnce(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]string{"raised": `{"throttleRate":1000}`, "removed": `{"throttleRate":null}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			rec := newReceiver(t, nil)
			ep := b.endpoint(svix.EndpointIn{Url: rec.URL, RateLimit: ptr(int32(1))})
			began := time.Now()
			const batches, size = 5, 50
			var ids []string
			for i := range batches {
				events := make([]string, size)
				for j := range events {
					events[j] = fmt.Sprintf(`{"eventType":"a","payload":{"n":%d}}`, i*size+j)
				}
				code, body := b.request(http.MethodPost, "/msg/batch", `{"messages":[`+strings.Join(events, ",")+`]}`)
				require.Equal(t, http.StatusAccepted, code, "%s", body)
				var out struct {
					Data []struct{ Message struct{ ID string } }
				}
				require.NoError(t, json.Unmarshal(body, &out))
				for _, item := range out.Data {
					ids = append(ids, item.Message.ID)
				}
			}
			// The last turn would come in more than four minutes, whoever has it.
			var latest time.Time
			for _, id := range ids {
				require.Eventually(t, func() bool {
					found := b.destinations(id)
					if len(found) == 1 && found[0].NextAttempt != nil && found[0].NextAttempt.After(latest) {
						latest = *found[0].NextAttempt
					}
					return len(found) == 1 && (found[0].NextAttempt != nil || found[0].State == posthorn.Delivered)
				}, 3*time.Minute, 20*time.Millisecond)
			}
			require.Greater(t, latest.Sub(began), 4*time.Minute)
			code, body := b.request(http.MethodPatch, "/endpoint/"+ep.Id, change)
			require.Equal(t, http.StatusOK, code, "%s", body)
			require.Eventually(t, func() bool { return len(rec.all()) >= batches*size }, 3*time.Minute, 20*time.Millisecond)
			requireEach(t, batches*size, rec.all())
		})
	}
}

func TestRecoveryKeepsTheLimits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var down atomic.Bool
	down.Store(true)
	counting, most := countFlights(50 * time.Millisecond)
	rec := newReceiver(t, func(w http.ResponseWriter, r *http.Request, nth int) {
		if down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		counting(w, r, nth)
	})
	ep := b.endpoint(svix.EndpointIn{Url: rec.URL})
	began := time.Now()
	const n = 9 // too few to open the circuit
	ids := b.sendMany(n)
	for _, id := range ids {
		b.waitState(id, posthorn.Failed)
	}
	down.Store(false)
	failed := len(rec.all())
	code, body := b.request(http.MethodPatch, "/endpoint/"+ep.Id, `{"throttleRate":5,"maxInFlight":1}`)
	require.Equal(t, http.StatusOK, code, "%s", body)
	code, body = b.request(http.MethodPost, "/endpoint/"+ep.Id+"/recover", fmt.Sprintf(`{"since":%q}`, began.UTC().Format(time.RFC3339)))
	require.Equal(t, http.StatusAccepted, code, "%s", body)
	for _, id := range ids {
		b.waitState(id, posthorn.Delivered)
	}
	recovered := rec.all()[failed:]
	requireEach(t, n, recovered)
	requireRate(t, 5, recovered)
	require.EqualValues(t, 1, most.Load())
}

func TestEndpointWithLimitOfRequestsUnderWay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	answer, most := countFlights(100 * time.Millisecond)
	rec := newReceiver(t, answer)
	const n = 40
	ep := b.endpoint(svix.EndpointIn{Url: rec.URL})
	code, body := b.request(http.MethodPatch, "/endpoint/"+ep.Id, `{"maxInFlight":2}`)
	require.Equal(t, http.StatusOK, code, "%s", body)
	ids := b.sendMany(n)
	b.requireOneAttempt(ids)
	requireEach(t, n, rec.all())
	require.EqualValues(t, 2, most.Load())
}

func TestRemovedLimitOfRequestsUnderWayHoldsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stuck := make(chan struct{})
	rec := newReceiver(t, func(_ http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			select {
			case <-stuck:
			case <-r.Context().Done():
			}
		}
	})
	ep := b.endpoint(svix.EndpointIn{Url: rec.URL})
	code, _ := b.request(http.MethodPatch, "/endpoint/"+ep.Id, `{"maxInFlight":1}`)
	require.Equal(t, http.StatusOK, code)
	ids := b.sendMany(1)
	rec.wait(t, 1) // it is the one that gets stuck
	ids = append(ids, b.sendMany(4)...)
	for _, id := range ids[1:] {
		require.Eventually(t, func() bool {
			d := b.destinations(id)
			return len(d) == 1 && strings.Contains(d[0].Reason, "at the same time are limited to 1")
		}, patience, 20*time.Millisecond)
	}
	code, _ = b.request(http.MethodPatch, "/endpoint/"+ep.Id, `{"maxInFlight":null}`)
	require.Equal(t, http.StatusOK, code)
	b.requireOneAttempt(ids[1:])
	close(stuck)
	b.requireOneAttempt(ids[:1])
}

// countFlights answers after a while, and counts how many requests it has at once.
func countFlights(takes time.Duration) (answer func(http.ResponseWriter, *http.Request, int), most *atomic.Int32) {
	var now atomic.Int32
	most = new(atomic.Int32)
	return func(http.ResponseWriter, *http.Request, int) {
		n := now.Add(1)
		defer now.Add(-1)
		for before := most.Load(); n > before && !most.CompareAndSwap(before, n); before = most.Load() {
		}
		<-time.After(takes)
	}, most
}

func ptr[T any](v T) *T { return &v }
