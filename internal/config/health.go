package config

import (
	"time"

	"github.com/posthorn/posthorn"
)

// Limits that Validate enforces.
const (
	MaxBreakerFailures      = 10_000
	MinBreakerProbeInterval = time.Second
	MaxBreakerProbeInterval = 24 * time.Hour
	MinDisableAfter         = time.Minute
)

// Health is what follows when an endpoint fails for everybody.
type Health struct {
	// BreakerFailures is how many messages in a row have to fail at their first attempt until an endpoint's messages are
	// held and it is only probed, up to 10,000; 0 = never. Default: 10.
	BreakerFailures int

	// BreakerProbeInterval is the time between two probes, 1 second to 24 hours. Default: 1 minute.
	BreakerProbeInterval time.Duration

	// DisableAfter is after how much time of nothing but failure an endpoint is disabled, at least 1 minute; 0 = never.
	// Default: 120 hours.
	DisableAfter time.Duration
}

func defaultHealth() Health {
	return Health{
		BreakerFailures: posthorn.DefaultBreakerFailures, BreakerProbeInterval: posthorn.DefaultProbeInterval,
		DisableAfter: posthorn.DefaultDisableAfter,
	}
}

// Rules are the settings in the words of the vocabulary.
func (h Health) Rules() posthorn.HealthRules {
	return posthorn.HealthRules{Breaker: h.BreakerFailures, ProbeInterval: h.BreakerProbeInterval, DisableAfter: h.DisableAfter}
}

func (h Health) validate(add func(format string, args ...any)) {
	if h.BreakerFailures < 0 || h.BreakerFailures > MaxBreakerFailures {
		add("--breaker-failures must be between 0 and %d, not %d", MaxBreakerFailures, h.BreakerFailures)
	}
	if h.BreakerProbeInterval < MinBreakerProbeInterval || h.BreakerProbeInterval > MaxBreakerProbeInterval {
		add("--breaker-probe-interval must be between %s and %s, not %s", MinBreakerProbeInterval, MaxBreakerProbeInterval, h.BreakerProbeInterval)
	}
	if h.DisableAfter != 0 && h.DisableAfter < MinDisableAfter {
		add("--disable-endpoints-after must be 0 or at least %s, not %s", MinDisableAfter, h.DisableAfter)
	}
}
