package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOperationalWebhooksSurviveCrashes kills the program as soon as it has answered, which is before or while it starts
// the notices: each endpoint that was made and each delivery that failed is told all the same, by one notice.
func TestOperationalWebhooksSurviveCrashes(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--retry-schedule", "", "--breaker-failures", "0")
	s.createApp(t)
	ops := newReceiver(t, nil)
	var listener struct{ ID, Key string }
	s.do(t, http.MethodPost, "/operational-webhook/endpoint",
		fmt.Sprintf(`{"url":%q,"eventTypes":["endpoint.created","message.attempt.exhausted"]}`, ops.URL), &listener)
	s.do(t, http.MethodGet, "/operational-webhook/endpoint/"+listener.ID+"/secret", "", &listener)
	broken := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusInternalServerError) })
	failing, _ := s.createEndpoint(t, broken.URL)

	want := map[string]bool{"endpoint.created " + failing: true}
	for range 4 {
		var mu sync.Mutex
		var asking sync.WaitGroup
		ask := func(path, body, event string) {
			asking.Go(func() {
				status, answer, err := s.call(t.Context(), http.MethodPost, path, body)
				var out struct{ ID string }
				if err == nil && status/100 == 2 && json.Unmarshal(answer, &out) == nil {
					mu.Lock()
					defer mu.Unlock()
					want[event+" "+out.ID] = true
				}
			})
		}
		for i := range 20 {
			ask("/app/acme/endpoint", fmt.Sprintf(`{"url":%q,"disabled":true}`, broken.URL), "endpoint.created")
			if i%2 == 0 {
				ask("/app/acme/msg", `{"eventType":"order.created","payload":{}}`, "message.attempt.exhausted")
			}
		}
		<-time.After(time.Duration(rand.Int64N(int64(60 * time.Millisecond))))
		s.Kill()
		asking.Wait()
		s.restart()
		s.waitReady()
	}
	for range 20 {
		var made struct{ ID string }
		s.do(t, http.MethodPost, "/app/acme/endpoint", fmt.Sprintf(`{"url":%q,"disabled":true}`, broken.URL), &made)
		want["endpoint.created "+made.ID] = true
	}
	s.Kill() // all is told that was answered
	s.restart()
	s.waitReady()

	told := map[string]map[string]bool{} // by event and subject, the IDs of the notices
	var missing []string
	require.Eventually(t, func() bool {
		for _, r := range ops.all() {
			var notice struct {
				Type string
				Data struct{ EndpointID, MsgID string }
			}
			require.NoError(t, json.Unmarshal(r.body, &notice))
			subject := notice.Type + " " + notice.Data.EndpointID
			if notice.Data.MsgID != "" {
				subject = notice.Type + " " + notice.Data.MsgID
			}
			if told[subject] == nil {
				told[subject] = map[string]bool{}
			}
			told[subject][r.header.Get("webhook-id")] = true
		}
		missing = nil
		for subject := range want {
			if told[subject] == nil {
				missing = append(missing, subject)
			}
		}
		return len(missing) == 0
	}, recovery, 50*time.Millisecond, "waiting for the notices of %s", lazily(func() string { return fmt.Sprint(missing) }))
	for _, r := range ops.all() {
		r.verify(t, listener.Key)
	}
	for subject, notices := range told {
		require.Len(t, notices, 1, subject)
	}
	t.Logf("%d wanted, %d told", len(want), len(told))
	require.Zero(t, s.Stop(t), "%s", s.Stderr)
}
