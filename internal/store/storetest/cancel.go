package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func cancelTests() []test {
	next := func(a posthorn.Attempt) posthorn.Attempt { return retried(a) }
	undispatched := func(t *testing.T, s store.Store, m posthorn.Message) bool {
		t.Helper()
		is, err := s.IsUndispatched(t.Context(), m.ID)
		require.NoError(t, err)
		return is
	}
	cancelMessage := func(t *testing.T, s store.Store, m posthorn.Message) store.Cancelled {
		t.Helper()
		c, err := s.CancelMessage(t.Context(), m.AppID, m.ID, at(70))
		require.NoError(t, err)
		return c
	}
	return []test{
		{"times are kept", func(t *testing.T, s store.Store) {
			m := message("app_1", "")
			m.DeliverAt, m.DeliverBefore = at(100), at(200)
			createMessage(t, s, m)
			got, err := s.MessageByID(t.Context(), m.ID)
			require.NoError(t, err)
			require.Equal(t, m.DeliverAt, got.DeliverAt)
			require.Equal(t, m.DeliverBefore, got.DeliverBefore)
			require.Zero(t, got.CancelledAt)
		}},
		{"a scheduled message is not undispatched, and its first round is still to come", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			require.NoError(t, s.MarkScheduled(t.Context(), m.ID))
			require.False(t, undispatched(t, s, m))
			require.NoError(t, s.MarkScheduled(t.Context(), m.ID), "again")
			require.True(t, cancelMessage(t, s, m).Waits)
			requireRemoved(t, 0, s.RemoveMessages, time.Now().Add(time.Hour))

			record(t, s, m, store.Record{Dispatched: true, Closed: []posthorn.Delivery{{MessageID: m.ID, EndpointID: "ep_1", State: posthorn.Cancelled}}})
			require.NoError(t, s.MarkScheduled(t.Context(), m.ID), "too late")
			require.False(t, cancelMessage(t, s, m).Waits)
			requireRemoved(t, 1, s.RemoveMessages, time.Now().Add(time.Hour))
		}},
		{"a cancelled message has no open delivery, now or later", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", "evt"))
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{next(attempt(m, "ep_1")), succeeded(attempt(m, "ep_2"))}})
			wait(t, s, m, "ep_3", posthorn.WaitPaused)
			c, err := s.CancelMessage(t.Context(), "app_1", "evt", at(70))
			require.NoError(t, err)
			require.Equal(t, at(70), c.Message.CancelledAt)
			require.Equal(t, 1, c.Ended)
			require.True(t, c.Waits)
			require.Equal(t, []posthorn.Delivery{delivery(t, s, m, "ep_1"), delivery(t, s, m, "ep_3")}, c.Deliveries)
			over := posthorn.Delivery{State: posthorn.Cancelled, Reason: posthorn.MessageCancelled, NextAt: at(70)} // unheard since then
			tried := over
			tried.Attempts, tried.Scheduled = 1, 1
			requireDelivery(t, s, m, "ep_1", tried)
			requireDelivery(t, s, m, "ep_3", over)

			over.NextAt, tried.NextAt = time.Time{}, time.Time{} // whoever records these sees it
			wait(t, s, m, "ep_4", posthorn.WaitThrottle)
			requireDelivery(t, s, m, "ep_4", over)
			record(t, s, m, store.Record{Dispatched: true, Pending: []string{"ep_5"}})
			requireDelivery(t, s, m, "ep_5", over)
			recorded := record(t, s, m, store.Record{Attempts: []posthorn.Attempt{next(attempt(m, "ep_6")), succeeded(attempt(m, "ep_7"))}})
			require.Zero(t, recorded[0].NextAt)
			requireDelivery(t, s, m, "ep_6", tried)
			require.Equal(t, posthorn.Delivered, delivery(t, s, m, "ep_7").State)

			again := cancelMessage(t, s, m)
			require.Empty(t, again.Deliveries)
			require.Equal(t, 7, again.Ended)
			require.Equal(t, at(70), again.Message.CancelledAt)
		}},
		{"a message that has ended is not cancelled", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			record(t, s, m, store.Record{Dispatched: true, Attempts: []posthorn.Attempt{succeeded(attempt(m, "ep_1")), failed(attempt(m, "ep_2"))}})
			c := cancelMessage(t, s, m)
			require.Zero(t, c.Message.CancelledAt)
			require.Equal(t, 2, c.Ended)
			require.False(t, c.Waits)
			require.Equal(t, posthorn.Failed, delivery(t, s, m, "ep_2").State)
			_, err := s.CancelMessage(t.Context(), "app_2", m.ID, at(70))
			require.Equal(t, posthorn.NotFound, posthorn.CodeOf(err))
		}},
		{"one delivery is cancelled, also before it begins", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			d, cancelled, err := s.CancelDelivery(t.Context(), m.ID, "ep_1", at(70))
			require.NoError(t, err)
			require.True(t, cancelled)
			require.Equal(t, delivery(t, s, m, "ep_1"), d)
			requireDelivery(t, s, m, "ep_1", posthorn.Delivery{State: posthorn.Cancelled, Reason: posthorn.DeliveryCancelled})

			record(t, s, m, store.Record{Dispatched: true, Attempts: []posthorn.Attempt{next(attempt(m, "ep_1")), next(attempt(m, "ep_2"))}})
			require.Equal(t, posthorn.Cancelled, delivery(t, s, m, "ep_1").State)
			require.Equal(t, posthorn.Retrying, delivery(t, s, m, "ep_2").State, "the other one goes on")
			_, cancelled, err = s.CancelDelivery(t.Context(), m.ID, "ep_2", at(70))
			require.NoError(t, err)
			require.True(t, cancelled)
			_, cancelled, err = s.CancelDelivery(t.Context(), m.ID, "ep_2", at(80))
			require.NoError(t, err)
			require.False(t, cancelled, "it has ended")
			_, _, err = s.CancelDelivery(t.Context(), m.ID, "ep_3", at(70))
			require.Equal(t, posthorn.NotFound, posthorn.CodeOf(err), "its first round was, without the endpoint")
			_, _, err = s.CancelDelivery(t.Context(), "msg_none", "ep_3", at(70))
			require.Equal(t, posthorn.NotFound, posthorn.CodeOf(err))
		}},
		{"the next in order goes on when the one before it is cancelled", func(t *testing.T, s store.Store) {
			var let []posthorn.Delivery
			s.OnRelease(func(d posthorn.Delivery) { let = append(let, d) })
			var ms []posthorn.Message
			for range 3 {
				m := createMessage(t, s, message("app_1", ""))
				ms = append(ms, m)
				record(t, s, m, store.Record{Dispatched: true, Ordered: []string{"ep_1"}, Waiting: []posthorn.Delivery{{
					MessageID: m.ID, EndpointID: "ep_1", Waits: posthorn.WaitOrder,
				}}})
			}
			_, _, err := s.CancelDelivery(t.Context(), ms[0].ID, "ep_1", at(70))
			require.NoError(t, err)
			require.Equal(t, []posthorn.Delivery{delivery(t, s, ms[1], "ep_1")}, let)
			require.Empty(t, let[0].Waits)
			cancelMessage(t, s, ms[1])
			require.Len(t, let, 2)
			require.Equal(t, ms[2].ID, let[1].MessageID)
		}},
		{"an endpoint's older deliveries are cancelled a page at a time, whatever they wait for", func(t *testing.T, s store.Store) {
			var ms []posthorn.Message
			for i := range 6 {
				m := createMessage(t, s, messageAt("app_1", i))
				ms = append(ms, m)
				if i%2 == 0 {
					record(t, s, m, store.Record{Attempts: []posthorn.Attempt{next(attempt(m, "ep_1"))}})
				} else {
					wait(t, s, m, "ep_1", posthorn.WaitDisabled)
				}
				record(t, s, m, store.Record{Pending: []string{"ep_2"}})
			}
			before := store.Before(posthorn.MessageID, at(5))
			page, err := s.CancelOlder(t.Context(), "ep_1", before, "old", 3)
			require.NoError(t, err)
			require.Equal(t, []posthorn.Delivery{
				delivery(t, s, ms[0], "ep_1"), delivery(t, s, ms[1], "ep_1"), delivery(t, s, ms[2], "ep_1"),
			}, page)
			page, err = s.CancelOlder(t.Context(), "ep_1", before, "old", 3)
			require.NoError(t, err)
			require.Len(t, page, 2)
			requireDelivery(t, s, ms[3], "ep_1", posthorn.Delivery{
				State: posthorn.Cancelled, Reason: "old", NextAt: delivery(t, s, ms[3], "ep_1").UpdatedAt, // unheard since then
			})
			require.Equal(t, posthorn.Held, delivery(t, s, ms[5], "ep_1").State)
			require.Equal(t, posthorn.Pending, delivery(t, s, ms[0], "ep_2").State)
		}},
		{"an endpoint that cancels needs attention", func(t *testing.T, s store.Store) {
			ep := endpoint("app_1", "")
			require.NoError(t, s.CreateEndpoint(t.Context(), ep))
			changed, err := s.UpdateEndpoint(t.Context(), "app_1", ep.ID, func(e *posthorn.Endpoint) error {
				e.CancelBefore = at(3)
				return nil
			})
			require.NoError(t, err)
			require.Equal(t, at(3), changed.CancelBefore)
			_, err = s.AttentionFor(t.Context(), ep.ID)
			require.NoError(t, err)
			older, later := messageAt("app_1", 2), messageAt("app_1", 3)
			require.True(t, changed.Cancels(&older))
			require.False(t, changed.Cancels(&later))
		}},
	}
}
