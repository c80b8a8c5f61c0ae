package sqlite

import (
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// TestMigrationOfLists has data from before there were indexes by event type, channel and outcome.
func TestMigrationOfLists(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "posthorn.db")
	old := migratedTo(t, path, 1)
	const messages = 12
	var ids, attempts []string
	for i := range messages {
		moment := time.UnixMilli(int64(1_772_000_000_000 + i*60_000))
		ids = append(ids, posthorn.MessageID.Floor(moment))
		attempts = append(attempts, posthorn.AttemptID.Floor(moment))
		eventType, channels, state, status := "common", any(nil), "delivered", 200
		switch i {
		case 3:
			eventType, channels = "rare", `["eu","vip"]`
		case 5:
			channels, state, status = `["eu"]`, "failed", 503
		}
		old(`INSERT INTO message (id, app_id, event_type, channels) VALUES (?, 'app_1', ?, ?)`, ids[i], eventType, channels)
		old(`INSERT INTO delivery (message_id, endpoint_id, app_id, state, reason, attempts, scheduled, newest) VALUES (?, 'ep_1', 'app_1', ?, '', 1, 1, '')`, ids[i], state)
		old(`INSERT INTO attempt (id, message_id, endpoint_id, app_id, event_type, number, trigger, url, duration, success, status, truncated, error_class, message)
			VALUES (?, ?, 'ep_1', 'app_1', ?, 1, 'auto', 'https://example.com', 5, ?, ?, 0, '', '')`, attempts[i], ids[i], eventType, status == 200, status)
	}

	s := open(t, Options{Path: path})
	no, class := false, 500
	page := store.Page{Limit: 100}
	for _, c := range []struct {
		filter  store.MessageFilter
		states  []posthorn.DeliveryState
		success *bool
		class   *int
		want    []int
	}{
		{filter: store.MessageFilter{EventTypes: []string{"rare"}}, want: []int{3}},
		{filter: store.MessageFilter{Channel: "eu"}, want: []int{3, 5}},
		{filter: store.MessageFilter{Channel: "vip"}, want: []int{3}},
		{filter: store.MessageFilter{Tag: "eu"}},
		{states: []posthorn.DeliveryState{posthorn.Failed}, success: &no, want: []int{5}},
		{filter: store.MessageFilter{Channel: "eu", EventTypes: []string{"common"}}, class: &class, states: []posthorn.DeliveryState{posthorn.Failed}, want: []int{5}},
	} {
		found, err := s.ListEndpointMessages(t.Context(), "ep_1", store.EndpointMessageFilter{MessageFilter: c.filter, States: c.states}, page)
		require.NoError(t, err)
		require.Len(t, found.Items, len(c.want), "%+v", c)
		tried, err := s.ListAttempts(t.Context(), store.AttemptFilter{
			EndpointID: "ep_1", Channel: c.filter.Channel, Tag: c.filter.Tag, EventTypes: c.filter.EventTypes, Success: c.success, StatusClass: c.class,
		}, page)
		require.NoError(t, err)
		require.Len(t, tried.Items, len(c.want), "%+v", c)
		for i, want := range c.want {
			require.Equal(t, ids[want], found.Items[i].Message.ID)
			require.Equal(t, attempts[want], tried.Items[i].ID)
		}
		if c.states == nil {
			sent, err := s.ListMessages(t.Context(), "app_1", c.filter, page)
			require.NoError(t, err)
			require.Len(t, sent.Items, len(c.want), "%+v", c)
		}
	}
	everything, err := s.ListEndpointMessages(t.Context(), "ep_1", store.EndpointMessageFilter{}, page)
	require.NoError(t, err)
	require.Len(t, everything.Items, messages)
}

// migratedTo makes a database of an older schema and returns what changes it.
func migratedTo(t *testing.T, path string, version int64) func(text string, args ...any) {
	t.Helper()
	db, err := connectWriter(path, Normal)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	folder, err := fs.Sub(migrations, "migrations")
	require.NoError(t, err)
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, folder, goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	require.NoError(t, err)
	_, err = provider.UpTo(t.Context(), version)
	require.NoError(t, err)
	return func(text string, args ...any) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), text, args...)
		require.NoError(t, err)
	}
}

// TestMigrationFromTheFirstSchema holds that what the first version stored is found by this one.
func TestMigrationFromTheFirstSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "posthorn.db")
	old := migratedTo(t, path, 1)
	for _, text := range []string{
		`INSERT INTO event_type (org_id, name, description, archived, deprecated, feature_flag, schemas, created_at, updated_at)
			VALUES ('org', 'flagged', 'd', 0, 1, 'beta', '{"1":{}}', 1, 2), ('org', 'plain', '', 0, 0, NULL, NULL, 1, 2)`,
		`INSERT INTO message (seq, id, app_id, event_type, created_at) VALUES (7, 'msg_1', 'app_1', 'flagged', 1)`,
		`INSERT INTO message_payload (message_seq, payload) VALUES (7, X'7B7D')`,
	} {
		old(text)
	}

	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	flagged, err := s.EventType(t.Context(), "org", "flagged")
	require.NoError(t, err)
	require.Equal(t, []string{"beta"}, flagged.FeatureFlags)
	require.Equal(t, posthorn.Unchecked, flagged.Validation)
	require.True(t, flagged.Deprecated)
	plain, err := s.EventType(t.Context(), "org", "plain")
	require.NoError(t, err)
	require.Empty(t, plain.FeatureFlags)
	m, err := s.MessageByID(t.Context(), "msg_1")
	require.NoError(t, err)
	require.Equal(t, "{}", string(m.Payload))
	require.Empty(t, m.Variants)
	require.Empty(t, m.Warnings)
	require.Empty(t, m.OnlyEndpoint)
}
