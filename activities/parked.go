package activities

import (
	"context"
	"sync"

	"github.com/posthorn/posthorn"
)

// MaxParked is how many deliveries are sent together at most that were parked.
const MaxParked = 100

// parks reports whether deliveries that wait for this do so in the database only, without a workflow, where it is found out
// before they are sent for the first time. There can be very many, nobody knows for how long, and whoever lets them go calls
// them.
func parks(w posthorn.Wait) bool { return w.Holds() || w == posthorn.WaitFlight }

// SendParkedInput names deliveries to one endpoint that were parked and let go.
type SendParkedInput struct {
	AppID      string
	EndpointID string
	MessageIDs []string
}

// SendParkedResult counts what became of them.
type SendParkedResult struct {
	Delivered int `json:",omitempty"`
	Cancelled int `json:",omitempty"`
	Failed    int `json:",omitempty"` // for good; workflows of their own, which fail, are on Temporal's list of what was not delivered
	Parked    int `json:",omitempty"` // they wait once more
	CarriedOn int `json:",omitempty"` // they are to be tried again and have workflows of their own for it
}

// SendParked makes an attempt of each of these deliveries, unless the gate says otherwise. What needs a time of its own
// afterwards, or has failed for good, is carried on by a workflow. It may be repeated: each delivery is gone on with as its row says.
func (a *Activities) SendParked(ctx context.Context, in SendParkedInput) (result SendParkedResult, err error) {
	defer keepAlive(ctx)()
	var all sync.WaitGroup
	var mu sync.Mutex
	for _, id := range in.MessageIDs {
		all.Go(func() {
			d, failure := a.sendParked(ctx, SendToEndpointInput{MessageID: id, AppID: in.AppID, EndpointID: in.EndpointID})
			mu.Lock()
			defer mu.Unlock()
			if failure != nil {
				err = failure
				return
			}
			result.count(d)
		})
	}
	all.Wait()
	return result, err
}

// count counts a delivery as it is afterwards.
func (r *SendParkedResult) count(d posthorn.Delivery) {
	switch {
	case d.State == posthorn.Delivered:
		r.Delivered++
	case d.State == posthorn.Cancelled:
		r.Cancelled++
	case d.State == posthorn.Failed:
		r.Failed++
	case d.Parked:
		r.Parked++
	default:
		r.CarriedOn++
	}
}

// sendParked sends one of them, has it carried on if need be, and returns it as it is then.
func (a *Activities) sendParked(ctx context.Context, in SendToEndpointInput) (d posthorn.Delivery, err error) {
	var sent SendToEndpointResult
	var found parkedFind
	looks := 0
	a.Wakes.run(in.MessageID, in.EndpointID, func() (waits bool) {
		looks++
		found, sent, err = a.carryOnParked(ctx, in)
		return err == nil && found == elsewhere || isWaiting(err) && ctx.Err() == nil
	})
	switch {
	case found == elsewhere && err == nil:
	case err == nil:
		return posthorn.Delivery{State: sent.State}, nil
	case !isFinal(err) && !isWaiting(err):
		return d, err
	}
	if d, err = a.Store.Delivery(ctx, in.MessageID, in.EndpointID); err != nil {
		return d, storeError(err)
	}
	woken := looks > 1 && found == elsewhere // what came here was for its workflow
	switch {
	case d.Parked && d.State != posthorn.Failed:
		return d, nil
	case woken && d.State.Ended():
		err = a.Starter.Nudge(ctx, d)
	}
	switch {
	case err != nil, d.State == posthorn.Delivered, d.State == posthorn.Cancelled:
		return d, err
	case d.State == posthorn.Failed:
		return d, a.Starter.CarryOn(ctx, d)
	default:
		return d, a.Starter.Wake(ctx, d) // by the message's workflow, if that repeats its fast lane just now, or by one of its own
	}
}

// parkedFind is where a delivery was found that is to be sent because it was parked.
type parkedFind int

const (
	here      parkedFind = iota
	elsewhere            // it is not parked any more: it has a workflow, or lacks it only because a run was interrupted
)

// carryOnParked is carryOn for what is parked still when its turn has come. What has a workflow by then is left to that, which
// would never hear of what another sends in its stead.
func (a *Activities) carryOnParked(ctx context.Context, in SendToEndpointInput) (parkedFind, SendToEndpointResult, error) {
	if err := a.flights.take(ctx, in.MessageID, in.EndpointID); err != nil {
		return here, SendToEndpointResult{}, err
	}
	defer a.flights.land(in.MessageID, in.EndpointID)
	switch d, err := a.Store.Delivery(ctx, in.MessageID, in.EndpointID); {
	case posthorn.CodeOf(err) == posthorn.NotFound: // it ended so long ago that it is not kept any more
		return here, SendToEndpointResult{State: posthorn.Cancelled}, nil
	case err != nil:
		return here, SendToEndpointResult{}, storeError(err)
	case !d.Parked:
		return elsewhere, SendToEndpointResult{}, nil
	}
	sent, err := a.decide(ctx, in)
	return here, sent, err
}
