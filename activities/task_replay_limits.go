package activities

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// flightPoll is how often an attempt of a task asks for a free slot. It is no delivery that could be woken.
const flightPoll = 100 * time.Millisecond

// admitReplayed waits until the limits of the endpoint let an attempt of a task through, like any other, and reports whether
// that was before ctx ended or the time was over. Turn is what the attempt was given when it asked before; it is kept for the
// next time. The caller calls done when the attempt is recorded.
func (a *Activities) admitReplayed(
	ctx context.Context, ep *posthorn.Endpoint, attemptID string, turn *time.Time, over time.Time,
) (done func(), ok bool, err error) {
	if ok, err := a.takeTurn(ctx, ep, turn, over); err != nil || !ok {
		return nil, false, err
	}
	if ep.MaxInFlight == 0 {
		return func() {}, true, nil
	}
	for ctx.Err() == nil {
		now := a.Now()
		boarded, err := a.Store.Board(a.sending, store.Boarding{
			AppID: ep.AppID, EndpointID: ep.ID, Holder: attemptID, Now: now, Until: a.flightEnd(now),
		})
		switch {
		case err != nil:
			return nil, false, err
		case boarded.OK:
			return func() { a.land(ep.ID, attemptID) }, true, nil
		case now.After(over):
			*turn = now // it has had it
			return nil, false, nil
		}
		pause(ctx, flightPoll)
	}
	return nil, false, nil
}

// takeTurn is admitReplayed for the rate limits. What it used is no turn any more.
func (a *Activities) takeTurn(ctx context.Context, ep *posthorn.Endpoint, turn *time.Time, over time.Time) (ok bool, err error) {
	limit, err := a.throttle(ctx, ep)
	if err != nil || limit == "" {
		return err == nil, err
	}
	for ctx.Err() == nil {
		turned, err := a.Store.TakeTurn(a.sending, store.Turn{
			AppID: ep.AppID, EndpointID: ep.ID, Now: a.Now(), Due: *turn, Patience: durablePatience,
		})
		switch {
		case err != nil:
			return false, err
		case turned.Granted:
			*turn = time.Time{}
			pause(ctx, turned.At.Sub(a.Now()))
			return true, nil
		}
		*turn = turned.At
		if turned.At.After(over) {
			pause(ctx, over.Sub(a.Now()))
			return false, nil
		}
		pause(ctx, turned.At.Sub(a.Now()))
	}
	return false, nil
}

// pause returns after a while, or when ctx ends.
func pause(ctx context.Context, while time.Duration) {
	if while <= 0 {
		return
	}
	select {
	case <-time.After(while):
	case <-ctx.Done():
	}
}
