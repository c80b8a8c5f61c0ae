package store

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

// Waiting is about deliveries that wait, and about endpoints that need attention because of it.
type Waiting interface {
	// ResumeEndpoint has an endpoint take messages again, whether it was paused or disabled, and says how what was held is
	// let go, in one transaction. Release.At is ignored and set. NotFound.
	ResumeEndpoint(ctx context.Context, appID, ref string, r posthorn.Release, now time.Time) (posthorn.Endpoint, error)
	// CountWaiting counts an endpoint's open deliveries by what they wait for.
	CountWaiting(ctx context.Context, endpointID string) (map[posthorn.Wait]int, error)
	// Release lets the oldest deliveries of an endpoint that wait for one of these go, up to a limit: they wait for nothing,
	// are Pending or Retrying, and due at a moment. It returns them as they are then, in the order of their messages.
	Release(ctx context.Context, endpointID string, waits []posthorn.Wait, due time.Time, limit int) ([]posthorn.Delivery, error)
	// HoldWaiting has those deliveries wait for something else instead, for a reason, until they are woken; for an open circuit,
	// and where they are parked, until the time that they have already.
	HoldWaiting(ctx context.Context, endpointID string, waits []posthorn.Wait, instead posthorn.Wait, reason string, limit int) ([]posthorn.Delivery, error)
	// CancelWaiting ends those deliveries instead, with a reason. Only messages that were made before a moment count, unless it
	// is zero.
	CancelWaiting(ctx context.Context, endpointID string, waits []posthorn.Wait, before time.Time, reason string, limit int) ([]posthorn.Delivery, error)
	// Overdue returns open deliveries whose next attempt was due before a moment, and those that have ended before it unheard,
	// the longest overdue first. A delivery ends unheard when it is open and not parked, and somebody else than the run of its
	// workflow ends it: by a word (CancelMessage, CancelWaiting, …), by an attempt by hand or by a probe. NextAt says since when.
	Overdue(ctx context.Context, before time.Time, limit int) ([]posthorn.Delivery, error)
	// Heard notes that the workflows of deliveries that have ended know of it.
	Heard(ctx context.Context, ds []posthorn.Delivery) error

	// Retrying returns an endpoint's deliveries that have failed and wait for nothing but the time of their next attempt, in the
	// order of their messages, beginning behind the message ID after.
	Retrying(ctx context.Context, endpointID, after string, limit int) ([]posthorn.Delivery, error)
	// Retime gives such deliveries another time, or fails them, and returns those that it changed as they are then. One that
	// has moved on since it was read stays as it is.
	Retime(ctx context.Context, rs []Retiming) ([]posthorn.Delivery, error)

	// Attend notes that an endpoint needs attention. UpdateEndpoint does so by itself, in its transaction, when an
	// endpoint takes messages again or no longer, gets another retry schedule or other limits, and so do DeleteEndpoint, DeleteApplication, and
	// a Record that opens or closes a circuit or disables an endpoint, holds a delivery for an open one, or holds one for an endpoint that is not
	// blocked any more. Whatever changes the retry schedule of an event type notes all endpoints without a schedule of their
	// own for which messages of that type are Retrying, and UpdateApplication those that wait for a turn, where it changes
	// the limit.
	Attend(ctx context.Context, a posthorn.Attention) error
	// OnAttention has f called, after the commit, with each endpoint that Attend, UpdateEndpoint, DeleteEndpoint or Record has
	// noted, and with some of those that a change of an event type has. Record leaves out those that hold one more delivery
	// for an open circuit while they have attention already. f must be quick. Call it before the store is shared.
	OnAttention(f func(appID, endpointID string))
	// Attention returns the endpoints that need attention, by ID, beginning behind the ID after.
	Attention(ctx context.Context, after string, limit int) ([]posthorn.Attention, error)
	// AttentionFor finds one endpoint's. NotFound.
	AttentionFor(ctx context.Context, endpointID string) (posthorn.Attention, error)
	// Released forgets how what was held is let go, because it is, unless there has been a further reason since.
	Released(ctx context.Context, a posthorn.Attention) error
	// Retimed notes how far a change of schedule has come: behind which message it goes on, nil when it is through. A
	// further reason for attention since leaves it as it is.
	Retimed(ctx context.Context, a posthorn.Attention, after *string) error
	// Attended removes it unless there has been a further reason since, and reports whether it did.
	Attended(ctx context.Context, a posthorn.Attention) (bool, error)
}

// Retiming is a new time for a delivery that waits for its next attempt.
type Retiming struct {
	Delivery posthorn.Delivery // as it was read
	NextAt   time.Time         // zero: it fails, because no attempt is left
	Reason   string            // why it fails
}
