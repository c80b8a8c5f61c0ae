package sqlite

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func TestTallies(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	var ids []string
	for i, status := range []int{200, 503, 200, 0, 503, 503} {
		m := newMessage("app_1")
		m.EventType = []string{"a", "b"}[i/3]
		require.NoError(t, s.CreateMessage(t.Context(), m))
		a := posthorn.Attempt{
			ID: posthorn.AttemptID.New(), MessageID: m.ID, EndpointID: "ep_1", EventType: m.EventType, Trigger: posthorn.Automatic,
			Success: status == 200, Status: status,
		}
		_, err := s.Record(t.Context(), store.Record{MessageID: m.ID, Attempts: []posthorn.Attempt{a}, Pending: []string{"ep_2"}})
		require.NoError(t, err)
		ids = append(ids, a.ID)
	}
	count := func(f shelf, w wanted, within extent) map[string]map[any]int {
		found, err := f.tallies(t.Context(), &s.cached, w, within)
		require.NoError(t, err)
		counts := map[string]map[any]int{}
		for _, one := range found {
			if one.count == 0 {
				continue
			}
			if counts[one.eventType] == nil {
				counts[one.eventType] = map[any]int{}
			}
			counts[one.eventType][one.standing] = one.count
		}
		return counts
	}
	everything := extentOf(posthorn.AttemptID, store.Window{}, store.Page{})
	attempts := attemptShelf(store.AttemptFilter{EndpointID: "ep_1"})
	require.Equal(t, map[string]map[any]int{"a": {int64(success): 2, int64(5): 1}, "b": {int64(noResponse): 1, int64(5): 2}}, count(attempts, wanted{}, everything))
	require.Equal(t, map[string]map[any]int{"a": {int64(success): 1}, "b": {int64(noResponse): 1}}, count(attempts, wanted{}, extent{ids[2], ids[4]}))
	require.Equal(t, map[string]map[any]int{"b": {int64(5): 2}}, count(attempts, wanted{eventTypes: []string{"b", "none"}, standings: []any{5}}, everything))
	require.Empty(t, count(attemptShelf(store.AttemptFilter{EndpointID: "ep_2"}), wanted{}, everything))
	deliveries := extentOf(posthorn.MessageID, store.Window{}, store.Page{})
	require.Equal(t, map[string]map[any]int{"a": {"delivered": 2, "failed": 1}, "b": {"failed": 3}}, count(deliveryShelf("ep_1", store.MessageFilter{}), wanted{}, deliveries))
	require.Equal(t, map[string]map[any]int{"a": {"pending": 3}, "b": {"pending": 3}}, count(deliveryShelf("ep_2", store.MessageFilter{}), wanted{}, deliveries))
}
