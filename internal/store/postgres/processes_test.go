package postgres

import (
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/posthorn/posthorn/internal/pgtest"
)

// migrateURL makes this test program, started again, migrate a database instead.
const migrateURL = "POSTHORN_TEST_MIGRATE_URL"

func TestMigrateProcess(t *testing.T) {
	url := os.Getenv(migrateURL)
	if url == "" {
		return // it is not one of those that TestSeveralProcessesMigrate starts
	}
	require.NoError(t, Migrate(t.Context(), url, slog.New(slog.DiscardHandler)))
}

func TestSeveralProcessesMigrate(t *testing.T) {
	t.Parallel()
	url := pgtest.Shared(t)
	var processes errgroup.Group
	outputs := make([]string, 4)
	for i := range outputs {
		processes.Go(func() error {
			c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestMigrateProcess$", "-test.v")
			c.Env = append(os.Environ(), migrateURL+"="+url)
			output, err := c.CombinedOutput()
			outputs[i] = string(output)
			return err
		})
	}
	require.NoError(t, processes.Wait(), "%s", outputs)
	require.Equal(t, 1, count(t, url, "SELECT count(*) FROM goose_db_version WHERE version_id = 1"))
	open(t, url)
}

func connection(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close(t.Context()) })
	return c
}

func count(t *testing.T, url, text string) (n int) {
	t.Helper()
	conn := connection(t, url)
	defer conn.Close(t.Context()) //nolint:errcheck // many are made
	require.NoError(t, conn.QueryRow(t.Context(), text).Scan(&n))
	return n
}
