package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
)

// maxLooks is how many looks at an endpoint one run takes before it continues as a new one, which keeps histories small.
const maxLooks = 200

// TendEndpoint looks after an endpoint that needs attention: it lets go what was held, for instance. It ends when there is
// nothing left to do. A TendSignal has it look again at once.
func TendEndpoint(ctx workflow.Context, in activities.TendInput) error {
	var a *activities.Activities
	signals := workflow.GetSignalChannelWithOptions(ctx, TendSignal, workflow.SignalChannelOptions{
		Description: "Something has happened to the endpoint: look at once.",
	})
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Minute,
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		RetryPolicy:         ownFaults(time.Minute),
		Summary:             "look after " + in.EndpointID,
	})
	for range maxLooks {
		for signals.ReceiveAsync(nil) {
		}
		var result activities.TendResult
		if err := workflow.ExecuteActivity(ctx, a.Tend, in).Get(ctx, &result); err != nil {
			return err
		}
		if result.Done {
			if signals.Len() == 0 {
				return nil
			}
			continue
		}
		if err := waitFor(ctx, signals, result.Again.Sub(workflow.Now(ctx))); err != nil {
			return err
		}
	}
	return workflow.NewContinueAsNewError(ctx, TendEndpointType, in)
}

// waitFor returns after a while, or at a signal.
func waitFor(ctx workflow.Context, signals workflow.ReceiveChannel, while time.Duration) error {
	if while <= 0 {
		return ctx.Err()
	}
	timing, cancel := workflow.WithCancel(ctx)
	defer cancel()
	selector := workflow.NewSelector(ctx)
	var err error
	selector.AddFuture(workflow.NewTimer(timing, while), func(f workflow.Future) { err = f.Get(ctx, nil) })
	selector.AddReceive(signals, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, nil) })
	selector.Select(ctx)
	return err
}
