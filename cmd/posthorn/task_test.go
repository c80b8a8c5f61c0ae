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
	s := newServer(t, "--retry-schedule", "", "--breaker-failures", "0")
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
		{&recovery, progress(failures)},
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

// progress is what a task tells that has sent a number of messages, all of which were taken.
func progress(n float64) map[string]any {
	return map[string]any{"total": n, "done": n, "attempted": n, "messagesSent": n, "delivered": n, "skipped": 0.0}
}

// TestReplaysSurviveCrashes kills the program while it sends what an endpoint has missed, and again while it sends all of
// that once more. What is sent twice is at most what was on its way.
func TestReplaysSurviveCrashes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.createApp(t)
	const messages, inFlight = 300, 20
	early := newReceiver(t, nil)
	s.createEndpoint(t, early.URL)
	began := time.Now()
	sent := make([]string, messages)
	for i := range sent {
		sent[i] = s.send(t, `{}`)
	}
	for _, message := range sent {
		s.waitDelivery(t, message, "delivered")
	}
	late := newReceiver(t, func(_ http.ResponseWriter, r *http.Request, _ int) { pause(r, 20*time.Millisecond) })
	endpoint, _ := s.createEndpoint(t, late.URL)
	for round, operation := range []string{"replay-missing", "bulk-replay"} {
		before := len(late.all())
		var task struct {
			ID     string
			Status string
			Data   map[string]any
		}
		s.do(t, http.MethodPost, "/app/acme/endpoint/"+endpoint+"/"+operation, fmt.Sprintf(`{"since":%q}`, began.UTC().Format(time.RFC3339Nano)), &task)
		late.wait(t, before+150) // in the middle of a page
		s.Kill()
		s.restart()
		s.waitReady()
		require.Eventually(t, func() bool {
			s.do(t, http.MethodGet, "/background-task/"+task.ID, "", &task)
			return task.Status != "running"
		}, 2*patience, 100*time.Millisecond, "waiting for %s to end", operation)
		require.Equal(t, "finished", task.Status)
		require.Equal(t, progress(messages), task.Data)
		for _, message := range sent {
			attempts := s.attempts(t, message)
			require.Len(t, attempts, 2+round, "of %s", message)
			require.Equal(t, 1+round, attempts[len(attempts)-1].AttemptNumber)
		}
		requests := len(late.all()) - before
		require.GreaterOrEqual(t, requests, messages)
		require.LessOrEqual(t, requests, messages+inFlight)
	}
	require.Len(t, early.all(), messages)
	require.Zero(t, s.Stop(t), "%s", s.Stderr)
}
