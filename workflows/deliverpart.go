package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
)

// DeliverPartInput names deliveries of a message that are carried on together, and what bounds each.
type DeliverPartInput struct {
	DeliverMessageInput
	Open           []activities.OpenDelivery
	Window         time.Duration
	AttemptTimeout time.Duration
}

// DeliverPartResult says how they ended.
type DeliverPartResult struct {
	Delivered int
	Cancelled int      `json:",omitempty"`
	Failed    int      `json:",omitempty"`
	Failures  []string `json:",omitempty"` // a line for each of the first few that failed
}

// DeliverPart carries on deliveries of a message that has too many open ones for a single history. What became of them is
// its result, however they ended: whether the message was delivered is said by the message's workflow alone.
func DeliverPart(ctx workflow.Context, in DeliverPartInput) (DeliverPartResult, error) {
	d := &deliverMessage{in: in.DeliverMessageInput, started: true, result: DeliverMessageResult{Endpoints: len(in.Open)}}
	for _, delivery := range in.Open {
		d.open = append(d.open, delivery.EndpointID)
	}
	if err := d.setup(ctx); err != nil {
		return DeliverPartResult{}, err
	}
	err := d.durableLane(ctx, []activities.SendToAllResult{{
		Endpoints: len(in.Open), Open: in.Open, Window: in.Window, AttemptTimeout: in.AttemptTimeout,
	}})
	if err != nil && !temporal.IsCanceledError(err) {
		return DeliverPartResult{}, err
	}
	return DeliverPartResult{
		Delivered: d.result.Delivered, Cancelled: d.result.Cancelled,
		Failed: len(d.failed), Failures: d.failed[:min(len(d.failed), shown)],
	}, nil
}

// carryOnPart has a workflow of its own carry on what a part left open.
func (d *deliverMessage) carryOnPart(ctx workflow.Context, part activities.SendToAllResult) DeliverPartResult {
	var result DeliverPartResult
	err := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:          PartWorkflowID(d.in.MessageID, part.Open[0].EndpointID),
		ParentClosePolicy:   enums.PARENT_CLOSE_POLICY_TERMINATE, // it closes first, unless somebody terminates it
		WaitForCancellation: true,
		Priority:            temporal.Priority{FairnessKey: d.in.AppID},
		StaticSummary:       fmt.Sprintf("%d endpoints of %s", len(part.Open), d.in.MessageID),
		// As those of the message, so that its parts are found like it.
		TypedSearchAttributes: temporal.NewSearchAttributes(
			ApplicationAttribute.ValueSet(d.in.AppID),
			EventTypeAttribute.ValueSet(d.in.EventType[:min(len(d.in.EventType), maxKeyword)]),
		),
	}), DeliverPartType, DeliverPartInput{
		DeliverMessageInput: d.in, Open: part.Open, Window: part.Window, AttemptTimeout: part.AttemptTimeout,
	}).Get(ctx, &result)
	switch {
	case err == nil:
		return result
	case temporal.IsCanceledError(err): // before it began
		d.cancelPart(ctx, part)
		return DeliverPartResult{Cancelled: len(part.Open)}
	default:
		// Somebody has terminated it. What is open is found by WakeOverdue when it is due.
		return DeliverPartResult{Failed: len(part.Open), Failures: []string{
			fmt.Sprintf("%d endpoints from %s on: %s", len(part.Open), part.Open[0].EndpointID, lastFailure(err)),
		}}
	}
}

// cancelPart records that what a part left open is cancelled.
func (d *deliverMessage) cancelPart(ctx workflow.Context, part activities.SendToAllResult) {
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	var a *activities.Activities
	in := activities.ClosePartInput{
		MessageID: d.in.MessageID, AppID: d.in.AppID, State: posthorn.Cancelled, Reason: cancelledReason,
	}
	for _, delivery := range part.Open {
		in.EndpointIDs = append(in.EndpointIDs, delivery.EndpointID)
	}
	closing := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout:    30 * time.Second,
		ScheduleToCloseTimeout: 24 * time.Hour,
		RetryPolicy:            ownFaults(time.Minute),
		Summary:                fmt.Sprintf("close %d deliveries", len(part.Open)),
	})
	if err := workflow.ExecuteLocalActivity(closing, a.ClosePart, in).Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Error("the end of deliveries could not be recorded", "deliveries", len(part.Open), "error", err)
	}
}

func (d *deliverMessage) finishPart(part activities.SendToAllResult, r DeliverPartResult) {
	ended := make(map[string]bool, len(part.Open))
	for _, delivery := range part.Open {
		ended[delivery.EndpointID] = true
	}
	d.open = slices.DeleteFunc(d.open, func(id string) bool { return ended[id] })
	d.closings++
	d.result.Delivered += r.Delivered
	d.result.Cancelled += r.Cancelled
	d.failed = append(d.failed, r.Failures...)
	d.unlisted += r.Failed - len(r.Failures)
}
