package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/posthorn/posthorn"
)

const circuitReason = "the endpoint fails for every message; it is probed until it answers"

// checkCircuit holds what is for an endpoint that fails for everybody, until the time of the delivery is over.
func (a *Activities) checkCircuit(ctx context.Context, c *candidate) (verdict, error) {
	if c.probe {
		return verdict{}, nil
	}
	health, open, err := a.circuit(ctx, c.endpoint.ID)
	if err != nil {
		return verdict{}, storeError(err)
	}
	if !open {
		return verdict{}, nil
	}
	switch deadline, err := a.deadline(ctx, c); {
	case err != nil:
		return verdict{}, err
	case c.now.Before(deadline):
		return verdict{waits: posthorn.WaitCircuit, until: deadline, reason: circuitReason}, nil
	default:
		return verdict{ends: posthorn.Failed, reason: fmt.Sprintf(
			"the endpoint has failed since %s; the time for retries is over", health.FailingSince.UTC().Format(time.RFC3339))}, nil
	}
}

// circuit asks whether an endpoint's circuit is open, and since when it fails. None is where there are no breakers.
func (a *Activities) circuit(ctx context.Context, endpointID string) (health posthorn.Health, open bool, err error) {
	if a.Health.Breaker == 0 || a.Circuits == nil {
		return health, false, nil
	}
	return a.Circuits.Open(ctx, endpointID)
}

// holds reports whether an endpoint's circuit is open. An error is for the gate to find.
func (a *Activities) holds(ctx context.Context, endpointID string) bool {
	_, open, err := a.circuit(ctx, endpointID)
	return err == nil && open
}

// deadline is when the time for retries of a delivery is over. It runs from the moment at which the message
// was to be sent, and anew when the delivery is let go that was held by somebody's decision.
func (a *Activities) deadline(ctx context.Context, c *candidate) (time.Time, error) {
	inherited, err := a.typeSchedule(ctx, c.message.AppID, c.message.EventType)
	if err != nil {
		return time.Time{}, err
	}
	begin := c.message.CreatedAt
	for _, later := range []time.Time{c.message.DeliverAt, c.delivery.ReleasedAt} {
		if later.After(begin) {
			begin = later
		}
	}
	return begin.Add(inherited.OverriddenBy(c.endpoint.RetrySchedule).Window(a.AttemptTimeout)), nil
}

// isOpen reports whether a circuit holds messages: the breaker may have been switched off since it opened.
func (a *Activities) isOpen(h *posthorn.Health) bool { return a.Health.Breaker > 0 && h.Open() }
