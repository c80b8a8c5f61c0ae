package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
)

// Housekeeping removes what has been kept long enough. A Temporal Schedule runs it.
func Housekeeping(ctx workflow.Context) (activities.HousekeepingResult, error) {
	var a *activities.Activities
	var result activities.HousekeepingResult
	err := workflow.ExecuteActivity(inSteps(ctx), a.KeepHouse).Get(ctx, &result)
	return result, err
}

// inSteps is for activities that remove things in many small steps, and tell after each that they are alive.
func inSteps(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Hour,
		HeartbeatTimeout:    time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 3}, // the schedule comes round again
	})
}
