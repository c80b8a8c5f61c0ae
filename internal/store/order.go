package store

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

// Ordering is about endpoints that want their messages in order. The order is that of message IDs, which are made as
// messages come in: whoever waits for the answer to one message before posting the next has them in that order.
type Ordering interface {
	// Blocker returns the ID of a message that has to end at an ordered endpoint before this one may be sent: one with the
	// same ordering key and a smaller ID, whose delivery is open or whose first round has not been recorded. Empty if there
	// is none.
	Blocker(ctx context.Context, ep *posthorn.Endpoint, m *posthorn.Message) (string, error)
	// Unblocked lets the first open delivery of each ordering key of an endpoint go if it waits for its turn: it is due at a
	// moment. It returns them as they are then. It looks at so many keys behind the key after, and returns the last of them,
	// or nothing if there are no more. A Record that ends a delivery does so for the next with the same key, in its
	// transaction.
	Unblocked(ctx context.Context, endpointID, after string, due time.Time, limit int) (released []posthorn.Delivery, last string, err error)
	// OnRelease has f called, after the commit, with each delivery that a Record has let go. f must be quick. Call it before
	// the store is shared.
	OnRelease(f func(posthorn.Delivery))
}
