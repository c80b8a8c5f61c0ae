package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
)

// WakeOverdue wakes deliveries that should have gone on by themselves, and has endpoints looked after that need attention.
// A Temporal Schedule runs it.
func WakeOverdue(ctx workflow.Context) (activities.WakeResult, error) {
	var a *activities.Activities
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 5 * time.Minute,
		HeartbeatTimeout:    time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 3}, // the schedule comes round again
	})
	var result activities.WakeResult
	err := workflow.ExecuteActivity(ctx, a.WakeOverdue).Get(ctx, &result)
	return result, err
}
