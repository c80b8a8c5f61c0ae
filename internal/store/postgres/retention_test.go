package postgres

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// TestRetentionThatIsHeldUpHoldsNobodyUp stops a removal in the middle of its transaction, with all locks that it has by
// then, and lets another store write and deliver messages to the end before it may go on.
func TestRetentionThatIsHeldUpHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	const old, fresh = 60, 40
	url := migrated(t)
	remover, writer := open(t, url), open(t, url)
	appID := posthorn.ApplicationID.New()
	cutoff := time.Now().Add(-24 * time.Hour)
	for range old {
		m := message(appID)
		m.ID = posthorn.MessageID.Derive(cutoff.Add(-time.Hour), m.ID)
		require.NoError(t, deliver(t, remover, m))
	}
	obstacle, err := connection(t, url).Begin(t.Context())
	require.NoError(t, err)
	_, err = obstacle.Exec(t.Context(), "SELECT FROM delivery FOR UPDATE")
	require.NoError(t, err)

	removed, removing := 0, errgroup.Group{}
	removing.Go(func() error {
		for from, done := "", false; !done; {
			r, err := remover.RemoveMessages(t.Context(), cutoff, from)
			if err != nil {
				return err
			}
			removed, from, done = removed+r.Items, r.Next, r.Done
		}
		return nil
	})
	stuck := "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'DELETE FROM delivery%'"
	require.Eventually(t, func() bool { return count(t, url, stuck) == 1 }, time.Minute, 10*time.Millisecond)
	for range fresh {
		require.NoError(t, deliver(t, writer, message(appID)))
	}
	require.Equal(t, 1, count(t, url, stuck), "the removal is still held up")
	require.NoError(t, obstacle.Rollback(t.Context()))
	require.NoError(t, removing.Wait())
	require.Equal(t, old, removed)
	for _, table := range []string{"message", "message_payload", "delivery", "attempt"} {
		require.Equal(t, fresh, count(t, url, "SELECT count(*) FROM "+table), table)
	}
}

// deliver stores a message and its first attempt, which succeeds.
func deliver(t *testing.T, s *Store, m posthorn.Message) error {
	if err := s.CreateMessage(t.Context(), m); err != nil {
		return err
	}
	endpointID := posthorn.EndpointID.Derive(time.UnixMilli(1), m.AppID)
	at := posthorn.MessageID.Time(m.ID)
	_, err := s.Record(t.Context(), store.Record{
		MessageID: m.ID, AppID: m.AppID, Dispatched: true,
		Attempts: []posthorn.Attempt{{
			ID: posthorn.AttemptID.Derive(at, m.ID), MessageID: m.ID, AppID: m.AppID, EndpointID: endpointID, EventType: m.EventType,
			Trigger: posthorn.Automatic, URL: "https://hooks.example.com/in", StartedAt: at, Success: true, Status: 200, Message: "200 OK",
		}},
	})
	return err
}
