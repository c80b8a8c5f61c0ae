package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
)

// DeliverToEndpointInput names one delivery of a message whose own workflow has ended, and what bounds it.
type DeliverToEndpointInput struct {
	activities.SendToEndpointInput
	Label          string // host and path of the endpoint
	Window         time.Duration
	AttemptTimeout time.Duration
}

// DeliverToEndpoint goes on with a delivery that was held when its message's workflow ended.
func DeliverToEndpoint(ctx workflow.Context, in DeliverToEndpointInput) (DeliverMessageResult, error) {
	d := &deliverMessage{
		in: DeliverMessageInput{MessageID: in.MessageID, AppID: in.AppID}, started: true,
		result: DeliverMessageResult{Endpoints: 1}, open: []string{in.EndpointID},
	}
	if err := d.setup(ctx); err != nil {
		return d.result, err
	}
	return d.finishDurably(ctx, []activities.SendToAllResult{{
		Endpoints: 1, Open: []activities.OpenDelivery{{EndpointID: in.EndpointID, Label: in.Label}},
		Window: in.Window, AttemptTimeout: in.AttemptTimeout,
	}})
}
