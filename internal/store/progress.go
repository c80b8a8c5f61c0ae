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
	}
	switch {
	case a.Success:
		d.State, d.Reason, d.NextAt = posthorn.Delivered, "", time.Time{}
	case d.State == posthorn.Delivered, d.State != "" && !scheduled:
	case scheduled && !a.NextAt.IsZero():
		d.State, d.Reason, d.NextAt = posthorn.Retrying, "", a.NextAt
	default:
		d.State, d.Reason, d.NextAt = posthorn.Failed, "", time.Time{}
	}
}

// Close ends a delivery without a further attempt, as Record.Closed says, and reports whether that changed anything.
// UpdatedAt is left to the caller.
func Close(d *posthorn.Delivery, state posthorn.DeliveryState, reason string) bool {
	if d.State == posthorn.Delivered {
		return false
	}
	d.State, d.Reason, d.NextAt = state, reason, time.Time{}
	return true
}
