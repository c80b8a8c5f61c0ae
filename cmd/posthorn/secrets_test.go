package main_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSecrets looks for secrets and payloads in every byte that the engine keeps and the log says.
func TestSecrets(t *testing.T) {
	t.Parallel()
	const (
		payload  = "marker-of-a-payload"
		answered = "marker-of-an-answer"
		header   = "marker-of-a-header"
		query    = "marker-of-a-query"
		password = "marker-of-a-password"
	)
	s := newServer(t, "--log-level", "debug", "--retry-schedule", "100ms,100ms")
	s.createApp(t)
	first := func(status int) func(http.ResponseWriter, *http.Request, int) {
		return func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 1 {
				w.WriteHeader(status)
			}
			fmt.Fprint(w, answered)
		}
	}
	hidden := map[string]string{"payload": payload, "answer": answered, "custom header": header, "query": query, "password": password, "token": s.token}
	for i, status := range []int{http.StatusOK, http.StatusInternalServerError} {
		r := newReceiver(t, first(status))
		address := strings.Replace(r.URL, "http://", "http://user:"+password+"@", 1) + "/hook?key=" + query
		id, secret := s.createEndpoint(t, address)
		s.do(t, http.MethodPut, "/app/acme/endpoint/"+id+"/headers", fmt.Sprintf(`{"headers":{"X-Api-Key":%q}}`, header), nil)
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		require.NoError(t, err)
		hidden[fmt.Sprintf("secret %d", i)] = strings.TrimPrefix(secret, "whsec_")
		hidden[fmt.Sprintf("secret %d in bytes", i)] = string(raw)
	}
	signer, err := os.ReadFile(filepath.Join(s.dir, "jwt-secret"))
	require.NoError(t, err)
	hidden["key of tokens"] = string(bytes.TrimSpace(signer))

	// Besides the endpoint that takes the message at once and the one that does later, there is one that never does.
	never := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprint(w, answered)
	})
	lost, _ := s.createEndpoint(t, never.URL)
	message := s.send(t, fmt.Sprintf(`{"text":%q}`, strings.Repeat(payload, 20)))
	require.Eventually(t, func() bool {
		states := make(map[string]int)
		for _, d := range s.deliveries(t, message) {
			states[d.State]++
		}
		return states["delivered"] == 2 && states["failed"] == 1
	}, patience, 50*time.Millisecond, "waiting for the deliveries")
	s.do(t, http.MethodPost, "/app/acme/msg/"+message+"/endpoint/"+lost+"/resend", "", nil)
	require.Eventually(t, func() bool { return len(s.attempts(t, message)) == 7 }, patience, 50*time.Millisecond, "waiting for the resend")
	status, _, err := s.call(t.Context(), http.MethodPost, "/app/acme/msg", fmt.Sprintf(`{"eventType":"","payload":{"text":%q}}`, payload))
	require.NoError(t, err)
	require.Equal(t, http.StatusUnprocessableEntity, status)

	look := func() {
		t.Helper()
		// What is looked for can be found: the database has it all, the engine has the ids.
		database := contents(t, s.dir, "posthorn.db*")
		for _, what := range []string{payload, answered, header, query} {
			require.True(t, bytes.Contains(database, []byte(what)), "%s is not in the database", what)
		}
		engine := append(contents(t, s.dir, "temporal.db*"), contents(t, s.dir, "visibility.db*")...)
		require.True(t, bytes.Contains(engine, []byte(message)))
		require.True(t, bytes.Contains(engine, []byte(lost)))
		log := s.Stderr.String()
		require.Contains(t, log, "level=DEBUG")
		for what, secret := range hidden {
			require.False(t, bytes.Contains(engine, []byte(secret)), "the engine has the %s", what)
			require.NotContains(t, log, secret, "the log has the %s", what)
		}
	}
	look()
	require.Zero(t, s.Stop(t))
	look()
}

// contents joins all files of a folder whose names fit.
func contents(t *testing.T, dir, pattern string) (all []byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		content, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue // a log that has just been written back
		}
		require.NoError(t, err)
		all = append(all, content...)
	}
	return all
}
