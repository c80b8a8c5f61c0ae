package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// flightMargin is what a request to an endpoint that limits them gets beyond its timeout: for waiting for its turn, and for
// recording. After that its process counts as dead.
const flightMargin = 10 * time.Second

// checkFlight lets through no more than the endpoint may have under way.
func (a *Activities) checkFlight(ctx context.Context, c *candidate) (verdict, error) {
	if c.endpoint.MaxInFlight == 0 {
		return verdict{}, nil
	}
	reason, now := flightLimit(c.endpoint), a.Now()
	boarded, err := a.Store.Board(ctx, store.Boarding{
		AppID: c.message.AppID, EndpointID: c.endpoint.ID, Holder: c.message.ID, Now: now, Until: a.flightEnd(now),
		Delivery: posthorn.Delivery{MessageID: c.message.ID, Reason: reason, Parked: c.parks},
	})
	if err != nil {
		return verdict{}, storeError(err)
	}
	if !boarded.OK {
		return verdict{waits: posthorn.WaitFlight, until: boarded.Again, reason: reason, recorded: true}, nil
	}
	c.onRelease(func() { a.land(c.endpoint.ID, c.message.ID) })
	return verdict{}, nil
}

func flightLimit(ep *posthorn.Endpoint) string {
	return fmt.Sprintf("requests to the endpoint at the same time are limited to %d", ep.MaxInFlight)
}

// flightEnd is when a request that begins now is over for sure.
func (a *Activities) flightEnd(now time.Time) time.Time {
	return now.Add(a.AttemptTimeout + flightMargin)
}

// land gives back what a holder had, without keeping the caller waiting, and has those go on that get it next.
func (a *Activities) land(endpointID, holder string) {
	a.rounds.Go(func() {
		if err := a.handOver(a.sending, endpointID, holder); err != nil {
			a.Logger.Warn("what waits for an endpoint has to wait for the next round", "endpoint", endpointID, "error", err)
		}
	})
}

func (a *Activities) handOver(ctx context.Context, endpointID, holder string) error {
	now := a.Now()
	handed, err := a.Store.Land(ctx, endpointID, holder, now, a.flightEnd(now))
	if err != nil {
		return storeError(err)
	}
	return a.Starter.Wake(ctx, handed...)
}

// clearStranded has those go on that wait for requests which ended with their process.
func (a *Activities) clearStranded(ctx context.Context) error {
	stranded, err := a.Store.Stranded(ctx, a.Now(), wakeBatch)
	if err != nil {
		return storeError(err)
	}
	return each(ctx, stranded, func(ctx context.Context, _ int, id string) error { return a.handOver(ctx, id, "") })
}
