package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// keyed posts with an Idempotency-Key. Status is 0 for a request that got no answer.
func (a *api) keyed(t *testing.T, key, path, body string) (status int, answer string, replayed bool) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.url+"/api/v1"+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Idempotency-Key", key)
	res, err := a.http.Do(req)
	if err != nil {
		return 0, "", false
	}
	defer res.Body.Close()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, "", false
	}
	return res.StatusCode, string(content), res.Header.Get("Idempotent-Replayed") == "true"
}

// TestRepeatedRequests kills the program while requests with keys come in. Each is repeated until it is answered, and
// once more: it gets the same answer, and there is one message for each key.
func TestRepeatedRequests(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.createApp(t)
	r := newReceiver(t, nil)
	s.createEndpoint(t, r.URL)
	const (
		senders = 4
		kills   = 3
	)
	stop := make(chan struct{})
	answers := make([][]string, senders) // by sender and number of the message
	var sending sync.WaitGroup
	for i := range senders {
		sending.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				for deadline := time.Now().Add(patience); ; {
					status, answer, _ := s.keyed(t, fmt.Sprintf("%d-%d", i, n), "/app/acme/msg", fmt.Sprintf(`{"eventType":"a","payload":{"n":"%d-%d"}}`, i, n))
					if status == http.StatusAccepted {
						answers[i] = append(answers[i], answer)
						break
					}
					if time.Now().After(deadline) || status != 0 && status < 500 {
						t.Errorf("%d-%d is answered with %d %s", i, n, status, answer)
						return
					}
					<-time.After(5 * time.Millisecond)
				}
			}
		})
	}
	for i := range kills {
		<-time.After(time.Duration(200+150*i) * time.Millisecond)
		s.Kill()
		s.restart()
		s.waitReady()
	}
	close(stop)
	sending.Wait()

	ids := map[string]int{}
	for i, sent := range answers {
		require.NotEmpty(t, sent)
		for n, answer := range sent {
			status, again, replayed := s.keyed(t, fmt.Sprintf("%d-%d", i, n), "/app/acme/msg", fmt.Sprintf(`{"eventType":"a","payload":{"n":"%d-%d"}}`, i, n))
			require.Equal(t, http.StatusAccepted, status, again)
			require.Equal(t, answer, again)
			require.True(t, replayed)
			var m struct{ ID string }
			require.NoError(t, json.Unmarshal([]byte(answer), &m))
			ids[m.ID]++
		}
	}
	require.ElementsMatch(t, keys(ids), s.messages(t), "one message for each key")
	t.Logf("%d kills, %d messages", kills, len(ids))

	// A request that a crash ended in the middle need not wait for its lease.
	status, first, _ := s.keyed(t, "app", "/app", `{"name":"Other"}`)
	require.Equal(t, http.StatusCreated, status)
	s.Kill()
	s.restart()
	s.waitReady()
	status, again, replayed := s.keyed(t, "app", "/app", `{"name":"Other"}`)
	require.Equal(t, http.StatusCreated, status)
	require.Equal(t, first, again)
	require.True(t, replayed)
	require.Zero(t, s.Stop(t), "%s", s.Stderr)
}
