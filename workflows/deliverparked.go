package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
)

// DeliverParkedInput names deliveries to one endpoint that waited in the database only.
type DeliverParkedInput struct {
	activities.SendParkedInput
	Label          string // host and path of the endpoint
	AttemptTimeout time.Duration
}

// DeliverParked sends deliveries that were parked and let go, each once. What fails goes on in a workflow of its own.
func DeliverParked(ctx workflow.Context, in DeliverParkedInput) (activities.SendParkedResult, error) {
	var a *activities.Activities
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: in.AttemptTimeout + time.Minute, // what they wait for in their process is bounded, too
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		Priority:            temporal.Priority{PriorityKey: durablePriority, FairnessKey: in.AppID},
		RetryPolicy:         ownFaults(10 * time.Second),
		Summary:             "POST " + in.Label,
	})
	var result activities.SendParkedResult
	err := workflow.ExecuteActivity(ctx, a.SendParked, in.SendParkedInput).Get(ctx, &result)
	return result, err
}
