package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// retentionReaderTests are about those who stand on what was removed.
func retentionReaderTests() []test {
	// made stores messages of the first minutes, and removed removes those before a minute.
	made := func(t *testing.T, s store.Store, minutes int) (ids []string) {
		t.Helper()
		for minute := range minutes {
			m := messageAt("app_1", 10*minute)
			ids = append(ids, dispatched(t, s, m, store.Record{Attempts: []posthorn.Attempt{succeeded(attemptAt(m, "ep_1", 10*minute))}}).ID)
		}
		return ids
	}
	removed := func(t *testing.T, s store.Store, minutes int) {
		t.Helper()
		_, err := s.RemoveMessages(t.Context(), at(10*minutes), "")
		require.NoError(t, err)
	}
	return []test{
		{"a list goes on behind an item that was removed, in both directions", func(t *testing.T, s store.Store) {
			ids := made(t, s, 6)
			removed(t, s, 3)
			for _, c := range []struct {
				page store.Page
				want []string
			}{
				{store.Page{Limit: 2, After: ids[1]}, ids[3:5]},
				{store.Page{Limit: 9, After: ids[1], Descending: true}, []string{}},
				{store.Page{Limit: 2, After: ids[1], Backward: true}, []string{}},
				{store.Page{Limit: 9, After: ids[5], Descending: true}, []string{ids[4], ids[3]}},
			} {
				got, err := s.ListMessages(t.Context(), "app_1", store.MessageFilter{}, c.page)
				require.NoError(t, err)
				require.Equal(t, c.want, idsOf(got.Items))
				require.Equal(t, len(c.want) == 2 && c.page.Limit == 2, got.More)
				seen, err := s.ListEndpointMessages(t.Context(), "ep_1", store.EndpointMessageFilter{}, c.page)
				require.NoError(t, err)
				require.Equal(t, c.want, keysOf(seen.Items, func(m store.EndpointMessage) string { return m.Message.ID }))
				c.page.After = posthorn.AttemptID.Floor(posthorn.MessageID.Time(c.page.After))
				attempts, err := s.ListAttempts(t.Context(), store.AttemptFilter{EndpointID: "ep_1", Channel: "eu"}, c.page)
				require.NoError(t, err)
				require.Len(t, attempts.Items, len(c.want))
			}
		}},
		{"a stream goes on behind a message that was removed, without a gap", func(t *testing.T, s store.Store) {
			ids := made(t, s, 6)
			removed(t, s, 3)
			for _, behind := range []string{"", ids[0], ids[2]} {
				got, end := stream(t, s, "app_1", store.Position{MessageID: behind}, store.StreamFilter{}, 2)
				require.Equal(t, ids[3:], idsOf(got))
				require.Equal(t, ids[5], end.MessageID)
			}
			removed(t, s, 6)
			got, end := stream(t, s, "app_1", store.Position{MessageID: ids[5]}, store.StreamFilter{}, 2)
			require.Empty(t, got)
			fresh := createMessage(t, s, messageAt("app_1", 70))
			got, _ = stream(t, s, "app_1", end, store.StreamFilter{}, 2)
			require.Equal(t, []string{fresh.ID}, idsOf(got))
		}},
		{"a message that stays behind because it is open is not read again", func(t *testing.T, s store.Store) {
			open := dispatched(t, s, messageAt("app_1", 0), store.Record{Pending: []string{"ep_1"}})
			gone := dispatched(t, s, messageAt("app_1", 10), store.Record{})
			fresh := createMessage(t, s, messageAt("app_1", 20))
			removed(t, s, 2)
			got, _ := stream(t, s, "app_1", store.Position{MessageID: gone.ID}, store.StreamFilter{}, 10)
			require.Equal(t, []string{fresh.ID}, idsOf(got))
			got, _ = stream(t, s, "app_1", store.Position{MessageID: open.ID}, store.StreamFilter{}, 10)
			require.Equal(t, []string{fresh.ID}, idsOf(got))
		}},
		{"a consumer that stands on a removed message goes on, and acknowledges as before", func(t *testing.T, s store.Store) {
			ids := made(t, s, 4)
			p := createPoller(t, s, poller("app_1", ""))
			require.Equal(t, ids[3], p.Start)
			at := func(name string) store.Position {
				t.Helper()
				c, err := s.Consumer(t.Context(), p.ID, name)
				require.NoError(t, err)
				return c.Position
			}
			_, err := s.Seek(t.Context(), p.ID, "moved", store.Position{MessageID: ids[1]})
			require.NoError(t, err)
			removed(t, s, 4)
			fresh := []string{createMessage(t, s, messageAt("app_1", 50)).ID, createMessage(t, s, messageAt("app_1", 60)).ID}
			for name, epoch := range map[string]int{"moved": 1, "at the start": 0} {
				got, _ := stream(t, s, "app_1", at(name), store.StreamFilter{}, 1)
				require.Equal(t, fresh, idsOf(got), name)
				// What was read before the removal may be acknowledged after it: nothing is lost by that.
				_, err := s.Acknowledge(t.Context(), store.Consumer{PollerID: p.ID, Name: name, Epoch: epoch, Position: store.Position{MessageID: ids[3]}})
				require.NoError(t, err)
				got, _ = stream(t, s, "app_1", at(name), store.StreamFilter{}, 1)
				require.Equal(t, fresh, idsOf(got), name)
				for i := range fresh {
					c, err := s.Acknowledge(t.Context(), store.Consumer{PollerID: p.ID, Name: name, Epoch: epoch, Position: store.Position{MessageID: fresh[i]}})
					require.NoError(t, err)
					require.Equal(t, fresh[i], c.Position.MessageID)
					got, _ = stream(t, s, "app_1", at(name), store.StreamFilter{}, 1)
					require.Equal(t, fresh[i+1:], idsOf(got), name)
				}
			}
		}},
		{"what is removed while a stream is read does not disturb the reader", func(t *testing.T, s store.Store) {
			const old = 400
			for minute := range old {
				dispatched(t, s, messageAt("app_1", minute), store.Record{})
			}
			var fresh []string
			for minute := range 5 {
				fresh = append(fresh, createMessage(t, s, messageAt("app_1", old+10+minute)).ID)
			}
			removing := make(chan error)
			go func() {
				for from := ""; ; {
					r, err := s.RemoveMessages(t.Context(), at(old), from)
					if from = r.Next; err != nil || r.Done {
						removing <- err
						return
					}
				}
			}()
			for over := false; !over; {
				select {
				case err := <-removing:
					require.NoError(t, err)
					over = true // one more round
				default:
				}
				got, _ := stream(t, s, "app_1", store.Position{}, store.StreamFilter{}, 3)
				require.GreaterOrEqual(t, len(got), len(fresh))
				require.Equal(t, fresh, idsOf(got[len(got)-len(fresh):]))
			}
		}},
	}
}
