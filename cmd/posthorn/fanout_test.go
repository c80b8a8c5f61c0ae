package main_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestCrashAmidFanOut kills the program when some endpoints of a message have it on record, one has refused it and
// some are still being sent to. Only the last ones get the same attempt again.
func TestCrashAmidFanOut(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--retry-schedule", "1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s,1s")
	s.createApp(t)
	var quick, slow []*receiver
	for range 5 {
		r := newReceiver(t, nil)
		s.createEndpoint(t, r.URL)
		quick = append(quick, r)
	}
	var back atomic.Bool
	for range 2 {
		r := newReceiver(t, func(_ http.ResponseWriter, r *http.Request, _ int) {
			if !back.Load() {
				<-r.Context().Done()
			}
		})
		s.createEndpoint(t, r.URL)
		slow = append(slow, r)
	}
	refusing := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
		if !back.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	failing, _ := s.createEndpoint(t, refusing.URL)

	message := s.send(t, `{"number":1}`)
	for _, r := range slow {
		r.wait(t, 1)
	}
	var before []attempt
	require.Eventually(t, func() bool {
		before = s.attempts(t, message)
		recorded := map[string]bool{}
		for _, a := range before {
			recorded[a.EndpointID] = true
		}
		return len(recorded) == len(quick)+1
	}, patience, 5*time.Millisecond, "waiting for what has ended to be on record")
	s.Kill()
	back.Store(true)
	s.restart()
	s.waitReady()

	require.Eventually(t, func() bool { return delivered(s.deliveries(t, message), len(quick)+len(slow)+1) },
		patience, 50*time.Millisecond, "waiting for all to have it: %s", lazily(func() string { return fmt.Sprint(s.deliveries(t, message)) }))
	requireOneWorkflowEach(t, s, []string{message})
	for i, r := range quick {
		require.Len(t, r.all(), 1, "quick receiver %d had it before the crash", i)
	}
	for i, r := range slow {
		require.Len(t, r.all(), 2, "the request to slow receiver %d was cut off", i)
	}
	kept := map[string]bool{}
	var numbers []int
	for _, a := range s.attempts(t, message) {
		kept[a.ID] = true
		if a.EndpointID == failing {
			numbers = append(numbers, a.AttemptNumber)
		} else {
			require.Equal(t, 1, a.AttemptNumber)
			require.Zero(t, a.Status)
		}
	}
	for _, a := range before {
		require.True(t, kept[a.ID])
	}
	require.Equal(t, upTo(len(numbers)), numbers)
	require.GreaterOrEqual(t, len(numbers), 2, "the refusing receiver is tried again, and the first attempt counts")
	require.Zero(t, s.Stop(t), "%s", s.Stderr)
}
