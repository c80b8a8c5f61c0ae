package dispatch

import (
	"context"
	"errors"

	"go.temporal.io/api/serviceerror"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/workflows"
)

// Cancelled has what waits for deliveries that were cancelled come to its end. waits says that the message's first round is
// still to come, and shall find that it was cancelled. What is lost hears of it from WakeOverdue.
func (d *Dispatcher) Cancelled(ctx context.Context, m posthorn.Message, waits bool, cancelled []posthorn.Delivery) error {
	d.Accepted.Drop(m.ID) // it says nothing of the end
	if waits && !m.DeliverAt.IsZero() {
		if err := d.wakeScheduled(ctx, m.ID); err != nil {
			return err
		}
	}
	return d.Nudge(ctx, cancelled...)
}

func (d *Dispatcher) wakeScheduled(ctx context.Context, messageID string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err := d.Client.SignalWorkflow(ctx, messageID, "", workflows.CancelledSignal, nil)
	if _, missing := errors.AsType[*serviceerror.NotFound](err); err == nil || missing {
		return nil
	}
	return unavailable("ending the wait of "+messageID, err)
}
