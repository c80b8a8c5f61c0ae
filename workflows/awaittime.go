package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
)

// awaitTime waits until the message is to be sent. It returns early at a CancelledSignal: what there is to send then, which
// should be nothing, is for the fast lane to say.
func (d *deliverMessage) awaitTime(ctx workflow.Context) error {
	wait := d.in.DeliverAt.Sub(workflow.Now(ctx))
	if wait <= 0 {
		return nil
	}
	var a *activities.Activities
	in := activities.ScheduledInput{MessageID: d.in.MessageID, AppID: d.in.AppID}
	err := workflow.ExecuteLocalActivity(briefly(ctx, "note that it is scheduled"), a.MarkScheduled, in).Get(ctx, nil)
	if err == nil {
		workflow.SetCurrentDetails(ctx, "Waits until **"+spell(d.in.DeliverAt)+"**. *Pending timers* shows it, too.")
		err = d.sleep(ctx, wait)
	}
	if ctx.Err() == nil {
		return err
	}
	// Somebody cancelled the workflow in Temporal: that is meant for the message.
	disconnected, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	if err := workflow.ExecuteLocalActivity(briefly(disconnected, "cancel the message"), a.CancelScheduled, in).Get(disconnected, nil); err != nil {
		return err
	}
	if _, err := d.fastLane(disconnected); err != nil {
		return err
	}
	d.publish(disconnected, posthorn.Cancelled)
	return ctx.Err()
}

// sleep returns when the time is over, or at a CancelledSignal.
func (d *deliverMessage) sleep(ctx workflow.Context, while time.Duration) (err error) {
	cancelled := workflow.GetSignalChannelWithOptions(ctx, CancelledSignal, workflow.SignalChannelOptions{
		Description: "The message was cancelled in the database: don't wait any longer.",
	})
	timing, stop := workflow.WithCancel(ctx)
	defer stop()
	timer := workflow.NewTimerWithOptions(timing, while, workflow.TimerOptions{Summary: "to be sent at " + spell(d.in.DeliverAt)})
	workflow.NewSelector(ctx).
		AddFuture(timer, func(f workflow.Future) { err = f.Get(ctx, nil) }).
		AddReceive(cancelled, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) }).
		Select(ctx)
	return err
}

// outcome is the state of a message of which nothing is open.
func (d *deliverMessage) outcome() posthorn.DeliveryState {
	switch {
	case d.result.Held > 0:
		return posthorn.Held
	case d.result.Cancelled > 0:
		return posthorn.Cancelled
	default:
		return posthorn.Delivered
	}
}

// briefly has a local activity that only writes a row.
func briefly(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout:    30 * time.Second,
		ScheduleToCloseTimeout: 30 * 24 * time.Hour,
		RetryPolicy:            ownFaults(time.Minute),
		Summary:                summary,
	})
}

func spell(t time.Time) string { return t.UTC().Format(time.RFC3339) }
