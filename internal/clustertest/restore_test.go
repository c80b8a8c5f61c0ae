package clustertest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/clustertest"
	"github.com/posthorn/posthorn/internal/pgtest"
)

// TestRestore copies an installation's databases while events are posted, in the ways that docs/backup.md names, loses the
// installation, and starts another one on each copy: whatever was accepted before the copy was begun is delivered there,
// whatever it was waiting for.
func TestRestore(t *testing.T) {
	settings := []string{
		"POSTHORN_RETRY_SCHEDULE=1s,2s,5s,5s,5s,10s,10s,10s,10s,10s,10s,10s", "POSTHORN_ATTEMPT_TIMEOUT=3s",
		"POSTHORN_BREAKER_FAILURES=0", "POSTHORN_DISABLE_ENDPOINTS_AFTER=0s",
	}
	old := clustertest.Start(t, clustertest.Options{Replicas: 1, Settings: settings})
	old.CreateApplication()
	steady := clustertest.NewReceiver(t, old.API, "steady")
	shut, paused := newDoor(t), newDoor(t)
	for name, door := range map[string]*door{"shut": shut, "paused": paused} {
		old.Do(http.MethodPost, "/app/acme/endpoint", fmt.Sprintf(`{"url":%q,"uid":%q}`, door.URL, name), nil)
	}
	paused.open.Store(true)
	old.Do(http.MethodPost, "/app/acme/endpoint/paused/pause", "", nil)
	load := clustertest.StartLoad(old.API, perSecond)
	var later struct{ ID string }
	old.Do(http.MethodPost, "/app/acme/msg", fmt.Sprintf(`{"eventType":"order.created","payload":{"number":0},"deliverAt":%q}`,
		time.Now().Add(15*time.Second).UTC().Format(time.RFC3339)), &later)
	require.Eventually(t, func() bool { return len(load.Accepted()) > 3*perSecond }, recovery, tick)

	accepted := load.Accepted()
	accepted[later.ID] = 0
	dumps := dump(t, old.Databases)
	copied := old.Postgres.Copy(t)
	after := load.Accepted()
	require.Greater(t, len(after), len(accepted), "events were accepted while the copies were made")
	load.Stop()
	old.Replicas[0].Kill() // lost
	for _, p := range old.Temporal.Services() {
		p.Kill()
	}
	old.Postgres.Kill()
	shut.open.Store(true)

	goesOn := func(t *testing.T, databases *clustertest.Databases) {
		t.Helper()
		c := clustertest.Start(t, clustertest.Options{Replicas: 1, Databases: databases, Settings: settings})
		c.Do(http.MethodPost, "/app/acme/endpoint/paused/resume", "", nil)
		more := clustertest.StartLoad(c.API, perSecond)
		messages := make([]string, 0, len(accepted))
		for id := range accepted {
			messages = append(messages, id)
		}
		began := time.Now()
		requireDelivered(t, c, messages, 3)
		t.Logf("all was delivered %s after the start", time.Since(began).Round(100*time.Millisecond))
		books := more.Stop()
		for id := range books.Accepted {
			messages = append(messages, id)
		}
		requireDelivered(t, c, messages[len(accepted):], 3)
		for _, id := range messages {
			assert.True(t, shut.took(id) && paused.took(id), "%s has come", id)
		}
		require.Zero(t, steady.Missing(accepted)+steady.Missing(books.Accepted))
		require.Zero(t, c.Replicas[0].Stop())
	}
	t.Run("from pg_dump", func(t *testing.T) {
		server := pgtest.Start(t)
		databases := &clustertest.Databases{
			Server: server, Temporal: server.Database(t), Visibility: server.Database(t), Posthorn: server.Database(t),
		}
		restore(t, server, databases.Visibility, dumps.Visibility)
		restore(t, server, databases.Temporal, dumps.Temporal)
		restore(t, server, databases.Posthorn, dumps.Posthorn)
		server.Run(t, name(databases.Posthorn), relisting(t))
		goesOn(t, databases)
	})
	t.Run("from pg_dump of Posthorn's alone, with a new Temporal", func(t *testing.T) {
		server := pgtest.Start(t)
		databases := clustertest.NewDatabases(t, server)
		restore(t, server, databases.Posthorn, dumps.Posthorn)
		server.Run(t, name(databases.Posthorn), relisting(t))
		goesOn(t, databases)
	})
	// Last, because this copy lists the lost Temporal services as alive, and new ones look for them until the entries are old.
	t.Run("from pg_basebackup", func(t *testing.T) {
		goesOn(t, &clustertest.Databases{
			Server: copied, Temporal: copied.URL(name(old.Databases.Temporal)), Visibility: copied.URL(name(old.Databases.Visibility)),
			Posthorn: copied.URL(name(old.Databases.Posthorn)),
		})
	})
}

// name of the database that a URL is for.
func name(url string) string {
	base, _, _ := strings.Cut(filepath.Base(url), "?")
	return base
}

// dump copies each database, in the order of docs/backup.md, and returns the files.
func dump(t *testing.T, from clustertest.Databases) (files clustertest.Databases) {
	t.Helper()
	dir := t.TempDir()
	for i, one := range []struct {
		url  string
		file *string
	}{{from.Visibility, &files.Visibility}, {from.Temporal, &files.Temporal}, {from.Posthorn, &files.Posthorn}} {
		*one.file = filepath.Join(dir, fmt.Sprint(i+1, ".dump"))
		text, err := from.Server.Command("pg_dump", "--format=custom", "--dbname="+one.url).Output()
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(*one.file, text, 0o600))
	}
	return files
}

func restore(t *testing.T, to *pgtest.Server, url, file string) {
	t.Helper()
	input, err := os.Open(file)
	require.NoError(t, err)
	defer input.Close()
	command := to.Command("pg_restore", "--exit-on-error", "--no-owner", "--dbname="+url)
	command.Stdin = input
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// relisting is the SQL that the documentation says is to be executed before the first start.
func relisting(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/backup.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "```sql\n")
	require.True(t, found)
	sql, _, found := strings.Cut(rest, "```")
	require.True(t, found)
	return sql
}

// door is a receiver that refuses everything until it is opened.
type door struct {
	*httptest.Server
	open atomic.Bool

	mu    sync.Mutex
	taken map[string]bool
}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{taken: make(map[string]bool)}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !d.open.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.taken[r.Header.Get("webhook-id")] = true
	}))
	t.Cleanup(d.Close)
	return d
}

func (d *door) took(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.taken[id]
}
