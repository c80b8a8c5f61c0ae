package main_test

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/pgtest"
)

// requireUnavailable demands that every kind of request is told to come again: those that write, those that read, with and
// without an Idempotency-Key, several events at once.
func (r *replica) requireUnavailable(t *testing.T, paths map[string]string) {
	t.Helper()
	for path, body := range paths {
		for _, key := range []string{"", "key-" + path} {
			method := http.MethodPost
			if body == "" {
				method = http.MethodGet
			}
			req, err := http.NewRequestWithContext(t.Context(), method, r.url+"/api/v1"+path, strings.NewReader(body))
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer "+r.token)
			req.Header.Set("Content-Type", "application/json")
			if key != "" && body != "" {
				req.Header.Set("Idempotency-Key", key)
			}
			answer, err := r.http.Do(req)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode, "%s %s %q\n%s", method, path, key, r.Stderr)
			require.NotEmpty(t, answer.Header.Get("Retry-After"), "%s %s", method, path)
		}
	}
}

func TestOutages(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	server := pgtest.Start(t)
	s.database = server.Database(t)
	migrated := s.migrate(t)
	require.Zero(t, migrated.Code, "%s", migrated.Stderr)
	r := s.replica(t, "serve")
	receiver := newReceiver(t, nil)
	r.createApp(t)
	r.createEndpoint(t, receiver.URL)
	r.send(t, `{"n":1}`)
	receiver.wait(t, 1)

	paths := map[string]string{
		"/app/acme/msg":       `{"eventType":"a","payload":{"n":2}}`,
		"/app/acme/msg/batch": `{"messages":[{"eventType":"a","payload":{"n":3}},{"eventType":"a","payload":{"n":4}}]}`,
		"/app":                `{"name":"New"}`,
		"/app/acme/endpoint":  `{"url":"https://example.com"}`,
		"/app/acme":           "",
		"/health":             "",
	}
	server.Stop()
	require.Eventually(t, func() bool { return r.probe("/readyz") == http.StatusServiceUnavailable }, patience, 50*time.Millisecond)
	require.Equal(t, http.StatusOK, r.probe("/healthz"), "to start it again would be of no use")
	r.requireUnavailable(t, paths)

	server.Start()
	require.Eventually(t, func() bool { return r.probe("/readyz") == http.StatusOK }, patience, 50*time.Millisecond)
	before := len(receiver.all())
	r.send(t, `{"n":5}`)
	receiver.wait(t, before+1)

	// Temporal is away: nothing is accepted that nobody would carry on soon.
	require.NoError(t, s.engine.Cmd.Process.Signal(syscall.SIGKILL))
	<-s.engine.Ended
	require.Eventually(t, func() bool { return r.probe("/readyz") == http.StatusServiceUnavailable }, patience, 50*time.Millisecond)
	delete(paths, "/app")
	delete(paths, "/app/acme/endpoint")
	delete(paths, "/app/acme")
	delete(paths, "/app/acme/msg/batch")
	r.requireUnavailable(t, paths)
	s.engine.restart()
	s.engine.waitReady()
	require.Eventually(t, func() bool { return r.probe("/readyz") == http.StatusOK }, patience, 50*time.Millisecond)
	before = len(receiver.all())
	r.send(t, `{"n":6}`)
	receiver.wait(t, before+1)

	t.Run("a second signal ends a process that is stopping", func(t *testing.T) {
		slow := s.replica(t, "serve", "--drain-delay", "5m")
		require.NoError(t, slow.Cmd.Process.Signal(syscall.SIGTERM))
		slow.Await(t, slow.Stderr, "stopping")
		require.Eventually(t, func() bool { return slow.probe("/readyz") == http.StatusServiceUnavailable }, patience, 50*time.Millisecond)
		require.NoError(t, slow.Cmd.Process.Signal(syscall.SIGTERM))
		require.Equal(t, -1, slow.Wait(t), "the signal ended it")
	})
}
