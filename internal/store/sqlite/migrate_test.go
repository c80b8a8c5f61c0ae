package sqlite

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

// TestMigrationFromTheFirstSchema holds that what the first version stored is found by this one.
func TestMigrationFromTheFirstSchema(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "posthorn.db")
	require.NoError(t, createFile(path))
	db, err := connectWriter(path, Full)
	require.NoError(t, err)
	folder, err := fs.Sub(migrations, "migrations")
	require.NoError(t, err)
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, folder, goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	require.NoError(t, err)
	_, err = provider.UpTo(t.Context(), 1)
	require.NoError(t, err)
	for _, text := range []string{
		`INSERT INTO event_type (org_id, name, description, archived, deprecated, feature_flag, schemas, created_at, updated_at)
			VALUES ('org', 'flagged', 'd', 0, 1, 'beta', '{"1":{}}', 1, 2), ('org', 'plain', '', 0, 0, NULL, NULL, 1, 2)`,
		`INSERT INTO message (seq, id, app_id, event_type, created_at) VALUES (7, 'msg_1', 'app_1', 'flagged', 1)`,
		`INSERT INTO message_payload (message_seq, payload) VALUES (7, X'7B7D')`,
	} {
		_, err := db.ExecContext(t.Context(), text)
		require.NoError(t, err)
	}
	require.NoError(t, db.Close())

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
