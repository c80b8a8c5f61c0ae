package posthorn

import "time"

// Payload retention. MinRetention is the least in whole days; in hours, it can be less.
const (
	DefaultRetention = 90 * 24 * time.Hour
	MinRetention     = 5 * 24 * time.Hour
)

const (
	// MaxDelay is how far ahead a message can be scheduled.
	MaxDelay = 30 * 24 * time.Hour
	// MaxDeliverFor is how long, at most, a message that has an end of its own is tried.
	MaxDeliverFor = 30 * 24 * time.Hour
)

// Message is one event, addressed to one application.
type Message struct {
	ID        string
	AppID     string
	EventID   string // the sender's own id for the event, unique in the application; empty if none
	EventType string
	Channels  []string
	Tags      []string // words to find the message by; they don't decide who gets it
	Payload   []byte   // the bytes that receivers get and signatures cover; nil once expired or expunged
	CreatedAt time.Time
	ExpiresAt time.Time // when the payload is removed

	DeliverAt     time.Time // when it is to be sent; zero or in the past: at once
	DeliverBefore time.Time // from when on it is not to be sent any more; zero: as long as its payload is there
	CancelledAt   time.Time // when somebody cancelled it; zero if nobody did

	PayloadVersion string            // the version of Payload; empty if nobody said and the catalogue doesn't know
	Variants       map[string][]byte // the payload in other versions, by version; nil values where Payload is not there
	Warnings       []string          // how the payload violates its schema; goes with the payload
	OrderingKey    string            // ordered endpoints keep the order among messages with the same key; empty is a key like any other
	OnlyEndpoint   string            // ID of the one endpoint that it is for, whatever that subscribes to; empty = all that want it
}

// Expire takes the payload, in all its versions, away from a message whose time is over, and the warnings that quote it.
func (m *Message) Expire(now time.Time) {
	if m.ExpiresAt.IsZero() || m.ExpiresAt.After(now) {
		return
	}
	m.Payload, m.Warnings = nil, nil
	for version := range m.Variants {
		m.Variants[version] = nil
	}
}
