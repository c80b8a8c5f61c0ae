package main_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/clocktest"
)

// TestClockJumps sets the clock of the program ahead and back while events are posted and retried. All that is accepted is
// delivered; what had a time to wait for waits longer or shorter by the jump.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	const jump = 15 * time.Second
	s := newServer(t, "--retry-schedule", "1s,2s,2s,5s,5s,5s,5s,10s,10s,10s", "--breaker-failures", "0")
	s.createApp(t)
	customers := []*customer{newCustomer(t, s, "steady", steady), newCustomer(t, s, "stubborn", stubborn)}
	posters := newPosters(t, s, 4)
	for _, ahead := range []time.Duration{jump, 0, -jump, jump, 0} {
		clocktest.Set(t, s.Cmd.Process.Pid, ahead)
		posters.mu.Lock()
		before := len(posters.accepted)
		posters.mu.Unlock()
		require.Eventually(t, func() bool {
			posters.mu.Lock()
			defer posters.mu.Unlock()
			return len(posters.accepted) > before+50
		}, patience, 50*time.Millisecond, "waiting for events to be accepted, %s ahead", ahead)
	}
	accepted := posters.stop()
	require.Eventually(t, func() bool {
		return customers[0].missing(accepted)+customers[1].missing(accepted) == 0
	}, recovery, 100*time.Millisecond, "waiting for %d accepted messages: %s", len(accepted), lazily(func() string { return shortfall(customers, accepted) }))
	for message := range accepted {
		require.Eventually(t, func() bool { return delivered(s.deliveries(t, message), len(customers)) }, recovery, 100*time.Millisecond, message)
	}
	for _, c := range customers {
		require.Zero(t, c.duplicates(t, nil), c.name)
	}
	require.Zero(t, s.Stop(t), "%s", s.Stderr)
}
