package workflows

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
)

const (
	// maxOpenActivities bounds the deliveries that the durable lane carries on at the same time, well under Temporal's
	// limit of 2,000 pending activities in a workflow.
	maxOpenActivities = 1000
	// maxListedEndpoints bounds the search attribute for open endpoints, whose value may have 2 KB.
	maxListedEndpoints = 50
	// recordMargin is what an activity gets beyond the timeout of its request: for reading and recording.
	recordMargin = 15 * time.Second
)

// ownFaults is the retry policy for faults of our own, such as a database that does not answer: for good, at growing
// intervals up to the longest. The schedule for receivers is none of its business.
func ownFaults(longest time.Duration) *temporal.RetryPolicy {
	return &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: longest}
}

// DeliverMessageInput names the message. The payload stays in the database.
type DeliverMessageInput struct {
	MessageID string
	AppID     string
	EventType string
}

// DeliverMessageResult counts the endpoints.
type DeliverMessageResult struct {
	Endpoints int
	Delivered int
	Cancelled int `json:",omitempty"`
}

// Status answers StatusQuery.
type Status struct {
	MessageID string
	State     posthorn.DeliveryState // of the message as a whole: the least finished of its deliveries
	Endpoints int
	Delivered int
	Failed    int
	Cancelled int
	Open      []string // IDs of the endpoints that the durable lane is trying to reach
}

// DeliverMessage sends a message to every endpoint that subscribes to it. It completes when all have it, and fails
// with ErrorExhausted when one of them did not take it within the schedule.
func DeliverMessage(ctx workflow.Context, in DeliverMessageInput) (DeliverMessageResult, error) {
	d := &deliverMessage{in: in}
	if err := d.setup(ctx); err != nil {
		return DeliverMessageResult{}, err
	}
	return d.run(ctx)
}

type deliverMessage struct {
	in       DeliverMessageInput
	started  bool
	result   DeliverMessageResult
	open     []string
	failed   []string // one line for each endpoint that did not take it
	closings int      // counts deliveries that ended in the durable lane
}

func (d *deliverMessage) setup(ctx workflow.Context) error {
	return workflow.SetQueryHandlerWithOptions(ctx, StatusQuery, d.status, workflow.QueryHandlerOptions{
		Description: "How many endpoints have the message, and which are still open.",
	})
}

func (d *deliverMessage) run(ctx workflow.Context) (DeliverMessageResult, error) {
	fast, err := d.fastLane(ctx)
	if err != nil {
		return d.result, err
	}
	if len(fast.Open) == 0 {
		return d.result, nil
	}
	if err := d.durableLane(ctx, fast); err != nil {
		return d.result, err
	}
	if len(d.failed) > 0 {
		return d.result, temporal.NewApplicationErrorWithOptions(
			fmt.Sprintf("%d of %d endpoints did not take the message: %s", len(d.failed), d.result.Endpoints, summarise(d.failed)),
			ErrorExhausted,
			temporal.ApplicationErrorOptions{NonRetryable: true, Category: temporal.ApplicationErrorCategoryBenign},
		)
	}
	return d.result, nil
}

func (d *deliverMessage) fastLane(ctx workflow.Context) (activities.SendToAllResult, error) {
	var a *activities.Activities
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: 30 * time.Second,
		// It fails only where the database does, and then it must outlast the fault: giving up would lose the message.
		ScheduleToCloseTimeout: 30 * 24 * time.Hour,
		RetryPolicy:            ownFaults(time.Minute),
		Summary:                "fast lane",
	})
	var fast activities.SendToAllResult
	err := workflow.ExecuteLocalActivity(ctx, a.SendToAll, activities.SendToAllInput{MessageID: d.in.MessageID}).Get(ctx, &fast)
	if err != nil {
		return fast, err
	}
	d.started = true
	d.result.Endpoints, d.result.Delivered = fast.Endpoints, fast.Delivered
	for _, delivery := range fast.Open {
		d.open = append(d.open, delivery.EndpointID)
	}
	return fast, nil
}

// durableLane carries on what the fast lane left open, each delivery by an activity of its own, and returns when all
// have ended.
func (d *deliverMessage) durableLane(ctx workflow.Context, fast activities.SendToAllResult) error {
	slots := workflow.NewSemaphore(ctx, maxOpenActivities)
	for _, delivery := range fast.Open {
		workflow.Go(ctx, func(ctx workflow.Context) {
			// A cancelled workflow closes its deliveries just the same, so its coroutines don't wait for a slot in vain.
			if slots.Acquire(ctx, 1) == nil {
				defer slots.Release(1)
			}
			d.finish(delivery.EndpointID, d.carryOn(ctx, delivery, fast))
		})
	}
	for len(d.open) > 0 {
		d.publish(ctx, posthorn.Retrying)
		seen := d.closings
		disconnected, cancel := workflow.NewDisconnectedContext(ctx)
		err := workflow.Await(disconnected, func() bool { return d.closings > seen })
		cancel()
		if err != nil {
			return err
		}
	}
	switch {
	case ctx.Err() != nil:
		d.publish(ctx, posthorn.Cancelled)
		return ctx.Err()
	case len(d.failed) > 0:
		d.publish(ctx, posthorn.Failed)
	default:
		d.publish(ctx, posthorn.Delivered)
	}
	return nil
}

// ending is how a delivery ended in the durable lane.
type ending struct {
	state  posthorn.DeliveryState
	reason string
}

// carryOn runs one delivery to its end.
func (d *deliverMessage) carryOn(ctx workflow.Context, delivery activities.OpenDelivery, fast activities.SendToAllResult) ending {
	var a *activities.Activities
	in := activities.SendToEndpointInput{MessageID: d.in.MessageID, AppID: d.in.AppID, EndpointID: delivery.EndpointID}
	var sent activities.SendToEndpointResult
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ActivityID:             delivery.EndpointID,
		StartToCloseTimeout:    fast.AttemptTimeout + recordMargin,
		ScheduleToCloseTimeout: fast.Window,
		HeartbeatTimeout:       activities.HeartbeatTimeout,
		// The schedule comes from the activity, as the NextRetryDelay of its errors. This policy is for faults of our own.
		RetryPolicy: ownFaults(10 * time.Second),
		Summary:     "POST " + delivery.Label,
	}), a.SendToEndpoint, in).Get(ctx, &sent)

	var end ending
	switch {
	case err == nil:
		return ending{sent.State, sent.Reason}
	case activities.IsExhausted(err):
		return ending{posthorn.Failed, lastFailure(err)}
	case temporal.IsCanceledError(err):
		end = ending{posthorn.Cancelled, "cancelled in Temporal"}
	default:
		end = ending{posthorn.Failed, "the time for retries is over; last: " + lastFailure(err)}
	}
	// The activity did not end the delivery itself, so the database does not know yet.
	disconnected, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	closing := workflow.WithLocalActivityOptions(disconnected, workflow.LocalActivityOptions{
		StartToCloseTimeout:    30 * time.Second,
		ScheduleToCloseTimeout: 24 * time.Hour,
		RetryPolicy:            ownFaults(time.Minute),
		Summary:                "close " + delivery.EndpointID,
	})
	close := activities.CloseDeliveryInput{SendToEndpointInput: in, State: end.state, Reason: end.reason}
	if err := workflow.ExecuteLocalActivity(closing, a.CloseDelivery, close).Get(disconnected, nil); err != nil {
		workflow.GetLogger(ctx).Error("the end of a delivery could not be recorded", "endpoint", delivery.EndpointID, "error", err)
	}
	return end
}

func (d *deliverMessage) finish(endpointID string, end ending) {
	d.open = slices.DeleteFunc(d.open, func(id string) bool { return id == endpointID })
	d.closings++
	switch end.state {
	case posthorn.Delivered:
		d.result.Delivered++
	case posthorn.Cancelled:
		d.result.Cancelled++
	default:
		d.failed = append(d.failed, endpointID+": "+end.reason)
	}
}

// publish makes the state searchable and readable in the Web UI. It runs on the failure path only.
func (d *deliverMessage) publish(ctx workflow.Context, state posthorn.DeliveryState) {
	listed := d.open[:min(len(d.open), maxListedEndpoints)]
	err := workflow.UpsertTypedSearchAttributes(ctx,
		DeliveryStateAttribute.ValueSet(string(state)),
		OpenEndpointsAttribute.ValueSet(slices.Clone(listed)),
	)
	if err != nil {
		workflow.GetLogger(ctx).Error("search attributes could not be set", "error", err)
	}
	workflow.SetCurrentDetails(ctx, d.details())
}

// details is what the Web UI shows as the workflow's current state, in Markdown.
func (d *deliverMessage) details() string {
	lines := []string{fmt.Sprintf("**%d of %d endpoints** have the message.", d.result.Delivered, d.result.Endpoints)}
	if len(d.open) > 0 {
		lines = append(lines, fmt.Sprintf(
			"Still trying: %s. *Pending activities* shows the last failure and the next attempt of each.", summarise(d.open)))
	}
	if d.result.Cancelled > 0 {
		lines = append(lines, fmt.Sprintf("%d cancelled.", d.result.Cancelled))
	}
	if len(d.failed) > 0 {
		lines = append(lines, fmt.Sprintf("Failed: %s.", summarise(d.failed)))
	}
	return strings.Join(lines, "\n\n")
}

func (d *deliverMessage) status() (Status, error) {
	s := Status{
		MessageID: d.in.MessageID,
		State:     posthorn.Delivered,
		Endpoints: d.result.Endpoints,
		Delivered: d.result.Delivered,
		Failed:    len(d.failed),
		Cancelled: d.result.Cancelled,
		Open:      d.open,
	}
	switch {
	case !d.started:
		s.State = posthorn.Pending
	case len(d.open) > 0:
		s.State = posthorn.Retrying
	case len(d.failed) > 0:
		s.State = posthorn.Failed
	case d.result.Cancelled > 0:
		s.State = posthorn.Cancelled
	}
	return s, nil
}

// lastFailure returns the text of the attempt that an activity's error ends with.
func lastFailure(err error) string {
	if timeout, ok := errors.AsType[*temporal.TimeoutError](err); ok && timeout.Unwrap() != nil {
		err = timeout.Unwrap()
	}
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return app.Message()
	}
	return err.Error()
}

// summarise joins the first few of many lines.
func summarise(lines []string) string {
	const shown = 5
	if len(lines) <= shown {
		return strings.Join(lines, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(lines[:shown], "; "), len(lines)-shown)
}
