package main_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLimitOfRequestsUnderWayOutlastsACrash kills the program while an endpoint that takes two requests at once has both:
// the next process gives them back, and none of those that wait is forgotten.
func TestLimitOfRequestsUnderWayOutlastsACrash(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--attempt-timeout", "5s")
	s.createApp(t)
	var now, most atomic.Int32
	r := newReceiver(t, func(_ http.ResponseWriter, r *http.Request, _ int) {
		n := now.Add(1)
		defer now.Add(-1)
		for before := most.Load(); n > before && !most.CompareAndSwap(before, n); before = most.Load() {
		}
		pause(r, 300*time.Millisecond)
	})
	id, _ := s.createEndpoint(t, r.URL)
	s.do(t, http.MethodPatch, "/app/acme/endpoint/"+id, `{"maxInFlight":2}`, nil)
	var messages []string
	for n := range 10 {
		messages = append(messages, s.send(t, fmt.Sprintf(`{"n":%d}`, n)))
	}
	r.wait(t, 2)
	s.Kill()
	s.restart()
	s.waitReady()
	for _, message := range messages {
		s.waitDelivery(t, message, "delivered")
	}
	require.EqualValues(t, 2, most.Load())
	require.Zero(t, s.Stop(t), "%s", s.Stderr)
}
