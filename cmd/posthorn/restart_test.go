package main_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
)

func TestStopping(t *testing.T) {
	t.Parallel()

	t.Run("waits for requests in flight in either lane, and does not send them again", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		s.createApp(t)
		r := newReceiver(t, func(_ http.ResponseWriter, r *http.Request, _ int) { pause(r, 2*time.Second) })
		s.createEndpoint(t, r.URL)
		first := s.send(t, `{"in":"the durable lane, after a wait in the fast lane"}`)
		s.waitDelivery(t, first, "delivered") // and the endpoint is known to be slow now
		durable := s.send(t, `{"in":"the durable lane"}`)
		quick := newReceiver(t, func(_ http.ResponseWriter, r *http.Request, _ int) { pause(r, 2*time.Second) })
		s.createEndpoint(t, quick.URL)
		both := s.send(t, `{"in":"the fast lane for the second endpoint"}`)
		r.wait(t, 3)
		quick.wait(t, 1)

		asked := time.Now()
		require.Zero(t, s.Stop(t), "%s", s.Stderr)
		t.Logf("stopped after %s", time.Since(asked).Round(time.Millisecond))
		require.Contains(t, s.Stderr.String(), "posthorn: stopping")
		for _, line := range s.Stderr.Lines() {
			if !strings.Contains(line, " component=temporal ") { // that one finds a loaded machine too slow for its calls
				require.NotContains(t, line, "level=ERROR")
			}
		}

		s.restart()
		s.waitReady()
		for message, endpoints := range map[string]int{first: 1, durable: 1, both: 2} {
			attempts := s.attempts(t, message)
			require.Len(t, attempts, endpoints, "recorded before the process ended")
			for _, a := range attempts {
				require.Zero(t, a.Status, "%+v", a)
				require.Equal(t, 1, a.AttemptNumber)
			}
		}
		engine := s.engine()
		for _, message := range []string{first, durable, both} {
			require.Eventually(t, func() bool {
				found, err := engine.DescribeWorkflowExecution(t.Context(), message, "")
				return err == nil && found.WorkflowExecutionInfo.Status == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
			}, patience, 100*time.Millisecond, "waiting for the workflow of %s", message)
		}
		require.Len(t, r.all(), 3)
		require.Len(t, quick.all(), 1)
		require.Zero(t, s.Stop(t), "%s", s.Stderr)
	})

	t.Run("keeps everything, and what is retried goes on when it is due", func(t *testing.T) {
		t.Parallel()
		s := newServer(t, "--retry-schedule", "8s")
		s.createApp(t)
		r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		endpoint, secret := s.createEndpoint(t, r.URL)
		message := s.send(t, `{"number": 1.0}`)
		before := s.waitDelivery(t, message, "retrying")
		require.NotNil(t, before.NextAttempt)
		paths := []string{
			"/app", "/app/acme", "/app/acme/endpoint", "/app/acme/endpoint/" + endpoint + "/secret", "/app/acme/msg?with_content=true",
			"/app/acme/msg/" + message, "/app/acme/msg/" + message + "/endpoint", "/app/acme/attempt/msg/" + message,
		}
		state := func() (answers []string) {
			for _, path := range paths {
				status, answer, err := s.call(t.Context(), http.MethodGet, path, "")
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, status, "%s: %s", path, answer)
				answers = append(answers, string(answer))
			}
			return answers
		}
		kept := state()

		require.Zero(t, s.Stop(t), "%s", s.Stderr)
		s.restart()
		s.waitReady()
		if ready := time.Now(); ready.Before(before.NextAttempt.Add(-time.Second)) {
			require.Equal(t, kept, state(), "with the token of the first run")
		}
		second := r.wait(t, 2)[1]
		require.False(t, second.at.Before(before.NextAttempt.Add(-50*time.Millisecond)), "due at %s, came at %s", before.NextAttempt, second.at)
		t.Logf("the second attempt came %s after it was due", second.at.Sub(*before.NextAttempt).Round(time.Millisecond))
		require.Equal(t, `{"number": 1.0}`, string(second.body))
		second.verify(t, secret)
		require.Equal(t, message, second.header.Get("webhook-id"))
		s.waitDelivery(t, message, "delivered")
		var outcome []string
		for _, a := range s.attempts(t, message) {
			outcome = append(outcome, fmt.Sprintf("%d: %d", a.AttemptNumber, a.ResponseStatusCode))
		}
		require.Equal(t, []string{"1: 503", "2: 200"}, outcome)
		require.Zero(t, s.Stop(t), "%s", s.Stderr)
	})
}
