package sqlite

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

// TestPayloadsOfAnEarlierVersionExpire begins with a database that knew no expiry of payloads.
func TestPayloadsOfAnEarlierVersionExpire(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "posthorn.db")
	old := migratedTo(t, path, 1)
	over, kept := posthorn.MessageID.New(), posthorn.MessageID.New()
	for id, expires := range map[string]time.Time{over: time.Now().Add(-time.Hour), kept: time.Now().Add(time.Hour)} {
		old("INSERT INTO message (id, app_id, event_type, expires_at) VALUES (?, 'app', 'e', ?)", id, expires.UnixMicro())
		old("INSERT INTO message_payload (message_seq, payload) VALUES (last_insert_rowid(), ?)", []byte(id))
	}

	s := open(t, Options{Path: path, Logger: slog.New(slog.DiscardHandler)})
	m, err := s.MessageByID(t.Context(), kept)
	require.NoError(t, err)
	require.Equal(t, kept, string(m.Payload))
	n, err := s.ExpirePayloads(t.Context(), time.Now())
	require.NoError(t, err)
	require.Equal(t, 1, n)
	m, err = s.MessageByID(t.Context(), kept)
	require.NoError(t, err)
	require.NotNil(t, m.Payload)
}

// TestExpiryGoesByTheClock moves the clock over the expiry of a payload.
func TestExpiryGoesByTheClock(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := open(t, Options{Now: func() time.Time { return now }})
	m := newMessage("app")
	m.ExpiresAt = now.Add(posthorn.MinRetention)
	require.NoError(t, s.CreateMessage(t.Context(), m))
	for _, c := range []struct {
		passed time.Duration
		kept   bool
	}{{0, true}, {posthorn.MinRetention - time.Microsecond, true}, {time.Microsecond, false}} {
		now = now.Add(c.passed)
		found, err := s.MessageByID(t.Context(), m.ID)
		require.NoError(t, err)
		require.Equal(t, c.kept, found.Payload != nil)
	}
	n, err := s.ExpirePayloads(t.Context(), now)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}
