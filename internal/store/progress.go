package store

import (
	"time"

	"github.com/posthorn/posthorn"
)

// Advance moves a delivery on by an attempt that has ended, as Record.Attempts says. A delivery without a state is one
// that did not exist before. UpdatedAt is left to the caller.
func Advance(d *posthorn.Delivery, a *posthorn.Attempt) {
	d.Attempts++
	scheduled := a.Trigger == posthorn.Automatic
	if scheduled {
		d.Scheduled++
		d.Parked = false
	}
	switch {
	case a.Success && !scheduled:
		endElsewhere(d, posthorn.Delivered, "", a.StartedAt.Add(a.Duration))
	case a.Success:
		d.State, d.Reason, d.NextAt, d.Waits = posthorn.Delivered, "", time.Time{}, posthorn.WaitNothing
	case d.State == posthorn.Delivered, d.State == posthorn.Cancelled, d.State != "" && !scheduled:
	case scheduled && !a.NextAt.IsZero():
		d.State, d.Reason, d.NextAt, d.Waits = posthorn.Retrying, "", a.NextAt, posthorn.WaitNothing
	default:
		d.State, d.Reason, d.NextAt, d.Waits = posthorn.Failed, "", time.Time{}, posthorn.WaitNothing
	}
}

// Wait has a delivery wait, as Record.Waiting says, and reports whether that changed anything. UpdatedAt is left to the
// caller.
func Wait(d *posthorn.Delivery, w posthorn.Delivery) bool {
	if d.State.Ended() && !SentByHandOnly(d) {
		return false
	}
	before := *d
	d.Waits, d.Reason, d.NextAt, d.Parked = w.Waits, w.Reason, w.NextAt, w.Parked
	d.State = openState(d)
	return *d != before
}

// Hold has a waiting delivery wait for something else, wherever it does. If that is a circuit or no workflow has it, it keeps
// its time, at which the gate says how long it can wait. UpdatedAt is left to the caller.
func Hold(d *posthorn.Delivery, instead posthorn.Wait, reason string) {
	d.Waits, d.Reason = instead, reason
	if instead != posthorn.WaitCircuit && !d.Parked {
		d.NextAt = time.Time{}
	}
	d.State = openState(d)
}

// SentByHandOnly reports whether nothing but attempts by hand have failed: somebody sent a message before its time. The
// attempts of its schedule are still to come.
func SentByHandOnly(d *posthorn.Delivery) bool {
	return d.State == posthorn.Failed && d.Scheduled == 0 && d.Reason == ""
}

// Release lets a waiting delivery go: it is due at a moment. UpdatedAt is left to the caller.
func Release(d *posthorn.Delivery, due time.Time) {
	switch d.Waits {
	case posthorn.WaitPaused, posthorn.WaitDisabled:
		d.ReleasedAt = due
	}
	d.Waits, d.Reason, d.NextAt = posthorn.WaitNothing, "", due
	d.State = openState(d)
}

// Retime gives a delivery another time, as Waiting.Retime says, and reports whether that changed anything. UpdatedAt is left
// to the caller.
func Retime(d *posthorn.Delivery, r Retiming) bool {
	if d.State != posthorn.Retrying || d.Waits != posthorn.WaitNothing || d.Scheduled != r.Delivery.Scheduled || !d.NextAt.Equal(r.Delivery.NextAt) {
		return false
	}
	if r.NextAt.IsZero() {
		endElsewhere(d, posthorn.Failed, r.Reason, d.NextAt)
		return true
	}
	changed := !d.NextAt.Equal(r.NextAt)
	d.NextAt = r.NextAt
	return changed
}

// openState is the state of a delivery that has not ended.
func openState(d *posthorn.Delivery) posthorn.DeliveryState {
	switch {
	case d.Waits.Holds():
		return posthorn.Held
	case d.Scheduled > 0:
		return posthorn.Retrying
	default:
		return posthorn.Pending
	}
}

// Cancel ends a delivery on somebody's word at a moment. Its workflow, which may have it wait, is to hear of that. UpdatedAt is
// left to the caller.
func Cancel(d *posthorn.Delivery, reason string, at time.Time) {
	if d.State != posthorn.Delivered {
		endElsewhere(d, posthorn.Cancelled, reason, at)
	}
}

// endElsewhere ends a delivery otherwise than by the run of its workflow.
func endElsewhere(d *posthorn.Delivery, state posthorn.DeliveryState, reason string, at time.Time) {
	var since time.Time
	if d.State != "" && !d.State.Ended() && !d.Parked {
		since = at.UTC().Truncate(time.Microsecond)
	}
	d.State, d.Reason, d.NextAt, d.Waits = state, reason, since, posthorn.WaitNothing
}

// Close ends a delivery without a further attempt, as Record.Closed says, and reports whether that changed anything.
// UpdatedAt is left to the caller.
func Close(d *posthorn.Delivery, state posthorn.DeliveryState, reason string) bool {
	if d.State == posthorn.Delivered {
		return false
	}
	d.State, d.Reason, d.NextAt, d.Waits = state, reason, time.Time{}, posthorn.WaitNothing
	return true
}
