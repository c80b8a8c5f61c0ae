package posthorn

import (
	"time"
)

// The defaults of HealthRules.
const (
	DefaultBreakerFailures = 10
	DefaultProbeInterval   = time.Minute
	DefaultDisableAfter    = 5 * 24 * time.Hour
)

// HealthRules say what follows when an endpoint fails. The zero value: nothing.
type HealthRules struct {
	Breaker       int           // messages in a row whose first attempt failed that open the circuit; 0 = it never opens
	ProbeInterval time.Duration // between the probes of an open circuit
	DisableAfter  time.Duration // of nothing but failure until the endpoint is disabled; 0 = it never is
}

// DisablesAt is when an endpoint is disabled if it goes on failing; zero if it never is.
func (r HealthRules) DisablesAt(h *Health) time.Time {
	if r.DisableAfter == 0 || h.FailingSince.IsZero() {
		return time.Time{}
	}
	return h.FailingSince.Add(r.DisableAfter)
}

// Health is how an endpoint has done since it last answered an attempt with 2xx. The zero value: it has not failed.
//
// While the circuit is open the endpoint's messages are held. It is probed with one of them at a time, and the first
// success closes the circuit.
type Health struct {
	EndpointID   string
	AppID        string
	Failures     int       // messages whose first attempt failed
	FailingSince time.Time // when the first attempt failed; zero = it is not failing
	OpenedAt     time.Time // when the circuit opened; zero = it is closed
	NextProbeAt  time.Time // when the next probe is due; while one is under way, when that is given up
	Probing      bool      // a probe is under way
	Probed       string    // the message of the last probe
	WarnedAt     time.Time // when somebody was warned that the endpoint will be disabled
}

// Open reports whether the circuit is open.
func (h *Health) Open() bool { return !h.OpenedAt.IsZero() }

// HealthEvent is what happened to an endpoint's health.
type HealthEvent string

// The events.
const (
	CircuitOpened    HealthEvent = "circuit opened"
	CircuitClosed    HealthEvent = "circuit closed"
	DisablingSoon    HealthEvent = "disabling soon"
	EndpointDisabled HealthEvent = "disabled"
)

// HealthChange tells of a HealthEvent.
type HealthChange struct {
	Event        HealthEvent
	EndpointID   string
	AppID        string
	FailingSince time.Time
	DisablesAt   time.Time // zero: never
	Reason       string    // why it was disabled
}

// After returns the health after an attempt that has ended, and what follows. First says that it is the first scheduled
// attempt of its delivery: a single message, however often it fails, does not open the circuit. What somebody tries by hand
// counts if it succeeds; that it fails is no sign of more, unless the answer is that the endpoint is gone.
func (h Health) After(a *Attempt, first bool, rules HealthRules) (Health, []HealthEvent) {
	switch {
	case a.Success && h.Open():
		return Health{}, []HealthEvent{CircuitClosed}
	case a.Success:
		return Health{}, nil
	case a.Trigger == Manual && !isGone(a):
		return h, nil
	}
	now := a.StartedAt.Add(a.Duration)
	h.EndpointID, h.AppID = a.EndpointID, a.AppID
	if h.FailingSince.IsZero() {
		h.FailingSince = now
	}
	if first {
		h.Failures++
	}
	var events []HealthEvent
	switch {
	case a.Trigger == Probe:
		h.Probing, h.NextProbeAt = false, now.Add(rules.ProbeInterval)
	case first && !h.Open() && rules.Breaker > 0 && h.Failures >= rules.Breaker:
		h.OpenedAt, h.NextProbeAt = now, now.Add(rules.ProbeInterval)
		events = append(events, CircuitOpened)
	}
	failing := now.Sub(h.FailingSince)
	switch {
	case isGone(a), rules.DisableAfter > 0 && failing >= rules.DisableAfter:
		events = append(events, EndpointDisabled)
	case rules.DisableAfter > 0 && failing >= rules.DisableAfter/2 && h.WarnedAt.IsZero():
		h.WarnedAt = now
		events = append(events, DisablingSoon)
	}
	return h, events
}

// DisabledBecause is why an endpoint with this health is disabled after an attempt.
func (h *Health) DisabledBecause(a *Attempt) string {
	if isGone(a) {
		return goneReason
	}
	return "it has failed since " + h.FailingSince.UTC().Format(time.RFC3339)
}

// goneReason is why an endpoint is disabled that asks for no further messages.
const goneReason = "it answered 410 Gone"

// statusGone is HTTP's; the vocabulary does no I/O.
const statusGone = 410

func isGone(a *Attempt) bool { return a.Status == statusGone }
