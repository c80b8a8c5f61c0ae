package posthorn_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func TestHealthAfter(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rules := posthorn.HealthRules{Breaker: 3, ProbeInterval: time.Minute, DisableAfter: 2 * time.Hour}
	try := func(h *posthorn.Health, after time.Duration, first bool, rules posthorn.HealthRules, a posthorn.Attempt) []posthorn.HealthEvent {
		a.EndpointID, a.AppID, a.StartedAt, a.Duration = "ep_1", "app_1", begin.Add(after-time.Second), time.Second
		next, events := h.After(&a, first, rules)
		*h = next
		return events
	}
	failure, success := posthorn.Attempt{Trigger: posthorn.Automatic}, posthorn.Attempt{Trigger: posthorn.Manual, Success: true}

	t.Run("only different messages open the circuit", func(t *testing.T) {
		t.Parallel()
		var h posthorn.Health
		require.Empty(t, try(&h, 0, true, rules, failure))
		for range 10 {
			require.Empty(t, try(&h, 0, false, rules, failure))
		}
		require.Empty(t, try(&h, 0, true, rules, failure))
		require.False(t, h.Open())
		require.Equal(t, []posthorn.HealthEvent{posthorn.CircuitOpened}, try(&h, 0, true, rules, failure))
		require.True(t, h.Open())
		require.Equal(t, begin.Add(time.Minute), h.NextProbeAt)
		require.Equal(t, []posthorn.HealthEvent{posthorn.CircuitClosed}, try(&h, 0, false, rules, success))
		require.Zero(t, h)
	})

	t.Run("a warning is given once, and the end can be told again", func(t *testing.T) {
		t.Parallel()
		var h posthorn.Health
		require.Empty(t, try(&h, 0, true, rules, failure))
		require.Empty(t, try(&h, time.Hour-time.Millisecond, false, rules, failure))
		require.Equal(t, []posthorn.HealthEvent{posthorn.DisablingSoon}, try(&h, time.Hour, false, rules, failure))
		require.Empty(t, try(&h, time.Hour, false, rules, failure))
		require.Equal(t, begin.Add(2*time.Hour), rules.DisablesAt(&h))
		require.Equal(t, []posthorn.HealthEvent{posthorn.EndpointDisabled}, try(&h, 2*time.Hour, false, rules, failure))
		require.Equal(t, []posthorn.HealthEvent{posthorn.EndpointDisabled}, try(&h, 3*time.Hour, false, rules, failure))
		require.Equal(t, "it has failed since 2026-03-01T12:00:00Z", h.DisabledBecause(&failure))
	})

	t.Run("both can be switched off", func(t *testing.T) {
		t.Parallel()
		var h posthorn.Health
		for i := range 1000 {
			require.Empty(t, try(&h, time.Duration(i)*time.Hour, true, posthorn.HealthRules{}, failure))
		}
		require.False(t, h.Open())
		require.Zero(t, posthorn.HealthRules{}.DisablesAt(&h))
	})
}
