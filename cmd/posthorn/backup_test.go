package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// afterRestore is how long everything may take to be delivered: what has lost its workflow is woken when it is overdue by a
// minute, and a round of that is made every minute.
const afterRestore = 5 * time.Minute

// backup runs the command beside the server, and returns the file.
func (s *server) backup() string {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "backup")
	made := run(s.t, "backup", file, "--data-dir", s.dir)
	require.Zero(s.t, made.Code, "%s", made.Stderr)
	info, err := os.Stat(file)
	require.NoError(s.t, err)
	require.Equal(s.t, os.FileMode(0o600), info.Mode().Perm())
	return file
}

// restore makes a data folder of the file.
func restore(t *testing.T, file string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "restored")
	restored := run(t, "restore", file, "--data-dir", dir)
	require.Zero(t, restored.Code, "%s", restored.Stderr)
	return dir
}

// moveTo ends the server at once, and starts it on another data folder.
func (s *server) moveTo(dir string) {
	s.t.Helper()
	s.Kill()
	for i, arg := range s.args {
		if arg == s.dir {
			s.args[i] = dir
		}
	}
	s.dir = dir
	s.restart()
	s.waitReady()
}

// obstinate is a receiver that takes nothing until it is told to, and remembers what it then took.
type obstinate struct {
	*receiver
	takes atomic.Bool
}

func newObstinate(t *testing.T) *obstinate {
	o := &obstinate{}
	o.receiver = newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		if !o.takes.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
	})
	return o
}

// takenSince returns the ids of the messages that were asked for after a moment.
func (o *obstinate) takenSince(begin time.Time) map[string]bool {
	taken := make(map[string]bool)
	for _, r := range o.all() {
		if r.at.After(begin) {
			taken[r.header.Get("webhook-id")] = true
		}
	}
	return taken
}

// requireTaken waits until the receiver, told to take everything, has all of these messages, and the server has it on record.
func (o *obstinate) requireTaken(t *testing.T, s *server, messages []string) {
	t.Helper()
	begin := time.Now()
	o.takes.Store(true)
	missing := messages
	require.Eventually(t, func() bool {
		taken := o.takenSince(begin)
		for len(missing) > 0 && taken[missing[0]] {
			missing = missing[1:]
		}
		return len(missing) == 0
	}, afterRestore, 100*time.Millisecond, "waiting for %d messages", len(messages))
	for _, message := range messages {
		s.waitDelivery(t, message, "delivered")
	}
	t.Logf("%d messages were delivered within %s of the restoring", len(messages), time.Since(begin).Round(time.Millisecond))
}

// acceptedUntilNow returns what the posters have an answer for.
func (p *posters) acceptedUntilNow() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return keys(p.accepted)
}

// patient are the flags of servers whose deliveries stay open while the tests are at work.
func patient() []string {
	return []string{
		"--attempt-timeout", "5s", "--breaker-failures", "0",
		"--retry-schedule", "1s,2s,3s,4s,5s,5s,5s,5s,5s,5s,10s,10s,10s,10s,10s,10s,10s,10s,10s,10s,10s,10s,10s,10s,10s,10s,10s,10s,10s,10s,10s,10s,10s,10s,10s,10s",
	}
}

// TestBackup restores a backup that was made under load, and has everything that was accepted before it began delivered.
func TestBackup(t *testing.T) {
	t.Parallel()
	s := newServer(t, patient()...)
	s.createApp(t)
	o := newObstinate(t)
	s.createEndpoint(t, o.URL)
	posters := newPosters(t, s, 4)
	posters.burst(50)
	var scheduled struct{ ID string }
	s.do(t, http.MethodPost, "/app/acme/msg", fmt.Sprintf(
		`{"eventType":"a","payload":{},"deliverAt":%q}`, time.Now().Add(5*time.Second).UTC().Format(time.RFC3339Nano)), &scheduled)

	accepted := append(posters.acceptedUntilNow(), scheduled.ID)
	file := s.backup()
	require.Greater(t, len(posters.acceptedUntilNow()), len(accepted)-1, "the server went on meanwhile")
	posters.stop()
	s.moveTo(restore(t, file))
	require.Subset(t, s.messages(t), accepted)
	o.requireTaken(t, s, accepted)
	require.Zero(t, s.Stop(t), "%s", s.Stderr)
}

// TestBackupOfDifferentMoments makes the time between the copies of the two databases as long as a test can: the
// workflows are those of an early backup, the database is that of a late one. What began in between has no workflow, and
// what had begun before has one that lags behind. Everything is delivered all the same.
func TestBackupOfDifferentMoments(t *testing.T) {
	t.Parallel()
	s := newServer(t, patient()...)
	s.createApp(t)
	o := newObstinate(t)
	s.createEndpoint(t, o.URL)
	var messages []string
	for n := range 10 {
		messages = append(messages, s.send(t, fmt.Sprintf(`{"n":%d}`, n)))
	}
	early := restore(t, s.backup())

	for n := range 20 {
		messages = append(messages, s.send(t, fmt.Sprintf(`{"n":%d}`, n)))
	}
	for range 5 {
		var made struct{ ID string }
		s.do(t, http.MethodPost, "/app/acme/msg", fmt.Sprintf(
			`{"eventType":"a","payload":{},"deliverAt":%q}`, time.Now().Add(time.Minute).UTC().Format(time.RFC3339Nano)), &made)
		messages = append(messages, made.ID)
	}
	require.Eventually(t, func() bool { return len(o.takenSince(time.Time{})) == 30 }, patience, 20*time.Millisecond)
	late := restore(t, s.backup())
	for _, name := range []string{"temporal.db", "visibility.db"} {
		require.NoError(t, os.Rename(filepath.Join(early, name), filepath.Join(late, name)))
	}
	s.moveTo(late)
	o.requireTaken(t, s, messages)
	require.Zero(t, s.Stop(t), "%s", s.Stderr)
}

func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.createApp(t)
	file := s.backup()
	whole, err := os.ReadFile(file)
	require.NoError(t, err)

	again := run(t, "backup", file, "--data-dir", s.dir)
	require.Equal(t, 1, again.Code)
	require.Equal(t, "posthorn: "+file+" is there already\n", again.Stderr.String())
	nothing := t.TempDir()
	empty := run(t, "backup", filepath.Join(nothing, "file"), "--data-dir", nothing)
	require.Equal(t, 1, empty.Code)
	require.Contains(t, empty.Stderr.String(), "is not a data folder")
	require.Empty(t, names(t, nothing))

	used := run(t, "restore", file, "--data-dir", s.dir)
	require.Equal(t, 1, used.Code)
	require.Contains(t, used.Stderr.String(), s.dir+" is not empty")
	s.do(t, http.MethodGet, "/app/acme", "", nil)

	for name, change := range map[string]func([]byte) []byte{
		"cut short":       func(b []byte) []byte { return b[:len(b)/2] },
		"without its end": func(b []byte) []byte { return b[:len(b)-3*1024] },
		"damaged":         func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"something else":  func([]byte) []byte { return []byte("certainly no backup") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad, dir := filepath.Join(t.TempDir(), "bad"), t.TempDir()
			require.NoError(t, os.WriteFile(bad, change(append([]byte(nil), whole...)), 0o600))
			refused := run(t, "restore", bad, "--data-dir", dir)
			require.Equal(t, 1, refused.Code)
			require.Len(t, refused.Stderr.Lines(), 1)
			require.Contains(t, refused.Stderr.String(), bad)
			require.Empty(t, names(t, dir), "nothing is left behind")
		})
	}
}

func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
