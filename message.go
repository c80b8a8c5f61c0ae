package posthorn

import "time"

// Payload retention, in whole days.
const (
	DefaultRetention = 90 * 24 * time.Hour
	MinRetention     = 5 * 24 * time.Hour
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
}

// Expire takes the payload away from a message whose time is over.
func (m *Message) Expire(now time.Time) {
	if !m.ExpiresAt.IsZero() && !m.ExpiresAt.After(now) {
		m.Payload = nil
	}
}
