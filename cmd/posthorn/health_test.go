package main_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAnOpenCircuitSurvivesCrashes kills the program while an endpoint is dead, in the middle of a probe too: it stays
// held, goes on being probed, and gets everything once it answers.
func TestAnOpenCircuitSurvivesCrashes(t *testing.T) {
	t.Parallel()
	const failures, held = 3, 20
	s := newServer(t, "--breaker-failures", "3", "--breaker-probe-interval", "1s", "--attempt-timeout", "5s", "--retry-schedule", "1h")
	s.createApp(t)
	var alive atomic.Bool
	r := newReceiver(t, func(w http.ResponseWriter, req *http.Request, _ int) {
		if !alive.Load() {
			pause(req, 200*time.Millisecond)
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	endpoint, _ := s.createEndpoint(t, r.URL)
	var health struct {
		State               string
		ConsecutiveFailures int
		Held                map[string]int
	}
	wait := func(enough func() bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			s.do(t, http.MethodGet, "/app/acme/endpoint/"+endpoint+"/health", "", &health)
			return enough()
		}, patience, 50*time.Millisecond, "health of the endpoint: %s", lazily(func() string { return health.State }))
	}
	var messages []string
	for n := range failures {
		messages = append(messages, s.send(t, `{}`))
		wait(func() bool { return health.ConsecutiveFailures == n+1 })
	}
	for range held {
		messages = append(messages, s.send(t, `{}`))
	}
	wait(func() bool { return health.Held["circuit_open"] == held })

	for range 3 {
		r.wait(t, len(r.all())+1) // the request of a probe is being answered
		s.Kill()
		s.restart()
		s.waitReady()
		wait(func() bool { return health.State != "closed" && health.Held["circuit_open"] == held })
	}
	alive.Store(true)
	for _, message := range messages[failures:] {
		s.waitDelivery(t, message, "delivered")
	}
	wait(func() bool {
		return health.State == "closed" && health.ConsecutiveFailures == 0 && health.Held["circuit_open"] == 0
	})
	require.Zero(t, s.Stop(t), "%s", s.Stderr)
}
