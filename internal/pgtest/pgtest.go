// Package pgtest starts real PostgreSQL servers, for tests.
package pgtest

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/tooltest"
)

// Start starts a server of the test's own, which ends with it. Options are settings, as `name=value`.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	return StartIn(t, t.TempDir(), options...)
}

// StartIn is Start with the server's files in a folder.
func StartIn(t testing.TB, dir string, options ...string) *Server {
	t.Helper()
	s, err := launch(t, dir, options)
	require.NoError(t, err)
	s.owned(t)
	return s
}

// Copy makes another server with pg_basebackup, as this one, which goes on meanwhile, was at one moment of that.
func (s *Server) Copy(t testing.TB) *Server {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, reach(dir))
	other := &Server{
		programs: s.programs, account: s.account, port: freePort(t),
		dir: filepath.Join(dir, "data"), log: filepath.Join(dir, "log"), options: s.options,
	}
	other.made.Store(s.made.Load())
	require.NoError(t, other.makeFolder())
	output, err := s.Command("pg_basebackup", "--dbname", s.URL("postgres"), "--pgdata", other.dir, "--checkpoint=fast", "--no-sync").CombinedOutput()
	require.NoError(t, err, "%s", output)
	require.NoError(t, other.start())
	other.owned(t)
	return other
}

// owned has the end of a test end the server.
func (s *Server) owned(t testing.TB) {
	s.t = t
	t.Cleanup(func() {
		if s.run != nil {
			s.end(syscall.SIGQUIT)
		}
	})
}

// shared is one server for all tests of a process.
var shared struct {
	sync.Mutex
	*Server
}

// Shared returns the URL of a new, empty database on a server that all tests of the process share. Its commits don't wait
// for the disk. The package's TestMain has to end with [Release].
func Shared(t testing.TB) (url string) {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.Server == nil {
		dir, err := os.MkdirTemp("", "pgtest-*")
		require.NoError(t, err)
		shared.Server, err = launch(t, dir, []string{"fsync=off", "synchronous_commit=off", "full_page_writes=off"})
		require.NoError(t, err)
	}
	return shared.Database(t)
}

// Release ends the server that tests have shared, if they have.
func Release() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.Server == nil {
		return nil
	}
	if err := shared.signal(syscall.SIGQUIT); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Dir(shared.dir))
}

// launch makes a server's files in a folder, and starts it.
func launch(t testing.TB, dir string, options []string) (*Server, error) {
	t.Helper()
	s := &Server{
		programs: programs(t), account: account(t), port: freePort(t),
		dir: filepath.Join(dir, "data"), log: filepath.Join(dir, "log"), options: options,
	}
	if err := reach(dir); err != nil {
		return nil, err
	}
	if err := s.initialise(); err != nil {
		return nil, err
	}
	return s, s.start()
}

// programs is the folder of PostgreSQL's programs: Debian keeps it out of PATH. The newest version counts.
func programs(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	require.NoError(t, err)
	if path := os.Getenv("PATH"); len(found) == 0 {
		for _, dir := range filepath.SplitList(path) {
			if _, err := os.Stat(filepath.Join(dir, "postgres")); err == nil {
				return dir
			}
		}
		tooltest.Absent(t, "PostgreSQL is not installed")
	}
	return filepath.Dir(found[len(found)-1])
}
