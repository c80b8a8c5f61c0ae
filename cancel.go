package posthorn

import "time"

// Why deliveries that nobody waits for any more are cancelled.
const (
	MessageCancelled  = "the message was cancelled"
	DeliveryCancelled = "it was cancelled"
)

// Cancels reports whether the endpoint's messages were cancelled when this one was there already.
func (e *Endpoint) Cancels(m *Message) bool {
	return !e.CancelBefore.IsZero() && MessageID.Time(m.ID).Before(e.CancelBefore)
}

// OlderCancelled is why it cancels them.
func (e *Endpoint) OlderCancelled() string {
	return "the endpoint's messages from before " + e.CancelBefore.UTC().Format(time.RFC3339) + " were cancelled"
}
