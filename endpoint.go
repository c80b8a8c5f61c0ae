package posthorn

import (
	"slices"
	"time"

	"github.com/posthorn/posthorn/signing"
)

// Limits on the secrets of an endpoint.
const (
	// MaxOldSecrets is how many replaced secrets may be in their grace period at once.
	MaxOldSecrets = 10
	// DefaultSecretGrace is how long a replaced secret goes on signing unless the caller says otherwise.
	DefaultSecretGrace = 24 * time.Hour
	// MaxSecretGrace is the longest grace period.
	MaxSecretGrace = 7 * 24 * time.Hour
)

// Endpoint is a URL of an application that receives its messages.
type Endpoint struct {
	ID          string
	AppID       string
	UID         string // unique in the application; empty if none
	URL         string
	Description string
	EventTypes  []string // the event types it subscribes to; empty = all
	Channels    []string // the channels it listens on; empty = all
	Disabled    bool
	// DisabledReason says why Posthorn disabled it; empty while it is enabled, or where somebody disabled it by hand.
	DisabledReason string
	PausedAt       time.Time // since when somebody lets its messages wait; zero if nobody does
	CancelBefore   time.Time // messages made before are cancelled; zero if nobody has asked for it
	Ordered        bool      // one message at a time, in the order in which they were accepted
	ThrottleRate   int       // messages per second; 0 = no limit
	MaxInFlight    int       // requests under way at the same time; 0 = no limit of its own
	Metadata       map[string]string
	Headers        map[string]string // sent with each request; values may be secrets
	Secrets        []Secret          // the current one first, then those in their grace period
	CreatedAt      time.Time
	UpdatedAt      time.Time
	DeletedAt      time.Time // zero while it exists

	RetrySchedule *Schedule // nil = that of the message's event type, or the server's; empty = a single attempt

	PayloadVersion  string            // the version of payloads that it wants, where a message has several; empty = the sender's choice
	PayloadVersions map[string]string // the same for particular event types
}

// SetDisabled disables or enables the endpoint. The reason is Posthorn's own; it is empty where somebody does it by hand.
// To disable again what is disabled leaves the first reason.
func (e *Endpoint) SetDisabled(disabled bool, reason string) {
	if !disabled || !e.Disabled {
		e.DisabledReason = reason
	}
	e.Disabled = disabled
}

// Blocked says what messages for the endpoint wait for, and why in words, while it takes none; WaitNothing if it takes
// them.
func (e *Endpoint) Blocked() (Wait, string) {
	switch {
	case e.Disabled && e.DisabledReason != "":
		return WaitDisabled, "the endpoint is disabled: " + e.DisabledReason
	case e.Disabled:
		return WaitDisabled, "the endpoint is disabled"
	case !e.PausedAt.IsZero():
		return WaitPaused, "the endpoint is paused"
	default:
		return WaitNothing, ""
	}
}

// Secret is a signing key of an endpoint.
type Secret struct {
	Key       signing.Key
	ExpiresAt time.Time // zero for the current one
}

// Wants reports whether the endpoint subscribes to a message. A message without channels does not reach an endpoint
// that listens on particular channels. A message for one endpoint reaches that one and no other. Whether the endpoint is
// disabled is another question.
func (e *Endpoint) Wants(m *Message) bool {
	if m.OnlyEndpoint != "" {
		return e.ID == m.OnlyEndpoint
	}
	if len(e.EventTypes) > 0 && !slices.Contains(e.EventTypes, m.EventType) {
		return false
	}
	if len(e.Channels) == 0 {
		return true
	}
	return slices.ContainsFunc(m.Channels, func(c string) bool { return slices.Contains(e.Channels, c) })
}

// SigningKeys returns the keys that sign at a moment: the current one and those whose grace period has not ended.
func (e *Endpoint) SigningKeys(now time.Time) []signing.Key { return signingKeys(e.Secrets, now) }

// RotateSecret makes next the current secret and lets the replaced one sign on for the grace period. Secrets whose
// grace has ended are forgotten. It fails with LimitReached if MaxOldSecrets are still in their grace period.
func (e *Endpoint) RotateSecret(next signing.Key, grace time.Duration, now time.Time) error {
	kept, err := rotateSecret(e.Secrets, next, grace, now)
	if err != nil {
		return err
	}
	e.Secrets = kept
	return nil
}
