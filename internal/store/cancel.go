package store

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

// Cancelling is about messages that wait for their time, and about what shall not be sent any more.
//
// What is cancelled stays so: an attempt in flight that succeeds makes a Delivered delivery of a Cancelled one, one that
// fails leaves it as it is.
type Cancelling interface {
	// MarkScheduled notes that a message's workflow waits for its time: it is not Undispatched any more, and its first
	// round is still to come. A message that is not Undispatched stays as it is.
	MarkScheduled(ctx context.Context, messageID string) error
	// CancelMessage has a message not sent any more: its open deliveries become Cancelled, and so does each that a Record
	// begins later, unless its attempt succeeds. If the first round was and all deliveries have ended, nothing is changed.
	// NotFound.
	CancelMessage(ctx context.Context, appID, ref string, now time.Time) (Cancelled, error)
	// CancelDelivery cancels one delivery, also one whose message's first round is still to come, and reports whether it
	// did: one that has ended stays as it is. NotFound: there is no such delivery, and there will be none.
	CancelDelivery(ctx context.Context, messageID, endpointID string, now time.Time) (d posthorn.Delivery, cancelled bool, err error)
	// CancelOlder ends the oldest open deliveries of an endpoint whose message has an ID before a certain one, up to a
	// limit, and returns them.
	CancelOlder(ctx context.Context, endpointID, before, reason string, limit int) ([]posthorn.Delivery, error)
}

// Cancelled is what CancelMessage did.
type Cancelled struct {
	Message    posthorn.Message    // as it is then, without payload; it has CancelledAt unless there was nothing to cancel
	Deliveries []posthorn.Delivery // those that were open, as they are then, by endpoint ID
	Ended      int                 // how many had ended before
	Waits      bool                // its first round is still to come
}
