package postgres

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/pgtest"
)

func TestMigrate(t *testing.T) {
	t.Parallel()

	t.Run("several at the same time, and again", func(t *testing.T) {
		t.Parallel()
		url := pgtest.Shared(t)
		problems := make(chan error, 6)
		atOnce(6, func(int) { problems <- Migrate(t.Context(), url, quiet) })
		for range 6 {
			require.NoError(t, <-problems)
		}
		require.NoError(t, Migrate(t.Context(), url, quiet))
		open(t, url)
	})

	t.Run("a schema that is older is refused with the way out", func(t *testing.T) {
		t.Parallel()
		url := pgtest.Shared(t)
		for range 2 {
			_, err := Open(t.Context(), Options{URL: url})
			require.ErrorContains(t, err, "run `posthorn migrate` first")
		}
		require.NoError(t, Migrate(t.Context(), url, quiet))
		open(t, url)
	})

	t.Run("a schema that is newer is refused", func(t *testing.T) {
		t.Parallel()
		url := migrated(t)
		ask(t, url, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)")
		_, err := Open(t.Context(), Options{URL: url})
		require.ErrorContains(t, err, "schema version 9999")
		require.ErrorContains(t, Migrate(t.Context(), url, quiet), "schema version 9999")
	})

	t.Run("settings that are wrong are refused, without the password", func(t *testing.T) {
		t.Parallel()
		for _, url := range []string{"", "postgres://me:hunter2@host:port/db"} {
			_, err := Open(t.Context(), Options{URL: url})
			require.ErrorContains(t, err, "URL")
			require.NotContains(t, err.Error(), "hunter2")
		}
		_, err := Open(t.Context(), Options{URL: "postgres://me:hunter2@127.0.0.1:1/db"})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "hunter2")
	})
}
