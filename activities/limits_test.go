package activities_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/internal/routing"
	"github.com/posthorn/posthorn/internal/store"
)

// limit sets the limits of an endpoint.
func (b *bundle) limit(ep posthorn.Endpoint, rate, flights int) posthorn.Endpoint {
	b.t.Helper()
	ep, err := b.store.UpdateEndpoint(b.t.Context(), b.appID, ep.ID, func(e *posthorn.Endpoint) error {
		e.ThrottleRate, e.MaxInFlight = rate, flights
		return nil
	})
	require.NoError(b.t, err)
	return ep
}

// at sets the clock.
func (b *bundle) at(now time.Time) { b.Now = func() time.Time { return now } }

// replica is another process on the same database.
func (b *bundle) replica() *activities.Activities {
	o := b.Options
	o.Routes, o.Accepted, o.Wakes, o.Logger = routing.New(b.store.Store), activities.NewAccepted(), nil, slog.New(slog.DiscardHandler)
	other := activities.New(o)
	b.t.Cleanup(func() { other.Close(context.Background()) })
	return other
}

func TestProcessesShareALimit(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Minute)
	url, count := receiver(t, status(200))
	ep := b.limit(b.endpoint(url), 4, 0)
	began := time.Now().UTC().Truncate(time.Microsecond)
	b.at(began)
	other := b.replica()

	var ms []posthorn.Message
	for n := range 12 {
		m := b.message()
		ms = append(ms, m)
		process := []*activities.Activities{b.Activities, other}[n%2]
		result, err := process.SendToAll(t.Context(), activities.SendToAllInput{MessageID: m.ID})
		require.NoError(t, err)
		if n < 4 {
			require.Equal(t, 1, result.Delivered)
			continue
		}
		require.Len(t, result.Open, 1)
		d := b.delivery(m, ep)
		require.Equal(t, posthorn.WaitThrottle, d.Waits)
		require.Equal(t, "messages to the endpoint are limited to 4 a second", d.Reason)
		require.Equal(t, time.Duration(n-3)*time.Second/4, d.NextAt.Sub(began), "turns are given out in order")
	}
	require.EqualValues(t, 4, count.Load())

	b.at(began.Add(time.Second / 4))
	_, err := b.durableLane(ms[8], ep, 0)
	require.Equal(t, activities.ErrorWaiting, appError(t, err).Type())
	require.Equal(t, time.Second, appError(t, err).NextRetryDelay(), "Temporal comes back when its turn comes")
	sent, err := b.durableLane(ms[4], ep, 0)
	require.NoError(t, err)
	require.Equal(t, activities.SendToEndpointResult{State: posthorn.Delivered, Attempts: 1}, sent, "waiting is no attempt")
	b.at(began.Add(5 * time.Second))
	for n, m := range ms[5:] {
		_, err := b.durableLane(m, ep, 0)
		// A second's worth goes at once, and two are patient for half a second.
		require.Equal(t, n >= 6, err != nil, "what comes late keeps the limit, too: %v", err)
	}
	require.EqualValues(t, 11, count.Load())
}

func TestShortWaitIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Minute)
	url, count := receiver(t, status(200))
	ep := b.limit(b.endpoint(url), 20, 0)
	for range 20 {
		require.Equal(t, 1, b.fastLane(b.message()).Delivered)
	}
	for range 5 {
		if m := b.message(); b.fastLane(m).Delivered == 0 {
			_, err := b.durableLane(m, ep, 0)
			require.NoError(t, err)
		}
	}
	require.EqualValues(t, 25, count.Load())
}

func TestFreedSlotGoesToTheOldest(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Minute)
	release, began := make(chan struct{}), make(chan struct{})
	url, _ := receiver(t, func(n int32) int {
		if n == 1 {
			close(began)
			<-release
		}
		return 200
	})
	let := sync.OnceFunc(func() { close(release) })
	t.Cleanup(let)
	ep := b.limit(b.endpoint(url), 0, 1)
	first, second, third := b.message(), b.message(), b.message()
	done := make(chan error, 1)
	go func() {
		_, err := b.SendToAll(context.Background(), activities.SendToAllInput{MessageID: first.ID})
		done <- err
	}()
	<-began
	for _, m := range []posthorn.Message{third, second} { // the younger one asks first
		require.Equal(t, 1, b.fastLane(m).Held)
		require.Equal(t, posthorn.WaitFlight, b.delivery(m, ep).Waits)
	}
	let()
	require.NoError(t, <-done)
	require.Eventually(t, func() bool { return len(b.wakes()) == 1 }, 30*time.Second, 5*time.Millisecond)
	require.Equal(t, []string{second.ID}, b.wakes())

	_, err := b.durableLane(third, ep, 0)
	require.Equal(t, activities.ErrorWaiting, appError(t, err).Type(), "the slot is kept for the one that was woken")
	sent, err := b.durableLane(second, ep, 0)
	require.NoError(t, err)
	require.Equal(t, 1, sent.Attempts)
	require.Eventually(t, func() bool { return len(b.wakes()) == 2 }, 30*time.Second, 5*time.Millisecond)
	require.Equal(t, third.ID, b.wakes()[1])
}

func (b *bundle) wakes() []string {
	b.starter.mu.Lock()
	defer b.starter.mu.Unlock()
	return append([]string(nil), b.starter.woken...)
}

func TestSlotsOfADeadProcessAreFoundAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Minute)
	url, _ := receiver(t, status(200))
	ep := b.limit(b.endpoint(url), 0, 1)
	began := time.Now()
	b.at(began)
	boarded, err := b.store.Board(t.Context(), store.Boarding{
		AppID: ep.AppID, EndpointID: ep.ID, Holder: "msg_of_a_dead_process", Now: began, Until: began.Add(time.Minute),
	})
	require.NoError(t, err)
	require.True(t, boarded.OK)
	m := b.message()
	require.Equal(t, 1, b.fastLane(m).Held)
	woken, err := b.WakeOverdue(t.Context())
	require.NoError(t, err)
	require.Empty(t, b.wakes(), woken)
	b.at(began.Add(time.Minute + time.Second))
	_, err = b.WakeOverdue(t.Context())
	require.NoError(t, err)
	require.Contains(t, b.wakes(), m.ID)
	sent, err := b.durableLane(m, ep, 0)
	require.NoError(t, err)
	require.Equal(t, posthorn.Delivered, sent.State)
}
