package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// keyed stores a message with an ordering key, whose first round is not recorded.
func keyed(t *testing.T, s store.Store, key string) posthorn.Message {
	t.Helper()
	m := message("app_1", "")
	m.OrderingKey = key
	return createMessage(t, s, m)
}

// inOrder records something about a message for the ordered endpoint ep_1, and ends its first round.
func inOrder(t *testing.T, s store.Store, m posthorn.Message, r store.Record) {
	t.Helper()
	r.Ordered, r.Dispatched = []string{"ep_1"}, true
	record(t, s, m, r)
}

func waitsForTurn(m posthorn.Message) store.Record {
	return store.Record{Waiting: []posthorn.Delivery{{MessageID: m.ID, EndpointID: "ep_1", Waits: posthorn.WaitOrder}}}
}

func orderTests() []test {
	ep := &posthorn.Endpoint{ID: "ep_1", AppID: "app_1", Ordered: true}
	blocker := func(t *testing.T, s store.Store, m posthorn.Message) string {
		t.Helper()
		id, err := s.Blocker(t.Context(), ep, &m)
		require.NoError(t, err)
		return id
	}
	return []test{
		{"an earlier message blocks from its acceptance to its end", func(t *testing.T, s store.Store) {
			first, second := keyed(t, s, "k"), keyed(t, s, "k")
			require.Empty(t, blocker(t, s, first))
			require.Equal(t, first.ID, blocker(t, s, second), "its first round is not recorded")
			inOrder(t, s, first, store.Record{Pending: []string{"ep_1"}})
			require.Equal(t, first.ID, blocker(t, s, second), "its delivery is pending")
			inOrder(t, s, first, store.Record{Attempts: []posthorn.Attempt{retried(attempt(first, "ep_1"))}})
			require.Equal(t, first.ID, blocker(t, s, second), "it is being retried")
			inOrder(t, s, first, store.Record{Attempts: []posthorn.Attempt{succeeded(attempt(first, "ep_1"))}})
			require.Empty(t, blocker(t, s, second))
		}},
		{"only what goes to the endpoint with the same key blocks", func(t *testing.T, s store.Store) {
			keyed(t, s, "other")
			keyed(t, s, "")
			elsewhere := message("app_2", "")
			elsewhere.OrderingKey = "k"
			createMessage(t, s, elsewhere)
			single := message("app_1", "")
			single.OrderingKey, single.OnlyEndpoint = "k", "ep_2"
			createMessage(t, s, single)
			require.Empty(t, blocker(t, s, keyed(t, s, "k")))
		}},
		{"a delivery that the endpoint got before it was ordered doesn't block", func(t *testing.T, s store.Store) {
			before := keyed(t, s, "k")
			record(t, s, before, store.Record{Pending: []string{"ep_1"}, Dispatched: true})
			require.Empty(t, blocker(t, s, keyed(t, s, "k")))
		}},
		{"the end of a delivery lets the next with its key go, and tells", func(t *testing.T, s store.Store) {
			var heard []posthorn.Delivery
			s.OnRelease(func(d posthorn.Delivery) { heard = append(heard, d) })
			ms := []posthorn.Message{keyed(t, s, "k"), keyed(t, s, "k"), keyed(t, s, "other"), keyed(t, s, "k")}
			inOrder(t, s, ms[0], store.Record{Attempts: []posthorn.Attempt{retried(attempt(ms[0], "ep_1"))}})
			for _, m := range ms[1:] {
				inOrder(t, s, m, waitsForTurn(m))
			}
			require.Empty(t, heard)
			inOrder(t, s, ms[0], store.Record{Attempts: []posthorn.Attempt{failed(attempt(ms[0], "ep_1"))}})
			next := delivery(t, s, ms[1], "ep_1")
			require.Empty(t, next.Waits)
			require.False(t, next.NextAt.IsZero())
			require.Equal(t, []string{next.MessageID}, []string{heard[0].MessageID})
			for _, m := range ms[2:] {
				require.Equal(t, posthorn.WaitOrder, delivery(t, s, m, "ep_1").Waits)
			}
			inOrder(t, s, ms[1], store.Record{Closed: []posthorn.Delivery{{MessageID: ms[1].ID, EndpointID: "ep_1", State: posthorn.Cancelled}}})
			require.Len(t, heard, 2)
			require.Equal(t, ms[3].ID, heard[1].MessageID)
		}},
		{"what waits for its turn is found by whoever looks, key by key", func(t *testing.T, s store.Store) {
			require.NoError(t, s.Attend(t.Context(), posthorn.Attention{EndpointID: "ep_2", AppID: "app_1"}))
			open := keyed(t, s, "a")
			inOrder(t, s, open, store.Record{Pending: []string{"ep_1"}})
			var turn []posthorn.Message
			for _, key := range []string{"", "b", "c"} {
				first, second := keyed(t, s, key), keyed(t, s, key)
				inOrder(t, s, first, waitsForTurn(first))
				inOrder(t, s, second, waitsForTurn(second))
				turn = append(turn, first)
			}
			blocked := keyed(t, s, "a")
			inOrder(t, s, blocked, waitsForTurn(blocked))
			attention, err := s.AttentionFor(t.Context(), "ep_1")
			require.NoError(t, err, "somebody has to look")
			require.Equal(t, "app_1", attention.AppID)

			var got []string
			for after, rounds := "", 0; ; rounds++ {
				require.Less(t, rounds, 10)
				released, last, err := s.Unblocked(t.Context(), "ep_1", after, at(60), 2)
				require.NoError(t, err)
				for _, d := range released {
					require.Equal(t, at(60), d.NextAt)
					got = append(got, d.MessageID)
				}
				if last == "" {
					break
				}
				after = last
			}
			require.Equal(t, []string{turn[0].ID, turn[1].ID, turn[2].ID}, got)
			require.Equal(t, posthorn.WaitOrder, delivery(t, s, blocked, "ep_1").Waits)
		}},
	}
}
