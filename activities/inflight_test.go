package activities_test

import (
	"cmp"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
)

// hanging is a receiver that takes requests and answers none until it is released.
type hanging struct {
	url     string
	count   atomic.Int32
	status  atomic.Int32 // of the answers; 0: 200
	release func()
}

func newHanging(t *testing.T) *hanging {
	t.Helper()
	released := make(chan struct{})
	h := &hanging{release: sync.OnceFunc(func() { close(released) })}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h.count.Add(1)
		<-released
		w.WriteHeader(cmp.Or(int(h.status.Load()), http.StatusOK))
	}))
	t.Cleanup(s.Close)
	t.Cleanup(h.release)
	h.url = s.URL
	return h
}

func TestHangingReceiversHoldNoMoreThanTheirShare(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Minute)
	b.PerEndpoint, b.PerApplication = 3, 5
	now := time.Now()
	var later atomic.Int64
	b.Now = func() time.Time { return now.Add(time.Duration(later.Load())) }

	first, second := newHanging(t), newHanging(t)
	stuck := b.endpoint(first.url)
	b.endpoint(second.url)
	var messages []posthorn.Message
	for range 10 {
		m := b.message()
		messages = append(messages, m)
		require.Len(t, b.fastLane(m).Open, 2)
	}
	require.LessOrEqual(t, first.count.Load(), int32(3))
	require.LessOrEqual(t, second.count.Load(), int32(3))
	require.EqualValues(t, 2, first.count.Load()+second.count.Load(), "of the first message; the next ones skip the fast lane")

	// Each of these is a run of its own that would hold a slot of the worker for as long as the receiver hangs.
	var runs sync.WaitGroup
	for _, m := range messages[1:3] {
		runs.Go(func() { _, _ = b.durableLane(m, stuck, 0) })
	}
	require.Eventually(t, func() bool { return first.count.Load() == 3 }, 30*time.Second, time.Millisecond)
	for _, m := range messages[3:] {
		_, err := b.durableLane(m, stuck, 0)
		require.Equal(t, activities.ErrorWaiting, appError(t, err).Type())
		require.GreaterOrEqual(t, appError(t, err).NextRetryDelay(), time.Second/2)
		d := b.delivery(m, stuck)
		require.Equal(t, posthorn.WaitFlight, d.Waits)
		require.Equal(t, posthorn.Pending, d.State)
		require.Zero(t, d.Attempts)
	}
	require.EqualValues(t, 3, first.count.Load())

	t.Run("others are sent to", func(t *testing.T) {
		other := *b
		other.t, other.appID = t, posthorn.ApplicationID.New()
		require.NoError(t, b.store.CreateApplication(t.Context(), posthorn.Application{
			ID: other.appID, OrgID: posthorn.DefaultOrg, Name: "other", CreatedAt: now, UpdatedAt: now,
		}))
		url, count := receiver(t, func(n int32) int { return 500 - 300*int(n-1) })
		ep, m := other.endpoint(url), other.message()
		require.Len(t, other.fastLane(m).Open, 1)
		later.Add(int64(2 * time.Minute))
		sent, err := other.durableLane(m, ep, 1)
		require.NoError(t, err)
		require.Equal(t, posthorn.Delivered, sent.State)
		require.EqualValues(t, 2, count.Load())
	})
	t.Run("what waits is called in when there is room, the oldest first", func(t *testing.T) {
		first.release()
		runs.Wait()
		woken := func() []string {
			b.starter.mu.Lock()
			defer b.starter.mu.Unlock()
			return slices.Clone(b.starter.woken)
		}
		for i, m := range messages[3:] {
			require.Eventually(t, func() bool { return len(woken()) > i }, 30*time.Second, time.Millisecond)
			require.Equal(t, m.ID, woken()[i])
			sent, err := b.durableLane(m, stuck, 0)
			require.NoError(t, err)
			require.Equal(t, activities.SendToEndpointResult{State: posthorn.Delivered, Attempts: 1}, sent)
		}
	})
}

// What finds no room waits in the database only: no activity is opened for it.
func TestNewMessagesForHangingReceiversWaitInTheDatabase(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Minute)
	b.PerEndpoint, b.PerApplication = 1, 2
	h := newHanging(t)
	ep := b.endpoint(h.url)
	open := b.message()
	require.Len(t, b.fastLane(open).Open, 1)
	for range 3 {
		m := b.message()
		for range 2 { // once more after a crash
			require.Equal(t, activities.SendToAllResult{Endpoints: 1, Held: 1}, b.fastLane(m))
			d := b.delivery(m, ep)
			require.Equal(t, posthorn.WaitFlight, d.Waits)
			require.Equal(t, posthorn.Pending, d.State)
			require.False(t, d.NextAt.IsZero(), "the sweep finds it, should this process end")
		}
	}
	require.EqualValues(t, 1, h.count.Load())
}
