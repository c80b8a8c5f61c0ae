package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
)

// ExpirePayloads removes the payloads whose time is over. A Temporal Schedule runs it.
func ExpirePayloads(ctx workflow.Context) (activities.ExpireResult, error) {
	var a *activities.Activities
	var result activities.ExpireResult
	err := workflow.ExecuteActivity(inSteps(ctx), a.ExpirePayloads).Get(ctx, &result)
	return result, err
}
