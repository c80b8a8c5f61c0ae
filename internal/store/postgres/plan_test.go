package postgres

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/pgtest"
	"github.com/posthorn/posthorn/internal/store"
)

// filled is how many messages there are, each with a delivery and an attempt: so many that to read a table from end to end
// is the dearest way to find something in it.
const filled = 100_000

// filledAt is when a message was made.
func filledAt(now time.Time, i int) time.Time {
	const each = 9 * 24 * time.Hour / filled
	return now.Add(-each * time.Duration(filled-i))
}

// filledWeeks is how many weeks have partitions; most of them are empty, like those of the first days of an installation.
const filledWeeks = 15

// fill fills a database whose weeks all have partitions, and returns the IDs of messages by their numbers.
func fill(t testing.TB, url string, now time.Time) (ids []string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	for weeks := range filledWeeks {
		_, err := makePartitions(t.Context(), conn, now.AddDate(0, 0, -7*weeks), migrateTries)
		require.NoError(t, err)
	}
	_, err = conn.Exec(t.Context(), "CREATE TEMP TABLE n (i bigint, id text, attempt text, app text)")
	require.NoError(t, err)
	rows := make([][]any, filled)
	ids = make([]string, filled)
	for i := range rows {
		at := filledAt(now, i)
		ids[i] = posthorn.MessageID.Derive(at, fmt.Sprint(i))
		rows[i] = []any{i, ids[i], posthorn.AttemptID.Derive(at, fmt.Sprint(i)), fmt.Sprint("app_", i%2+1)}
	}
	_, err = conn.CopyFrom(t.Context(), pgx.Identifier{"n"}, []string{"i", "id", "attempt", "app"}, pgx.CopyFromRows(rows))
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), filling)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), analyzing)
	require.NoError(t, err)
	return ids
}

const filling = `WITH
m AS (INSERT INTO message (seq, id, app_id, event_type, channels, created_at, event_id) SELECT i, id, app, 'type ' || i % 5, '["eu"]', i, 'event ' || i FROM n),
p AS (INSERT INTO message_payload (message_id, expires_at, payload) SELECT id, 9e18::bigint - i, 'x' FROM n),
l AS (INSERT INTO label (owner_id, kind, name, event_type, standing, item_id) SELECT app, 'channel', 'eu', 'type ' || i % 5, '', id FROM n),
d AS (INSERT INTO delivery (message_id, endpoint_id, app_id, state, reason, attempts, scheduled, newest, event_type, waits, alarmed, parked, ordering_key, updated_at)
	SELECT id, 'ep_' || i % 20, app, CASE WHEN i % 50 = 0 THEN 'retrying' ELSE 'delivered' END, '', 1, 1, attempt, 'type ' || i % 5,
	CASE WHEN i % 100 = 0 THEN 'circuit_open' ELSE '' END, false, false, CASE WHEN i % 7 = 0 THEN 'key' END, i FROM n)
INSERT INTO attempt (seq, id, message_id, endpoint_id, app_id, event_type, number, trigger, url, duration, success, status, truncated, error_class, message)
SELECT i, attempt, id, 'ep_' || i % 20, app, 'type ' || i % 5, 1, 'automatic', '', 1, i % 50 > 0, 200, false, '', '' FROM n`

// analyzing does what the server does by itself, which leaves tables with partitions out.
const analyzing = `DO $$ DECLARE name text; BEGIN
	FOR name IN SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema::regnamespace LOOP
		EXECUTE 'ANALYZE ' || name;
	END LOOP;
END $$`

// TestNothingReadsAWholeTable asks for everything that is asked for often, and looks at how the server found it.
func TestNothingReadsAWholeTable(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t, "session_preload_libraries=auto_explain", "auto_explain.log_min_duration=0", "auto_explain.log_nested_statements=on")
	url := server.Database(t)
	require.NoError(t, Migrate(t.Context(), url, quiet))
	now := time.Now()
	ids := fill(t, url, now)
	before := len(server.Log())
	s := open(t, url)

	ctx, id := t.Context(), ids[filled/2]
	window := store.Window{After: time.Unix(1, 0), Before: now}
	page := store.Page{Limit: 10}
	success := true
	m := message("app_1")
	ep := posthorn.Endpoint{ID: "ep_1", AppID: "app_1"}
	for name, call := range map[string]func() error{
		"CreateMessage":  func() error { return s.CreateMessage(ctx, m) },
		"MessageByID":    func() error { _, err := s.MessageByID(ctx, id); return err },
		"Record":         func() error { return recordOne(ctx, s, message("app_1")) },
		"Undispatched":   func() error { _, err := s.Undispatched(ctx, "", now, 10); return err },
		"ExpirePayloads": func() error { _, err := s.ExpirePayloads(ctx, now); return err },
		"PurgePayloads":  func() error { _, err := s.PurgePayloads(ctx, "app_9", "", "x"); return err },
		"ListMessages": func() error {
			_, err := s.ListMessages(ctx, "app_1", store.MessageFilter{Window: window}, page)
			return err
		},
		"ListMessages by type and channel": func() error {
			_, err := s.ListMessages(ctx, "app_1", store.MessageFilter{EventTypes: []string{"type 1"}, Channel: "eu", WithPayload: true}, page)
			return err
		},
		"ListEndpointMessages": func() error {
			_, err := s.ListEndpointMessages(ctx, "ep_1", store.EndpointMessageFilter{}, page)
			return err
		},
		"ListAttempts by endpoint": func() error {
			_, err := s.ListAttempts(ctx, store.AttemptFilter{EndpointID: "ep_1", Success: &success}, page)
			return err
		},
		"ListAttempts by message": func() error {
			_, err := s.ListAttempts(ctx, store.AttemptFilter{MessageID: id, EndpointID: "ep_0"}, page)
			return err
		},
		"CountAttempts":     func() error { _, err := s.CountAttempts(ctx, store.AttemptFilter{EndpointID: "ep_1"}, 100); return err },
		"EndpointFigures":   func() error { _, err := s.EndpointFigures(ctx, "ep_1", window); return err },
		"MessageDeliveries": func() error { _, err := s.MessageDeliveries(ctx, id); return err },
		"Stream": func() error {
			_, err := s.Stream(ctx, "app_1", store.Position{MessageID: id}, store.StreamFilter{EventTypes: [][]string{{"type 0"}}}, 10)
			return err
		},
		"CountDestinations": func() error { _, err := s.CountDestinations(ctx, "app_1", id, id+"9", 100); return err },
		"NeverSent":         func() error { _, err := s.NeverSent(ctx, "ep_1", []string{id}); return err },
		"LastStatusClasses": func() error { _, err := s.LastStatusClasses(ctx, "ep_1", []string{id}); return err },
		"CountWaiting":      func() error { _, err := s.CountWaiting(ctx, "ep_1"); return err },
		"Release":           func() error { _, err := s.Release(ctx, "ep_0", posthorn.Waits(), now, 5); return err },
		"Overdue":           func() error { _, err := s.Overdue(ctx, now, 10); return err },
		"Retrying":          func() error { _, err := s.Retrying(ctx, "ep_0", "", 10); return err },
		"CancelOlder":       func() error { _, err := s.CancelOlder(ctx, "ep_10", id, "x", 5); return err },
		"Land":              func() error { _, err := s.Land(ctx, "ep_0", "x", now, now); return err },
		"Blocker": func() error {
			_, err := s.Blocker(ctx, &ep, &posthorn.Message{ID: id, AppID: "app_1", OrderingKey: "key"})
			return err
		},
		"Unblocked":      func() error { _, _, err := s.Unblocked(ctx, "ep_0", "", now, 3); return err },
		"RemoveMessages": func() error { _, err := s.RemoveMessages(ctx, time.Unix(1, 0), ""); return err },
		"RemoveAttempts": func() error { _, err := s.RemoveAttempts(ctx, time.Unix(1, 0), "10"); return err },
		"CancelMessage":  func() error { _, err := s.CancelMessage(ctx, "app_1", id, now); return err },
	} {
		require.NoError(t, call(), name)
	}
	plans := strings.Split(server.Log()[before:], " plan:")
	require.Greater(t, len(plans), 50)
	for _, plan := range plans {
		assert.Empty(t, wholeTable.FindString(plan), "%.2000s", plan)
	}
}

// wholeTable is what a plan says that reads a table from end to end in which there is something.
var wholeTable = regexp.MustCompile(`Seq Scan on (message|message_payload|delivery|attempt|label)_(msg|atmpt)_\d+\b.* rows=\d{4,} `)

func recordOne(ctx context.Context, s *Store, m posthorn.Message) error {
	if err := s.CreateMessage(ctx, m); err != nil {
		return err
	}
	_, err := s.Record(ctx, store.Record{
		MessageID: m.ID, AppID: m.AppID, Pending: []string{"ep_1"}, Attempts: []posthorn.Attempt{attempt(m, "ep_1", true)}, Dispatched: true,
	})
	return err
}
