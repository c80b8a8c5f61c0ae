package activities_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
)

// many is more requests of an application than activities are opened for.
const many = 25

// leaveMany posts a message to endpoints that hang, so many that nobody waits for them.
func (b *bundle) leaveMany(h *hanging) (posthorn.Message, []posthorn.Endpoint) {
	b.t.Helper()
	eps, m := b.endpoints(many, h.url), b.message()
	for range 2 { // once more after a crash of Temporal's worker
		require.Equal(b.t, activities.SendToAllResult{Endpoints: many, Held: many}, b.fastLane(m))
	}
	require.Eventually(b.t, func() bool { return h.count.Load() >= many }, 30*time.Second, 5*time.Millisecond, "what has been sent arrives")
	require.EqualValues(b.t, many, h.count.Load())
	for _, ep := range eps {
		d := b.delivery(m, ep)
		require.True(b.t, d.Parked)
		require.Equal(b.t, posthorn.Pending, d.State)
		require.False(b.t, d.NextAt.IsZero(), "it is overdue before long, should this process end")
	}
	return m, eps
}

// become waits until the deliveries to all endpoints are as they should be.
func (b *bundle) become(m posthorn.Message, eps []posthorn.Endpoint, as func(d posthorn.Delivery) bool) {
	b.t.Helper()
	for _, ep := range eps {
		require.Eventually(b.t, func() bool { return as(b.delivery(m, ep)) }, 30*time.Second, 5*time.Millisecond)
	}
}

// Where very many requests of an application are under way, nobody waits for each: no workflow has their deliveries.
func TestManyHangingRequestsAreLeftToEndByThemselves(t *testing.T) {
	t.Parallel()
	retrying := func(d posthorn.Delivery) bool { return d.State == posthorn.Retrying && d.Scheduled == 1 }

	t.Run("what is taken after all needs nobody any more", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Minute)
		h := newHanging(t)
		m, eps := b.leaveMany(h)
		h.release()
		b.become(m, eps, func(d posthorn.Delivery) bool { return d.State == posthorn.Delivered && !d.Parked })
		b.Close(context.Background())
		require.Empty(t, b.wakes())
	})

	t.Run("what fails is carried on when its next attempt is due", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 100*time.Millisecond)
		h := newHanging(t)
		h.status.Store(http.StatusInternalServerError)
		m, eps := b.leaveMany(h)
		h.release()
		b.become(m, eps, retrying)
		require.Eventually(t, func() bool { return len(b.wakes()) == many }, 30*time.Second, 5*time.Millisecond)
		_, err := b.durableLane(m, eps[0], 0)
		require.True(t, activities.IsExhausted(err))
		require.EqualValues(t, many+1, h.count.Load())
	})

	t.Run("or when this process ends, should that be before", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Hour)
		h := newHanging(t)
		h.status.Store(http.StatusInternalServerError)
		m, eps := b.leaveMany(h)
		h.release()
		b.become(m, eps, retrying)
		require.Empty(t, b.wakes())
		b.Close(context.Background())
		require.Len(t, b.wakes(), many)
	})

	t.Run("what fails for good has a workflow that says so", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		h := newHanging(t)
		h.status.Store(http.StatusInternalServerError)
		m, eps := b.leaveMany(h)
		h.release()
		b.become(m, eps, func(d posthorn.Delivery) bool { return d.State == posthorn.Failed })
		require.Eventually(t, func() bool { return len(b.wakes()) == many }, 30*time.Second, 5*time.Millisecond)
	})

	t.Run("what is for an endpoint that fails for all is held, and sent when it answers", func(t *testing.T) {
		t.Parallel()
		b, _ := breaking(t, 100*time.Millisecond)
		h := newHanging(t)
		h.status.Store(http.StatusInternalServerError)
		m, eps := b.leaveMany(h)
		h.release()
		b.become(m, eps, func(d posthorn.Delivery) bool {
			return d.State == posthorn.Held && d.Waits == posthorn.WaitCircuit && !d.Parked
		})
		b.Close(context.Background())
		require.Empty(t, b.wakes())
		require.Equal(t, 1, b.delivery(m, eps[0]).Scheduled)
	})

	t.Run("what is cancelled meanwhile stays so", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 300*time.Millisecond)
		h := newHanging(t)
		h.status.Store(http.StatusInternalServerError)
		m, eps := b.leaveMany(h)
		_, err := b.store.CancelMessage(t.Context(), b.appID, m.ID, time.Now())
		require.NoError(t, err)
		h.release()
		b.become(m, eps, func(d posthorn.Delivery) bool { return d.State == posthorn.Cancelled && d.Attempts == 1 })
		b.Close(context.Background())
		require.Empty(t, b.wakes())
	})

	t.Run("what could not be recorded is sent again", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Hour)
		h := newHanging(t)
		m, eps := b.leaveMany(h)
		b.store.broken.Store(true)
		h.release()
		b.Close(context.Background())
		b.store.broken.Store(false)
		late := b.delivery(m, eps[0]).NextAt.Add(b.AttemptTimeout + 2*time.Minute)
		b.Now = func() time.Time { return late }
		result, err := b.WakeOverdue(t.Context())
		require.NoError(t, err)
		require.Equal(t, many, result.Deliveries)
	})
}
