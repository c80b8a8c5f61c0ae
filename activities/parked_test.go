package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/internal/store"
)

// sendParked runs SendParked once.
func (b *bundle) sendParked(ep posthorn.Endpoint, ms ...posthorn.Message) activities.SendParkedResult {
	b.t.Helper()
	suite := testsuite.WorkflowTestSuite{}
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(b.SendParked)
	in := activities.SendParkedInput{AppID: b.appID, EndpointID: ep.ID}
	for _, m := range ms {
		in.MessageIDs = append(in.MessageIDs, m.ID)
	}
	value, err := env.ExecuteActivity(b.SendParked, in)
	require.NoError(b.t, err)
	var result activities.SendParkedResult
	require.NoError(b.t, value.Get(&result))
	return result
}

// parked makes messages that wait in the database only, because their endpoint is disabled.
func (b *bundle) parked(ep posthorn.Endpoint, n int) (ms []posthorn.Message) {
	b.t.Helper()
	b.disable(ep, true)
	for range n {
		m := b.message()
		require.Equal(b.t, 1, b.fastLane(m).Held)
		require.True(b.t, b.delivery(m, ep).Parked)
		ms = append(ms, m)
	}
	return ms
}

func TestSendParked(t *testing.T) {
	t.Parallel()

	t.Run("sends each as its row says, and twice changes nothing", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		url, count := receiver(t, status(200))
		ep := b.endpoint(url)
		ms := b.parked(ep, 3)
		require.Equal(t, activities.SendParkedResult{Parked: 3}, b.sendParked(ep, ms...), "the endpoint is disabled")
		b.disable(ep, false)
		_, err := b.store.CancelMessage(t.Context(), b.appID, ms[2].ID, time.Now())
		require.NoError(t, err)
		for range 2 {
			require.Equal(t, activities.SendParkedResult{Delivered: 2, Cancelled: 1}, b.sendParked(ep, ms...))
		}
		require.EqualValues(t, 2, count.Load())
		require.Equal(t, 1, b.delivery(ms[0], ep).Scheduled)
		require.Empty(t, b.starter.woken)
	})

	t.Run("gives what fails a workflow of its own", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Hour)
		url, _ := receiver(t, status(500))
		ep := b.endpoint(url)
		m := b.parked(ep, 1)[0]
		b.disable(ep, false)
		require.Equal(t, activities.SendParkedResult{CarriedOn: 1}, b.sendParked(ep, m))
		require.Equal(t, []string{m.ID}, b.starter.woken)
		d := b.delivery(m, ep)
		require.False(t, d.Parked)
		require.Equal(t, posthorn.Retrying, d.State)
		require.Equal(t, activities.SendParkedResult{CarriedOn: 1}, b.sendParked(ep, m), "again, as after a crash before it had one")
		require.Equal(t, d, b.delivery(m, ep))

		b.endpointSchedule(ep, &posthorn.Schedule{})
		last := b.parked(ep, 1)[0]
		b.disable(ep, false)
		require.Equal(t, activities.SendParkedResult{Failed: 1}, b.sendParked(ep, last))
		require.Equal(t, posthorn.Failed, b.delivery(last, ep).State)
		require.Contains(t, b.starter.woken, last.ID, "its workflow fails, and is listed")
	})

	t.Run("leaves what has a workflow of its own by now to that", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		url, count := receiver(t, status(200))
		ep := b.endpoint(url)
		m := b.parked(ep, 1)[0]
		b.disable(ep, false)
		_, err := b.store.Record(t.Context(), store.Record{MessageID: m.ID, AppID: b.appID, Waiting: []posthorn.Delivery{{
			MessageID: m.ID, AppID: b.appID, EndpointID: ep.ID, Waits: posthorn.WaitOrder, Reason: "its turn comes",
		}}})
		require.NoError(t, err)
		// As when a run that has noted this is repeated: the workflow would never hear of what another sends in its stead.
		require.Equal(t, activities.SendParkedResult{CarriedOn: 1}, b.sendParked(ep, m))
		require.Zero(t, count.Load())
		require.Equal(t, []string{m.ID}, b.starter.woken)

		b.starter.begun[m.ID+":"+ep.ID] = true
		require.Equal(t, activities.SendToAllResult{Endpoints: 1, Held: 1}, b.fastLane(m), "so does the fast lane, when it is repeated after a crash")
		b.starter.begun[m.ID+":"+ep.ID] = false
		require.Len(t, b.fastLane(m).Open, 1)
	})

	t.Run("ends what there is nothing left of to send", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		url, count := receiver(t, status(200))
		ep := b.endpoint(url)
		m := b.parked(ep, 1)[0]
		require.WithinDuration(t, m.ExpiresAt.Add(time.Second), b.delivery(m, ep).NextAt, time.Millisecond, "it is overdue from then on")
		require.NoError(t, b.store.ExpungePayload(t.Context(), b.appID, m.ID))
		require.Equal(t, activities.SendParkedResult{Cancelled: 1}, b.sendParked(ep, m))
		require.Equal(t, posthorn.Cancelled, b.delivery(m, ep).State)
		require.Zero(t, count.Load())
	})
}

func TestOverdueIsWoken(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Hour)
	url, _ := receiver(t, status(500))
	ep, other := b.endpoint(url), b.endpoint(url)
	m := b.message()
	b.fastLane(m)
	parked := b.parked(ep, 1)[0]
	ended := b.message()
	b.fastLane(ended)
	_, cancelled, err := b.store.CancelDelivery(t.Context(), ended.ID, other.ID, time.Now())
	require.NoError(t, err)
	require.True(t, cancelled)

	result, err := b.WakeOverdue(t.Context())
	require.NoError(t, err)
	require.Zero(t, result.Deliveries)
	b.at(time.Now().Add(11 * time.Second))
	result, err = b.WakeOverdue(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, result.Deliveries)
	require.Equal(t, []string{ended.ID}, b.wakes(), "whoever had it may not have heard of its end")

	b.at(parked.ExpiresAt.Add(15 * time.Second))
	_, err = b.WakeOverdue(t.Context())
	require.NoError(t, err)
	require.Contains(t, b.wakes(), parked.ID, "nobody else keeps the time of what is parked")
	b.at(parked.ExpiresAt.Add(time.Hour))
	_, err = b.WakeOverdue(t.Context())
	require.NoError(t, err)
	require.Subset(t, b.wakes(), []string{m.ID, parked.ID})
}
