package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
)

// ExpirePayloads removes the payloads whose time is over. A Temporal Schedule runs it.
func ExpirePayloads(ctx workflow.Context) (activities.ExpireResult, error) {
	var a *activities.Activities
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Hour,
		HeartbeatTimeout:    time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 3}, // the schedule comes round again
	})
	var result activities.ExpireResult
	err := workflow.ExecuteActivity(ctx, a.ExpirePayloads).Get(ctx, &result)
	return result, err
}
