package config

import "time"

// MinKept is the shortest time for which messages and attempts can be kept. A request that is repeated with the same
// Idempotency-Key, for a day, still finds what it has made, and a process that was down still finds what it has sent.
const MinKept = 48 * time.Hour

// Retention is how long what happened is kept. 0 means for ever.
type Retention struct {
	// Messages are kept for this long, and with them payloads, deliveries and attempts; a message with a delivery that has
	// not ended is kept until it has. 0, or at least 48 hours. Default: 90 days.
	Messages time.Duration
	// Attempts are kept for this long, with the responses; 0: as long as their messages. 0, or at least 48 hours.
	// Default: 90 days.
	Attempts time.Duration
}

func (r Retention) validate(add func(format string, args ...any)) {
	for _, kept := range []struct {
		flag string
		time time.Duration
	}{{"--message-retention", r.Messages}, {"--attempt-retention", r.Attempts}} {
		if kept.time != 0 && kept.time < MinKept {
			add("%s must be 0, which means for ever, or at least %d hours, not %s", kept.flag, MinKept/time.Hour, kept.time)
		}
	}
}
