package posthorn

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// MaxRetryAfter is the longest wait that a receiver can ask for with a Retry-After header.
const MaxRetryAfter = 24 * time.Hour

// MinBusyWait is the shortest wait after an attempt whose outcome says that the receiver has too much to do: a timeout,
// 429, 502 or 504.
const MinBusyWait = time.Minute

// Limits of a schedule.
const (
	MaxRetries   = 50
	MaxRetryWait = 30 * 24 * time.Hour
)

// jitter is how far a wait is spread, as a part of it, in either direction.
const jitter = 0.2

// Schedule is the list of waits between the attempts of a delivery. The first attempt is made at once, so a delivery
// has at most len(Schedule)+1 scheduled attempts; an empty schedule means a single one.
type Schedule []time.Duration

// DefaultSchedule spreads ten attempts over 75 hours, as the example of the Standard Webhooks specification does.
func DefaultSchedule() Schedule {
	return Schedule{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
		10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// ParseSchedule reads durations separated by commas, such as "5s,5m,1h". An empty string is an empty schedule.
func ParseSchedule(s string) (Schedule, error) {
	schedule := Schedule{}
	if strings.TrimSpace(s) == "" {
		return schedule, nil
	}
	for part := range strings.SplitSeq(s, ",") {
		d, err := time.ParseDuration(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("%q is not a duration such as 30s, 5m or 2h", strings.TrimSpace(part))
		}
		if d <= 0 {
			return nil, fmt.Errorf("%q is not a positive duration", strings.TrimSpace(part))
		}
		schedule = append(schedule, d)
	}
	return schedule, nil
}

func (s Schedule) String() string {
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = shortDuration(d)
	}
	return strings.Join(parts, ",")
}

// UnmarshalText makes a Schedule usable as a flag.
func (s *Schedule) UnmarshalText(text []byte) error {
	parsed, err := ParseSchedule(string(text))
	if err == nil {
		*s = parsed
	}
	return err
}

// Check says which of the limits the schedule exceeds; nil if none. The text goes behind the name of a setting or field.
func (s Schedule) Check() error {
	if len(s) > MaxRetries {
		return fmt.Errorf("must have at most %d waits, not %d", MaxRetries, len(s))
	}
	for _, wait := range s {
		if wait <= 0 || wait > MaxRetryWait {
			return fmt.Errorf("must have waits above 0 and up to 30 days (720h), not %s", wait)
		}
	}
	return nil
}

// OverriddenBy returns the first of some more particular schedules that is set, and s itself if none is.
func (s Schedule) OverriddenBy(particular ...*Schedule) Schedule {
	for _, p := range particular {
		if p != nil {
			return *p
		}
	}
	return s
}

// Attempts is how many scheduled attempts a delivery has at most.
func (s Schedule) Attempts() int { return len(s) + 1 }

// FailingAfter is how many scheduled attempts of a delivery have to fail for it to count as failing: four, or half of
// them, rounded up, where there are fewer than five. The last attempt is no part of this: it ends the delivery.
func (s Schedule) FailingAfter() int {
	if s.Attempts() < 5 {
		return (s.Attempts() + 1) / 2
	}
	return 4
}

// Next returns the wait after the given number of scheduled attempts, and false if that was the last. The wait is
// spread by ±20 % so that deliveries which failed together do not come back together, and is at least atLeast (what the
// receiver asked for, or what its state calls for), capped at MaxRetryAfter.
func (s Schedule) Next(made int, atLeast time.Duration) (time.Duration, bool) {
	if made < 1 || made > len(s) {
		return 0, false
	}
	step := spread(s[made-1], 2*rand.Float64()-1)
	return max(step, min(atLeast, MaxRetryAfter)), true
}

// spread moves a wait by a part of its jitter, from -1 (the shortest it can be) to 1 (the longest).
func spread(wait time.Duration, part float64) time.Duration {
	return time.Duration(float64(wait) * (1 + jitter*part))
}

// Window bounds the time from the first attempt to the end of the last, jitter and each attempt's timeout included.
// One wait asked for by Retry-After is covered too.
func (s Schedule) Window(attemptTimeout time.Duration) time.Duration {
	var sum time.Duration
	for _, d := range s {
		sum += d
	}
	return spread(sum, 1) + time.Duration(s.Attempts())*(attemptTimeout+time.Minute) + MaxRetryAfter
}

// shortDuration prints 5m rather than 5m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
