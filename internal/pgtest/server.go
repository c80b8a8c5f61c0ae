package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/nettest"
	"github.com/posthorn/posthorn/internal/tooltest"
)

const (
	// patience is how long a server may take to start or stop: a loaded machine is no failure.
	patience = 2 * time.Minute
	// owner is the role that everything in a server belongs to. It needs no password from this machine.
	owner = "posthorn"
)

// Server is a PostgreSQL server on a free port of 127.0.0.1, with a folder of its own.
type Server struct {
	t        testing.TB          // whose it is; nil for the one that tests share
	programs string              // folder
	account  *syscall.Credential // whom it runs as; nil for whoever runs the tests
	dir, log string
	port     string
	options  []string
	run      *exec.Cmd // nil while it is stopped
	ended    chan struct{}
	made     atomic.Int64
}

// Start starts the server again, on the same port and the same files, and returns when it answers. Processes of one that
// was killed may need a moment to be gone.
func (s *Server) Start() {
	s.t.Helper()
	err := s.start()
	for deadline := time.Now().Add(patience); errors.Is(err, errEnded) && time.Now().Before(deadline); {
		<-time.After(100 * time.Millisecond)
		err = s.start()
	}
	require.NoError(s.t, err)
}

// errEnded is what becomes of a server that can't have its files.
var errEnded = errors.New("PostgreSQL has ended at once")

// Stop ends the server as an administrator does: transactions under way are undone.
func (s *Server) Stop() { s.end(syscall.SIGINT) }

// Kill ends all its processes at once, as the loss of power does.
func (s *Server) Kill() {
	s.t.Helper()
	require.NoError(s.t, s.run.Process.Signal(syscall.SIGSTOP), "so that it replaces none of its children")
	s.signalChildren(syscall.SIGKILL)
	s.end(syscall.SIGKILL)
}

// Pause makes the server mute: connections stay, and nothing is answered until Resume. A test that pauses it has to resume
// it before it ends.
func (s *Server) Pause() {
	s.t.Helper()
	require.NoError(s.t, s.run.Process.Signal(syscall.SIGSTOP))
	s.signalChildren(syscall.SIGSTOP)
}

// Resume lets the server go on where it was paused.
func (s *Server) Resume() {
	s.t.Helper()
	s.signalChildren(syscall.SIGCONT)
	require.NoError(s.t, s.run.Process.Signal(syscall.SIGCONT))
}

func (s *Server) signalChildren(signal syscall.Signal) {
	s.t.Helper()
	children, err := exec.CommandContext(s.t.Context(), "ps", "-o", "pid=", "--ppid", strconv.Itoa(s.PID())).Output()
	require.NoError(s.t, err)
	for _, child := range strings.Fields(string(children)) {
		pid, err := strconv.Atoi(child)
		require.NoError(s.t, err)
		_ = syscall.Kill(pid, signal) // it may have ended by itself
	}
}

// PID is the process of the running server.
func (s *Server) PID() int { return s.run.Process.Pid }

// Address is host and port.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", s.port) }

// URL is that of one of its databases.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", owner, s.Address(), database)
}

// Database makes a new, empty database, and returns its URL.
func (s *Server) Database(t testing.TB) (url string) {
	t.Helper()
	name := "test" + strconv.FormatInt(s.made.Add(1), 10)
	s.Run(t, "postgres", "CREATE DATABASE "+name+" TEMPLATE template0")
	return s.URL(name)
}

// Run executes SQL in one of its databases, and returns what that prints: a line for each row, with | between columns.
func (s *Server) Run(t testing.TB, database, text string) string {
	t.Helper()
	output, err := s.Command("psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
		"--set", "ON_ERROR_STOP=1", "--dbname", s.URL(database), "--command", text).CombinedOutput()
	require.NoError(t, err, "%s", output)
	return strings.TrimSpace(string(output))
}

// Command is one of PostgreSQL's programs, pg_dump for instance, run as the user whom the server runs as.
func (s *Server) Command(program string, arguments ...string) *exec.Cmd {
	c := exec.CommandContext(context.Background(), filepath.Join(s.programs, program), arguments...)
	c.Dir = "/"
	c.Env = []string{"PATH=" + s.programs + ":" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: s.account}
	return c
}

// Log is what the server has logged.
func (s *Server) Log() string {
	text, err := os.ReadFile(s.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// makeFolder makes an empty folder for the files of a server.
func (s *Server) makeFolder() error {
	if err := os.Mkdir(s.dir, 0o700); err != nil || s.account == nil {
		return err
	}
	return os.Chown(s.dir, int(s.account.Uid), int(s.account.Gid))
}

// initialise makes the files of a server.
func (s *Server) initialise() error {
	if err := s.makeFolder(); err != nil {
		return err
	}
	output, err := s.Command("initdb", "--pgdata", s.dir, "--auth", "trust", "--username", owner,
		"--encoding", "UTF8", "--locale", "C", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}

func (s *Server) start() error {
	arguments := []string{
		"-D", s.dir, "-p", s.port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=300",
	}
	for _, option := range s.options {
		arguments = append(arguments, "-c", option)
	}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	run, ended := s.Command("postgres", arguments...), make(chan struct{})
	run.Stdout, run.Stderr = log, log
	if err := run.Start(); err != nil {
		return err
	}
	s.run, s.ended = run, ended
	go func() {
		_ = run.Wait() // it is told to end, or killed
		close(ended)
	}()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		select {
		case <-ended:
			s.run = nil
			return fmt.Errorf("%w: %s", errEnded, s.Log())
		case <-time.After(50 * time.Millisecond):
		}
		if s.Command("pg_isready", "--quiet", "--host", "127.0.0.1", "--port", s.port).Run() == nil {
			return nil
		}
	}
	return fmt.Errorf("PostgreSQL does not answer: %s", s.Log())
}

func (s *Server) end(how syscall.Signal) {
	s.t.Helper()
	require.NotNil(s.t, s.run, "it does not run")
	require.NoError(s.t, s.signal(how))
	s.run = nil
}

// signal returns when the server has ended.
func (s *Server) signal(how syscall.Signal) error {
	if err := s.run.Process.Signal(how); err != nil {
		return err
	}
	if how == syscall.SIGKILL {
		_ = s.run.Process.Signal(syscall.SIGCONT)
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(patience):
		return errors.New("PostgreSQL does not end: " + s.Log())
	}
}

// account is whom the server runs as, because it refuses to run as root; nil where tests don't either.
func account(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(found.Uid, 10, 32)
		require.NoError(t, err)
		gid, err := strconv.ParseUint(found.Gid, 10, 32)
		require.NoError(t, err)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	tooltest.Absent(t, "there is no user whom PostgreSQL could run as")
	return nil
}

// reach lets everybody pass through the folders of a test on the way to one of its files.
func reach(dir string) error {
	for root := filepath.Clean(os.TempDir()); len(dir) > len(root); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // another user has to come through
			return err
		}
	}
	return nil
}

func freePort(t testing.TB) string {
	t.Helper()
	_, port, err := net.SplitHostPort(nettest.FreeAddress(t))
	require.NoError(t, err)
	return port
}
