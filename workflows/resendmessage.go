package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
)

// ResendMessageInput asks for one attempt by hand.
type ResendMessageInput struct {
	activities.ResendInput
	Label string // host and path of the endpoint
	// AttemptTimeout bounds the request.
	AttemptTimeout time.Duration
}

// ResendMessage sends a message to one endpoint again, once.
func ResendMessage(ctx workflow.Context, in ResendMessageInput) (activities.ResendResult, error) {
	var a *activities.Activities
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ActivityID:          in.EndpointID,
		StartToCloseTimeout: in.AttemptTimeout + recordMargin,
		RetryPolicy:         ownFaults(time.Minute),
		Summary:             "POST " + in.Label,
	})
	var result activities.ResendResult
	err := workflow.ExecuteActivity(ctx, a.Resend, in.ResendInput).Get(ctx, &result)
	return result, err
}
