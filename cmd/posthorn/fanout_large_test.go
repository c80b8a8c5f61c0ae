package main_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"
)

// TestCrashInALargeFanout kills the program while it sends one message to very many endpoints.
func TestCrashInALargeFanout(t *testing.T) {
	t.Parallel()
	const endpoints = 1500
	s := newServer(t, "--attempt-timeout", "6s")
	s.createApp(t)
	var mu sync.Mutex
	taken := map[string]int{}
	enough, died := make(chan struct{}), make(chan struct{})
	r := newReceiver(t, func(_ http.ResponseWriter, r *http.Request, n int) {
		if n > endpoints*2/3 {
			select { // the rest wait until the process has been killed, and those that it sent are none
			case <-r.Context().Done():
				return
			case <-died:
			}
		}
		mu.Lock()
		defer mu.Unlock()
		taken[r.URL.Path[1:]]++
		if n == endpoints*2/3 {
			close(enough)
		}
	})
	var creating sync.WaitGroup
	for first := range 10 {
		creating.Go(func() {
			for i := first; i < endpoints; i += 10 {
				status, answer, err := s.call(t.Context(), http.MethodPost, "/app/acme/endpoint", fmt.Sprintf(`{"url":"%s/%d"}`, r.URL, i))
				if err != nil || status != http.StatusCreated {
					t.Errorf("creating an endpoint: %d %s %v", status, answer, err)
					return
				}
			}
		})
	}
	creating.Wait()
	var message struct{ ID string }
	s.do(t, http.MethodPost, "/app/acme/msg", `{"eventType":"a","payload":{}}`, &message)
	<-enough
	s.Kill()
	<-time.After(leftovers)
	close(died)
	recorded := deliveredTo(t, s, message.ID)
	mu.Lock()
	before := len(taken)
	mu.Unlock()
	t.Logf("%d of %d endpoints had the message and %d of them were on record when the process died", before, endpoints, len(recorded))
	require.NotEmpty(t, recorded)
	require.Less(t, before, endpoints)

	s.restart()
	s.waitReady()
	type progress struct {
		Endpoints   int
		StillToCome bool
		ByState     struct{ Delivered int }
	}
	var last progress
	require.Eventually(t, func() bool {
		s.do(t, http.MethodGet, "/app/acme/msg/"+message.ID+"/progress", "", &last)
		return last.ByState.Delivered == endpoints && !last.StillToCome
	}, recovery, 100*time.Millisecond, "%v", &last)
	require.Equal(t, endpoints, last.Endpoints)

	mu.Lock()
	defer mu.Unlock()
	require.Len(t, taken, endpoints)
	repeated := 0
	for path, n := range taken {
		require.LessOrEqual(t, n, 2, path)
		if n == 2 {
			repeated++
			require.NotContains(t, recorded, path, "what is on record is not sent again")
		}
	}
	t.Logf("%d were sent again", repeated)
	require.Zero(t, s.Stop(t), "%s", s.Stderr)
}

// deliveredTo reads from the database, while no process has it open, which endpoints have a message, by the path of their URL.
func deliveredTo(t *testing.T, s *server, messageID string) map[string]bool {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.dir, "posthorn.db"))
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	rows, err := db.QueryContext(t.Context(), "SELECT substr(e.url, instr(substr(e.url, 9), '/') + 9) FROM delivery d JOIN endpoint e ON e.id = d.endpoint_id"+
		" WHERE d.message_id = ? AND d.state = 'delivered'", messageID)
	require.NoError(t, err)
	defer rows.Close()
	paths := map[string]bool{}
	for rows.Next() {
		var path string
		require.NoError(t, rows.Scan(&path))
		paths[path] = true
	}
	require.NoError(t, rows.Err())
	return paths
}
