package activities_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/internal/routing"
)

// clock is a time that tests move.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) pass(t time.Duration) { c.ahead.Add(int64(t)) }

// breaking is a setup whose circuits open at the first failure.
func breaking(t *testing.T, schedule ...time.Duration) (*bundle, *clock) {
	t.Helper()
	b, c := setup(t, schedule...), &clock{}
	b.Health = posthorn.HealthRules{Breaker: 1, ProbeInterval: time.Minute}
	b.Circuits, b.Now = routing.NewCircuits(b.store), c.now
	b.store.OnAttention(b.TendSoon)
	return b, c
}

// lookAfter runs Tend once.
func (b *bundle) lookAfter(ep posthorn.Endpoint) activities.TendResult {
	b.t.Helper()
	suite := testsuite.WorkflowTestSuite{}
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(b.Tend)
	value, err := env.ExecuteActivity(b.Tend, activities.TendInput{AppID: b.appID, EndpointID: ep.ID})
	require.NoError(b.t, err)
	var result activities.TendResult
	require.NoError(b.t, value.Get(&result))
	return result
}

func (b *bundle) health(ep posthorn.Endpoint) posthorn.Health {
	b.t.Helper()
	h, err := b.store.Health(b.t.Context(), ep.ID)
	require.NoError(b.t, err)
	return h
}

func TestCircuit(t *testing.T) {
	t.Parallel()

	t.Run("holds both lanes until the delivery's deadline, and no longer", func(t *testing.T) {
		t.Parallel()
		b, c := breaking(t, time.Hour)
		url, count := receiver(t, status(500))
		ep, first, m := b.endpoint(url), b.message(), b.message()
		b.fastLane(first)
		result := b.fastLane(m)
		require.Equal(t, 1, result.Held)
		require.Empty(t, result.Open)
		held := b.delivery(m, ep)
		require.True(t, held.Parked)
		require.Equal(t, posthorn.WaitCircuit, held.Waits)
		deadline := m.CreatedAt.Add(posthorn.Schedule{time.Hour}.Window(5 * time.Second))
		require.WithinDuration(t, deadline, held.NextAt, time.Millisecond)

		_, err := b.durableLane(m, ep, 0)
		require.Equal(t, activities.ErrorHeld, appError(t, err).Type())
		require.InDelta(t, time.Until(deadline), appError(t, err).NextRetryDelay(), float64(time.Minute))
		c.pass(2 * time.Hour)
		_, err = b.durableLane(first, ep, 1)
		require.Equal(t, activities.ErrorHeld, appError(t, err).Type(), "retries are held, too")
		require.Equal(t, 1, b.delivery(first, ep).Scheduled)

		c.pass(30 * time.Hour)
		_, err = b.durableLane(m, ep, 0)
		require.True(t, activities.IsExhausted(err))
		require.Regexp(t, `^the endpoint has failed since 20\S+Z; the time for retries is over$`, appError(t, err).Message())
		require.Equal(t, posthorn.Failed, b.delivery(m, ep).State)
		require.EqualValues(t, 1, count.Load())
	})

	t.Run("gives a delivery that was held by somebody's decision a new deadline", func(t *testing.T) {
		t.Parallel()
		b, c := breaking(t, time.Hour)
		url, _ := receiver(t, status(500))
		ep := b.endpoint(url)
		b.disable(ep, true)
		m := b.message()
		require.Equal(t, 1, b.fastLane(m).Held)
		c.pass(100 * time.Hour)
		b.disable(ep, false)
		b.lookAfter(ep)
		released := b.delivery(m, ep).ReleasedAt
		require.WithinDuration(t, c.now(), released, time.Minute)
		b.fastLane(b.message())
		_, err := b.durableLane(m, ep, 0)
		require.Equal(t, activities.ErrorHeld, appError(t, err).Type())
		require.Equal(t, released.Add(posthorn.Schedule{time.Hour}.Window(5*time.Second)), b.delivery(m, ep).NextAt)
	})

	t.Run("leaves what it holds to whoever disables the endpoint, and is forgotten when it is enabled", func(t *testing.T) {
		t.Parallel()
		b, _ := breaking(t, time.Hour)
		url, _ := receiver(t, status(500))
		ep := b.endpoint(url)
		b.fastLane(b.message())
		m := b.message()
		b.fastLane(m)
		require.Equal(t, posthorn.WaitCircuit, b.delivery(m, ep).Waits)
		b.disable(ep, true)
		require.True(t, b.lookAfter(ep).Done)
		held := b.delivery(m, ep)
		require.Equal(t, posthorn.WaitDisabled, held.Waits)
		require.Equal(t, posthorn.Held, held.State)
		require.Equal(t, "the endpoint is disabled", held.Reason)
		require.False(t, held.NextAt.IsZero(), "it is looked at again after the time for retries")
		b.disable(ep, false)
		require.True(t, b.lookAfter(ep).Done)
		require.Equal(t, posthorn.WaitNothing, b.delivery(m, ep).Waits)
		health := b.health(ep)
		require.False(t, health.Open())
	})

	t.Run("holds what is not dropped with what was held before, however late that is", func(t *testing.T) {
		t.Parallel()
		b, _ := breaking(t, time.Hour)
		url, _ := receiver(t, status(500))
		ep := b.endpoint(url)
		b.disable(ep, true)
		before := b.message()
		require.Equal(t, 1, b.fastLane(before).Held)
		_, err := b.store.ResumeEndpoint(t.Context(), b.appID, ep.ID, posthorn.Release{Drop: true}, time.Now().Add(time.Millisecond))
		require.NoError(t, err)
		require.Eventually(t, func() bool { return time.Since(before.CreatedAt) > 10*time.Millisecond }, time.Minute, time.Millisecond)
		b.fastLane(b.message())
		after := b.message()
		b.fastLane(after)
		require.Equal(t, posthorn.WaitCircuit, b.delivery(after, ep).Waits)
		_, err = b.store.UpdateEndpoint(t.Context(), b.appID, ep.ID, func(e *posthorn.Endpoint) error { e.URL += "/new"; return nil })
		require.NoError(t, err)
		b.lookAfter(ep)
		require.Equal(t, posthorn.Cancelled, b.delivery(before, ep).State)
		require.Equal(t, posthorn.Pending, b.delivery(after, ep).State, "and it is let go once the circuit is closed")
	})

	t.Run("counts the time of a message that is to be sent later from then on", func(t *testing.T) {
		t.Parallel()
		b, c := breaking(t, time.Hour)
		url, _ := receiver(t, status(500))
		ep := b.endpoint(url)
		b.fastLane(b.message())
		now := time.Now()
		m := posthorn.Message{
			ID: posthorn.MessageID.New(), AppID: b.appID, EventType: "a", Payload: []byte(`{}`),
			CreatedAt: now, DeliverAt: now.Add(90 * time.Hour).Truncate(time.Microsecond), ExpiresAt: now.Add(posthorn.DefaultRetention),
		}
		require.NoError(t, b.store.CreateMessage(t.Context(), m))
		c.pass(91 * time.Hour)
		b.fastLane(m)
		require.Equal(t, posthorn.WaitCircuit, b.delivery(m, ep).Waits)
		require.True(t, b.delivery(m, ep).NextAt.Equal(m.DeliverAt.Add(posthorn.Schedule{time.Hour}.Window(5*time.Second))))
	})

	t.Run("is probed with one held message after the other, and closed by the first that is taken", func(t *testing.T) {
		t.Parallel()
		b, c := breaking(t, time.Hour)
		url, count := receiver(t, func(n int32) int { return map[bool]int{true: 500, false: 200}[n < 4] })
		ep := b.endpoint(url)
		b.fastLane(b.message())
		require.True(t, b.lookAfter(ep).Again.After(c.now()), "the first probe has its time")
		c.pass(2 * time.Minute)
		require.True(t, b.lookAfter(ep).Done, "there is nothing to probe with")

		first, second := b.message(), b.message()
		b.fastLane(first)
		b.fastLane(second)
		require.Eventually(t, func() bool { return len(b.starter.tending()) == 2 }, 30*time.Second, time.Millisecond,
			"the opening and what is held have it looked after")
		for n, m := range []posthorn.Message{first, second} {
			result := b.lookAfter(ep)
			require.False(t, result.Done)
			require.WithinDuration(t, c.now().Add(time.Minute), result.Again, 5*time.Second)
			require.EqualValues(t, n+2, count.Load())
			d := b.delivery(m, ep)
			require.Equal(t, 1, d.Attempts)
			require.Zero(t, d.Scheduled, "a probe uses up no attempt of the schedule")
			require.Equal(t, posthorn.Held, d.State)
			require.False(t, b.lookAfter(ep).Again.Before(result.Again.Add(-5*time.Second)), "one in an interval")
			require.EqualValues(t, n+2, count.Load())
			c.pass(2 * time.Minute)
		}
		b.lookAfter(ep)
		require.EqualValues(t, 4, count.Load())
		require.Equal(t, posthorn.Delivered, b.delivery(first, ep).State)
		require.Zero(t, b.health(ep))
		require.True(t, b.lookAfter(ep).Done)
		require.Equal(t, posthorn.Pending, b.delivery(second, ep).State, "it is let go")
		require.ElementsMatch(t, []string{first.ID, second.ID}, b.starter.woken)
		sent, err := b.durableLane(second, ep, 0)
		require.NoError(t, err)
		require.Equal(t, posthorn.Delivered, sent.State)
	})

	t.Run("passes over a message whose payload is gone", func(t *testing.T) {
		t.Parallel()
		b, c := breaking(t, time.Hour)
		url, count := receiver(t, status(500))
		ep := b.endpoint(url)
		b.fastLane(b.message())
		m := b.message()
		b.fastLane(m)
		require.NoError(t, b.store.ExpungePayload(t.Context(), b.appID, m.ID))
		c.pass(2 * time.Minute)
		require.False(t, b.lookAfter(ep).Done)
		require.EqualValues(t, 1, count.Load())
		require.Equal(t, []string{m.ID}, b.starter.woken)
	})

	t.Run("is not probed while the endpoint is blocked, and holds nothing once breakers are switched off", func(t *testing.T) {
		t.Parallel()
		b, c := breaking(t, time.Hour)
		url, count := receiver(t, status(500))
		ep, m := b.endpoint(url), b.message()
		b.fastLane(b.message())
		b.fastLane(m)
		c.pass(2 * time.Minute)
		b.disable(ep, true)
		require.True(t, b.lookAfter(ep).Done)
		require.EqualValues(t, 1, count.Load())

		b.disable(ep, false)
		b.fastLane(b.message())
		b.fastLane(b.message())
		require.True(t, func() bool { h := b.health(ep); return h.Open() }())
		b.Health.Breaker = 0
		require.True(t, b.lookAfter(ep).Done)
		counts, err := b.store.CountWaiting(t.Context(), ep.ID)
		require.NoError(t, err)
		require.Empty(t, counts)
	})
}
