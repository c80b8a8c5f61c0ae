package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/posthorn/posthorn"
)

// goOn has a delivery carried on that nobody waits for and whose attempt has failed: at the time of the next attempt, or before
// this process ends. Whoever is told before that it has another time, or is to be sent now, finds nobody and carries it on.
func (r *round) goOn(failed *posthorn.Attempt) {
	m := r.message
	m.Payload = nil // the wait is long
	c := &candidate{message: &m}
	id, due := failed.EndpointID, failed.NextAt
	r.a.rounds.Go(func() {
		select {
		case <-time.After(due.Sub(r.a.Now())):
		case <-r.a.calling.Done():
		}
		if err := r.a.goOn(r.a.sending, c, id); err != nil { // it is overdue before long
			r.a.Logger.Warn("a delivery is carried on later", "message", m.ID, "endpoint", id, "error", err)
		}
	})
}

// goOn has a delivery held where its endpoint takes nothing by now, and otherwise gives it a workflow. It is not parked: somebody may
// have given it one meanwhile.
func (a *Activities) goOn(ctx context.Context, c *candidate, endpointID string) (err error) {
	for {
		c.now = a.Now()
		if c.delivery, err = a.Store.Delivery(ctx, c.message.ID, endpointID); err != nil {
			return fmt.Errorf("reading the delivery: %w", err)
		}
		if c.delivery.State == posthorn.Delivered || c.delivery.State == posthorn.Cancelled {
			return nil
		}
		held, err := a.heldBy(ctx, c, endpointID)
		if err != nil {
			return err
		}
		if held.waits == posthorn.WaitNothing {
			return a.Starter.CarryOn(ctx, c.delivery)
		}
		// What it waits for may have happened before anybody could see it wait.
		if changed, err := a.noteWait(ctx, c, held); err != nil || !changed {
			return err
		}
	}
}

// heldBy says whether a delivery that has not failed for good is held for its endpoint.
func (a *Activities) heldBy(ctx context.Context, c *candidate, endpointID string) (verdict, error) {
	if c.delivery.State == posthorn.Failed {
		return verdict{}, nil
	}
	endpoint, err := a.Store.Endpoint(ctx, c.message.AppID, endpointID)
	switch {
	case posthorn.CodeOf(err) == posthorn.NotFound:
		return verdict{}, nil // whoever carries it on ends it
	case err != nil:
		return verdict{}, fmt.Errorf("reading the endpoint: %w", err)
	}
	c.endpoint = &endpoint
	for _, check := range []check{checkEndpoint, a.checkCircuit} {
		if v, err := check(ctx, c); err != nil || v.waits != posthorn.WaitNothing {
			return v.bounded(c.message), err
		}
	}
	return verdict{}, nil
}
