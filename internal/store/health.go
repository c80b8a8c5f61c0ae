package store

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

// Healths is about endpoints that fail. Record moves the health of an endpoint on by each attempt, in its transaction, and
// does what follows there: an endpoint whose circuit opens or closes needs attention, and one that has failed for too long
// is disabled. Of endpoints that have not failed since their last success nothing is stored.
//
// UpdateEndpoint and ResumeEndpoint let an endpoint start afresh when it takes messages again or has another URL; if its
// circuit was open, it needs attention then.
type Healths interface {
	// Health returns an endpoint's; the zero value if it has not failed since its last success.
	Health(ctx context.Context, endpointID string) (posthorn.Health, error)
	// OpenCircuits returns the health of all endpoints whose circuit is open.
	OpenCircuits(ctx context.Context) ([]posthorn.Health, error)
	// TakeProbe chooses the delivery to probe an endpoint with: of those that wait for its circuit the one behind the
	// last that was chosen, or else the oldest. Nobody else gets one until its attempt is recorded, at the latest until a
	// moment. Conflict: the circuit is closed, or no probe is due. NotFound: nothing waits for it.
	TakeProbe(ctx context.Context, endpointID string, now, until time.Time) (posthorn.Delivery, error)
	// OnHealthChange has f called, after the commit, with each change. f must be quick. Call it before the store is
	// shared.
	OnHealthChange(f func(posthorn.HealthChange))
}
