package sqlstore

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// planDatabase is SQLite's schema, to ask for the plans of queries.
type planDatabase struct{ *sql.DB }

func open(t *testing.T) *Session {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "posthorn.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("../sqlite/migrations"),
		goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true))
	require.NoError(t, err)
	_, err = provider.Up(t.Context())
	require.NoError(t, err)
	return NewSession(planDatabase{db})
}

func (d planDatabase) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	result, err := d.ExecContext(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (d planDatabase) Query(ctx context.Context, text string, args ...any) (Rows, error) {
	return d.QueryContext(ctx, text, args...) //nolint:rowserrcheck // by whoever reads the rows
}
