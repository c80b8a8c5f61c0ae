package cli

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	temporal "go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn/internal/config"
)

// setupCluster has a Temporal cluster to connect to.
func setupCluster(t *testing.T) *bundle {
	t.Helper()
	b := setup(t)
	b.program.temporal = func() (temporal.Options, error) {
		return temporal.Options{HostPort: "temporal.test:7233", Namespace: "hooks"}, nil
	}
	return b
}

func TestServe(t *testing.T) {
	t.Parallel()

	t.Run("takes its settings from variables and runs the role", func(t *testing.T) {
		t.Parallel()
		for command, role := range map[string]config.Role{"serve": config.Serve, "api": config.API, "worker": config.Worker} {
			b := setupCluster(t)
			b.env = map[string]string{
				"POSTHORN_DATABASE_URL": "postgres://me:hunter2@db.test/hooks", "POSTHORN_DATABASE_CONNECTIONS": "7",
				"POSTHORN_JWT_KEY_FILE": "/key", "POSTHORN_DRAIN_DELAY": "3s",
				"POSTHORN_DEPLOYMENT_NAME": "hooks", "POSTHORN_BUILD_ID": "v2", "POSTHORN_PINNED": "true",
			}
			got := configured(t, b, command)
			require.Equal(t, config.Cluster{
				Role:       role,
				Database:   config.Database{URL: "postgres://me:hunter2@db.test/hooks", Connections: 7},
				Temporal:   temporal.Options{HostPort: "temporal.test:7233", Namespace: "hooks"},
				Deployment: config.Deployment{Name: "hooks", BuildID: "v2", Pinned: true},
				DrainDelay: 3 * time.Second,
			}, got.Cluster)
			require.Equal(t, 1, b.server.closed)
			require.Contains(t, b.stdout.String(), command+" is ready at http://127.0.0.1:8071")
			require.NotContains(t, b.stdout.String()+b.stderr.String(), "hunter2")
		}
	})
	t.Run("names the flags that are missing or wrong, and no password", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			args []string
			want string
		}{
			{[]string{"serve", "--jwt-key-file", "/key"}, "--database-url must say where PostgreSQL is"},
			{[]string{"serve", "--database-url", "postgres://db/x"}, "--jwt-key-file must name the file"},
			{[]string{"worker", "--database-url", "mysql://me:hunter2@db/x"}, "--database-url must be a URL such as"},
			{[]string{"worker", "--database-url", "postgres://me:hunter2@db/x%"}, "--database-url must be a URL such as"},
			{[]string{"worker", "--database-url", "postgres://db/x", "--database-url-file", "/url"}, "exclude each other"},
			{[]string{"worker", "--database-url", "postgres://db/x", "--database-connections", "1"}, "--database-connections must be between"},
			{[]string{"worker", "--database-url", "postgres://db/x", "--drain-delay", "1h"}, "--drain-delay must be between"},
			{[]string{"worker", "--database-url", "postgres://db/x", "--pinned"}, "are for --deployment-name"},
			{[]string{"migrate"}, "--database-url must say where PostgreSQL is"},
		} {
			b := setupCluster(t)
			require.Equal(t, 2, b.run(t, c.args...), c.args)
			require.Contains(t, b.stderr.String(), c.want)
			require.NotContains(t, b.stderr.String(), "hunter2")
		}
	})
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	b := setupCluster(t)
	file := filepath.Join(t.TempDir(), "url")
	require.NoError(t, os.WriteFile(file, []byte("postgres://db.test/hooks\n"), 0o600))
	var got config.Cluster
	b.program.migrate = func(_ context.Context, cfg config.Cluster, say func(string, ...any), _ *slog.Logger) error {
		got = cfg
		say("did %d things", 2)
		return nil
	}
	require.Equal(t, 0, b.run(t, "migrate", "--database-url-file", file), b.stderr)
	require.Equal(t, "did 2 things\n", b.stdout.String())
	require.Equal(t, file, got.Database.URLFile)
	require.Equal(t, "hooks", got.Temporal.Namespace)
}
