package pgtest_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/pgtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := pgtest.Release(); err != nil {
		fmt.Fprintln(os.Stderr, "ending PostgreSQL:", err)
		code = 1
	}
	os.Exit(code)
}

func TestServer(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	require.NotEqual(t, s.Database(t), s.Database(t))
	s.Run(t, "test1", "CREATE TABLE a (n int); INSERT INTO a VALUES (1), (2)")
	for name, again := range map[string]func(){"stopped": s.Stop, "killed": s.Kill} {
		again()
		s.Start()
		require.Equal(t, "2|3", s.Run(t, "test1", "SELECT count(*), sum(n) FROM a"), name)
	}
}

func TestPausedServer(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	s.Database(t)
	s.Pause()
	answer := make(chan string)
	go func() {
		output, err := s.Command("psql", "--no-psqlrc", "--tuples-only", "--no-align", "--dbname", s.URL("test1"), "--command", "SELECT 7").CombinedOutput()
		answer <- fmt.Sprint(string(output), err)
	}()
	select {
	case early := <-answer:
		t.Errorf("it has answered: %s", early)
		s.Resume()
	case <-time.After(300 * time.Millisecond):
		s.Resume()
		require.Equal(t, "7\n<nil>", <-answer)
	}
}

func TestSharedServer(t *testing.T) {
	t.Parallel()
	require.NotEqual(t, pgtest.Shared(t), pgtest.Shared(t))
}
