package activities

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/posthorn/posthorn"
)

// Waker has Temporal look again at what waits. A wake is a hint: that a delivery is to go on, and since when, stands in its
// row. What is lost in a crash is found by WakeOverdue.
type Waker interface {
	// Wake has an open delivery looked at again at once. If its workflow has ended, it gets one of its own.
	// Those that are parked are sent together, by endpoint.
	Wake(ctx context.Context, ds ...posthorn.Delivery) error
	// Nudge is a Wake for deliveries that have ended: whoever waits for them hears of it, and that is noted. Nobody has to be
	// there, and nobody is for what was parked.
	Nudge(ctx context.Context, ds ...posthorn.Delivery) error
	// CarryOn begins a workflow for a delivery that has none: to go on with it, or to be on the list of those that have failed.
	CarryOn(ctx context.Context, d posthorn.Delivery) error
	// CarriedOn reports whether a delivery has such a workflow, which has not ended.
	CarriedOn(ctx context.Context, messageID, endpointID string) (bool, error)
	// Tend has an endpoint that needs attention looked after.
	Tend(ctx context.Context, appID, endpointID string) error
}

const (
	// wakeBatch bounds the wakes of one run of WakeOverdue. What is left waits for the next: where Temporal has a backlog,
	// further wakes would only lengthen it.
	wakeBatch = 500
	// overdueBatch is how many deliveries it reads: parked ones are sent a hundred at a time.
	overdueBatch = 5000
	// overdueMargin is what a due attempt gets beyond its timeout before it counts as forgotten.
	overdueMargin = time.Minute
	// unheardMargin is how long an end is left to whoever told of it first. What is parked gets as much.
	unheardMargin = 10 * time.Second
)

// WakeResult counts what was woken.
type WakeResult struct {
	Deliveries int
	Endpoints  int
}

// WakeOverdue wakes deliveries whose attempt should have ended by now, and has the endpoints looked after that need
// attention: whatever should have done so was lost.
func (a *Activities) WakeOverdue(ctx context.Context) (WakeResult, error) {
	var result WakeResult
	for after := ""; ; {
		found, err := a.Store.Attention(ctx, after, sweepBatch)
		if err != nil {
			return result, storeError(fmt.Errorf("reading which endpoints need attention: %w", err))
		}
		for _, n := range found {
			if err := a.Starter.Tend(ctx, n.AppID, n.EndpointID); err != nil {
				return result, err
			}
			result.Endpoints++
			after = n.EndpointID
		}
		if len(found) < sweepBatch {
			break
		}
	}
	if err := a.clearStranded(ctx); err != nil {
		return result, err
	}
	overdue, err := a.Store.Overdue(ctx, a.Now().Add(-unheardMargin), overdueBatch)
	if err != nil {
		return result, storeError(fmt.Errorf("reading overdue deliveries: %w", err))
	}
	ended, open := split(overdue, hasEnded)
	late := a.Now().Add(-a.AttemptTimeout - overdueMargin)
	open = slices.DeleteFunc(open, func(d posthorn.Delivery) bool {
		waits := d.Parked && d.Waits != posthorn.WaitNothing // nobody else keeps its time
		return d.NextAt.After(late) && !waits
	})
	parked, waking := split(open, func(d posthorn.Delivery) bool { return d.Parked })
	slices.SortStableFunc(parked, func(x, y posthorn.Delivery) int { return cmp.Compare(x.EndpointID, y.EndpointID) }) // to be sent together
	for chunk := range slices.Chunk(parked, MaxParked) {
		if err := a.Starter.Wake(ctx, chunk...); err != nil {
			return result, err
		}
		result.wake(ctx, len(chunk))
	}
	for _, d := range ended[:min(len(ended), wakeBatch)] {
		if err := a.Starter.Nudge(ctx, d); err != nil {
			return result, err
		}
		result.wake(ctx, 1)
	}
	for _, d := range waking[:min(len(waking), wakeBatch)] {
		if err := a.Starter.Wake(ctx, d); err != nil {
			return result, err
		}
		result.wake(ctx, 1)
	}
	return result, nil
}

func (r *WakeResult) wake(ctx context.Context, n int) {
	r.Deliveries += n
	if activity.IsActivity(ctx) {
		activity.RecordHeartbeat(ctx, r.Deliveries)
	}
}

func hasEnded(d posthorn.Delivery) bool { return d.State.Ended() }

// split tells those of some deliveries that are something from the others.
func split(ds []posthorn.Delivery, is func(posthorn.Delivery) bool) (those, others []posthorn.Delivery) {
	for _, d := range ds {
		if is(d) {
			those = append(those, d)
		} else {
			others = append(others, d)
		}
	}
	return those, others
}
