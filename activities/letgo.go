package activities

import (
	"cmp"
	"context"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/posthorn/posthorn"
)

const (
	// letGoFor bounds one call of letGo. The endpoint is looked at anew before the next.
	letGoFor = 5 * time.Second
	// pagesWoken is how many pages of them are woken at a time.
	pagesWoken = 8
	// endPage is how many deliveries are ended, or held for another reason, in one commit.
	endPage = 100

	deletedReason = "the endpoint was deleted"
	droppedReason = "dropped when the endpoint took messages again"
)

// letGo sends or drops what was held for an endpoint that takes messages again, and ends what waits for one that is gone.
func (a *Activities) letGo(ctx context.Context, t *tending) (again time.Time, err error) {
	switch {
	case t.endpoint == nil:
		return a.drop(ctx, t, posthorn.Waits(), time.Time{}, deletedReason)
	case blocked(t.endpoint):
		return a.hold(ctx, t)
	case t.Release.Drop:
		if again, err = a.drop(ctx, t, a.held(t), t.Release.At, droppedReason); err == nil && again.IsZero() {
			again, err = a.send(ctx, t, a.held(t))
		}
	default:
		again, err = a.send(ctx, t, a.held(t))
	}
	if err == nil && again.IsZero() && t.Release != (posthorn.Release{}) {
		err = a.Store.Released(ctx, t.Attention) // what is held later shall not be dropped
	}
	return again, err
}

// held is what an endpoint that takes messages holds no longer.
func (a *Activities) held(t *tending) []posthorn.Wait {
	if a.isOpen(&t.health) {
		return []posthorn.Wait{posthorn.WaitPaused, posthorn.WaitDisabled}
	}
	return posthorn.HeldWaits()
}

func blocked(e *posthorn.Endpoint) bool {
	waits, _ := e.Blocked()
	return waits != posthorn.WaitNothing
}

// send lets held deliveries go, the oldest first, no faster than wanted.
func (a *Activities) send(ctx context.Context, t *tending, held []posthorn.Wait) (again time.Time, err error) {
	perSecond := cmp.Or(t.Release.Rate, posthorn.DefaultReleaseRate)
	page := max(1, perSecond/10)
	limit := rate.NewLimiter(rate.Limit(perSecond), page)
	var wakes errgroup.Group // a Temporal that is slow to answer doesn't slow down what follows
	wakes.SetLimit(pagesWoken)
	again, err = a.inPages(page, func() (int, error) {
		if err := limit.WaitN(ctx, page); err != nil { // nothing is released by then that would not be woken
			return 0, err
		}
		released, err := a.Store.Release(ctx, t.EndpointID, held, a.Now(), page)
		if err != nil {
			return 0, err
		}
		wakes.Go(func() error { return a.Starter.Wake(ctx, released...) })
		return len(released), nil
	})
	return again, cmp.Or(wakes.Wait(), err)
}

// hold has what waits for a circuit wait for somebody's decision, because nobody probes an endpoint that takes nothing. The
// timer that Temporal keeps for it may fire meanwhile; the gate then says the same.
func (a *Activities) hold(ctx context.Context, t *tending) (again time.Time, err error) {
	wait, reason := t.endpoint.Blocked()
	return a.inPages(endPage, func() (int, error) {
		held, err := a.Store.HoldWaiting(ctx, t.EndpointID, []posthorn.Wait{posthorn.WaitCircuit}, wait, reason, endPage)
		return len(held), err
	})
}

// drop cancels what waits for one of these, of messages from before a moment unless that is zero.
func (a *Activities) drop(ctx context.Context, t *tending, waits []posthorn.Wait, before time.Time, reason string) (again time.Time, err error) {
	return a.end(ctx, func() ([]posthorn.Delivery, error) {
		return a.Store.CancelWaiting(ctx, t.EndpointID, waits, before, reason, endPage)
	})
}

// end ends deliveries, a page at a time, and tells whoever waits for them.
func (a *Activities) end(ctx context.Context, cancel func() ([]posthorn.Delivery, error)) (again time.Time, err error) {
	return a.inPages(endPage, func() (int, error) {
		cancelled, err := cancel()
		if err != nil {
			return 0, err
		}
		return len(cancelled), a.Starter.Nudge(ctx, cancelled...)
	})
}

// inPages does something page by page, for some seconds at most, until a page is not full. It returns when to come again;
// zero if that is so.
func (a *Activities) inPages(full int, page func() (n int, err error)) (again time.Time, err error) {
	for end := a.Now().Add(letGoFor); a.Now().Before(end); {
		if n, err := page(); err != nil || n < full {
			return time.Time{}, err
		}
	}
	return a.Now(), nil
}
