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
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Hour,
		HeartbeatTimeout:    time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 3}, // the schedule comes round again
	})
	var result activities.HousekeepingResult
	err := workflow.ExecuteActivity(ctx, a.KeepHouse).Get(ctx, &result)
	return result, err
}
