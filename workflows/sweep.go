package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
)

// SweepUndispatched starts the workflows of messages that were stored but never started. A Temporal Schedule runs it.
func SweepUndispatched(ctx workflow.Context) (activities.SweepResult, error) {
	var a *activities.Activities
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 3}, // the schedule comes round again
	})
	var result activities.SweepResult
	err := workflow.ExecuteActivity(ctx, a.Sweep).Get(ctx, &result)
	return result, err
}
