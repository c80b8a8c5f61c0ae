package main_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTasksSurviveCrashes kills the program while it does background tasks: each application gets a broadcast once, and
// each message that failed gets one more attempt.
func TestTasksSurviveCrashes(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--retry-schedule", "")
	const applications, failures = 250, 150
	for i := range applications {
		s.do(t, http.MethodPost, "/app", fmt.Sprintf(`{"uid":"a%d","name":"n"}`, i), nil)
	}
	s.createApp(t)
	broken := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n <= failures {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	endpoint, _ := s.createEndpoint(t, broken.URL)
	began := time.Now()
	messages := make([]string, failures)
	for i := range messages {
		messages[i] = s.send(t, `{}`)
	}
	broken.wait(t, failures)
	for _, message := range messages {
		s.waitDelivery(t, message, "failed")
	}

	type task struct {
		ID     string
		Status string
		Data   map[string]any
	}
	var recovery, broadcast task
	s.do(t, http.MethodPost, "/app/acme/endpoint/"+endpoint+"/recover", fmt.Sprintf(`{"since":%q}`, began.UTC().Format(time.RFC3339Nano)), &recovery)
	s.do(t, http.MethodPost, "/msg/broadcast", `{"eventType":"terms.changed","payload":{"v":2}}`, &broadcast)
	broken.wait(t, failures+20) // the recovery is in its first page
	s.Kill()
	s.restart()
	s.waitReady()
	for _, of := range []struct {
		task *task
		want map[string]any
	}{
		{&recovery, map[string]any{"attempted": 150.0, "delivered": 150.0, "skipped": 0.0}},
		{&broadcast, map[string]any{"sent": 251.0, "skipped": 0.0}},
	} {
		require.Eventually(t, func() bool {
			s.do(t, http.MethodGet, "/background-task/"+of.task.ID, "", of.task)
			return of.task.Status != "running"
		}, 2*patience, 100*time.Millisecond, "waiting for the task %s to end", of.task.ID)
		require.Equal(t, "finished", of.task.Status)
		require.Equal(t, of.want, of.task.Data)
	}
	for _, message := range messages {
		attempts := s.attempts(t, message)
		require.Len(t, attempts, 2, "of %s", message)
	}
	for i := range applications {
		var list struct{ Data []struct{ ID string } }
		s.do(t, http.MethodGet, fmt.Sprintf("/app/a%d/msg", i), "", &list)
		require.Len(t, list.Data, 1)
	}
	require.Zero(t, s.Stop(t), "%s", s.Stderr)
}
