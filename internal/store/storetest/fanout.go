package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func fanoutTests() []test {
	return []test{
		{"the deliveries of a message come in parts", func(t *testing.T, s store.Store) {
			m, other := createMessage(t, s, message("app_1", "")), createMessage(t, s, message("app_1", ""))
			record(t, s, m, store.Record{
				Pending:  []string{"ep_4", "ep_1", "ep_3"},
				Attempts: []posthorn.Attempt{retried(attempt(m, "ep_2"))},
			})
			record(t, s, other, store.Record{Pending: []string{"ep_2", "ep_5"}})
			for _, part := range []struct {
				after, through string
				want           []string
			}{
				{"", "", []string{"ep_1", "ep_2", "ep_3", "ep_4"}},
				{"", "ep_2", []string{"ep_1", "ep_2"}},
				{"ep_2", "ep_35", []string{"ep_3"}},
				{"ep_3", "", []string{"ep_4"}},
				{"ep_4", "", nil},
			} {
				got, err := s.DeliveriesBetween(t.Context(), m.ID, part.after, part.through)
				require.NoError(t, err)
				var want []posthorn.Delivery
				for _, ep := range part.want {
					want = append(want, delivery(t, s, m, ep))
				}
				require.Equal(t, want, got, "behind %q, through %q", part.after, part.through)
			}
		}},
		{"the deliveries of a message are counted by state", func(t *testing.T, s store.Store) {
			m, other := createMessage(t, s, message("app_1", "")), createMessage(t, s, message("app_1", ""))
			got, err := s.CountDeliveries(t.Context(), m.ID)
			require.NoError(t, err)
			require.Empty(t, got)
			record(t, s, m, store.Record{
				Pending:  []string{"ep_1"},
				Attempts: []posthorn.Attempt{retried(attempt(m, "ep_2")), succeeded(attempt(m, "ep_3")), succeeded(attempt(m, "ep_4"))},
			})
			record(t, s, other, store.Record{Pending: []string{"ep_1"}})
			got, err = s.CountDeliveries(t.Context(), m.ID)
			require.NoError(t, err)
			require.Equal(t, map[posthorn.DeliveryState]int{posthorn.Pending: 1, posthorn.Retrying: 1, posthorn.Delivered: 2}, got)
		}},
	}
}
