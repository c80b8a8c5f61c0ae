package activities

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

// loosenPage is how many deliveries are let go in one commit when a limit has changed.
const loosenPage = 100

// rethrottle has the deliveries that wait for a turn under an earlier limit ask for one under the present limit.
func (a *Activities) rethrottle(ctx context.Context, t *tending) (again time.Time, err error) {
	if t.endpoint == nil {
		return time.Time{}, nil
	}
	after := ""
	return a.wakeAll(ctx, func() ([]posthorn.Delivery, error) {
		released, err := a.Store.ReleaseMistimed(ctx, t.AppID, t.EndpointID, after, a.Now(), loosenPage)
		if len(released) > 0 {
			after = released[len(released)-1].MessageID
		}
		return released, err
	})
}

// unblock has the deliveries that wait for other requests go on, as far as the present limit allows, unless the endpoint fails for
// everybody: they would only be held.
func (a *Activities) unblock(ctx context.Context, t *tending) (again time.Time, err error) {
	switch {
	case t.endpoint == nil, a.isOpen(&t.health):
		return time.Time{}, nil
	case t.endpoint.MaxInFlight > 0:
		return time.Time{}, a.handOver(ctx, t.EndpointID, "")
	default:
		return a.wakeAll(ctx, func() ([]posthorn.Delivery, error) {
			return a.Store.Release(ctx, t.EndpointID, []posthorn.Wait{posthorn.WaitFlight}, a.Now(), loosenPage)
		})
	}
}

// wakeAll wakes what is released page by page.
func (a *Activities) wakeAll(ctx context.Context, release func() ([]posthorn.Delivery, error)) (again time.Time, err error) {
	return a.inPages(loosenPage, func() (int, error) {
		released, err := release()
		if err != nil {
			return 0, err
		}
		return len(released), a.Starter.Wake(ctx, released...)
	})
}
