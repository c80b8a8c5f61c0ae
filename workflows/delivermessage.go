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
	// durablePriority has attempts by hand and background tasks, whose default is 3, go before what is retried anyway.
	durablePriority = 4
	// maxKeyword is how many bytes a Keyword search attribute can hold on SQL.
	maxKeyword = 255

	cancelledReason = "cancelled in Temporal"
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
	DeliverAt time.Time `json:",omitzero"` // when it is to be sent, if that was in the future
}

// DeliverMessageResult counts the endpoints.
type DeliverMessageResult struct {
	Endpoints int
	Delivered int
	Cancelled int `json:",omitempty"`
	Held      int `json:",omitempty"` // endpoints that take nothing for now; they get it by other workflows once they do
}

// Status answers StatusQuery.
type Status struct {
	MessageID string
	State     posthorn.DeliveryState // of the message as a whole: the least finished of its deliveries
	Endpoints int
	Delivered int
	Failed    int
	Cancelled int
	Held      int      `json:",omitempty"`
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
	unlisted int      // how many more did not take it, of parts
	closings int      // counts deliveries, or parts, that ended in the durable lane
	total    int      // how many endpoints the message goes to, while the fast lane has parts to come
}

func (d *deliverMessage) setup(ctx workflow.Context) error {
	return workflow.SetQueryHandlerWithOptions(ctx, StatusQuery, d.status, workflow.QueryHandlerOptions{
		Description: "How many endpoints have the message, and which are still open.",
	})
}

func (d *deliverMessage) run(ctx workflow.Context) (DeliverMessageResult, error) {
	scheduled := !d.in.DeliverAt.IsZero()
	if scheduled {
		if err := d.awaitTime(ctx); err != nil {
			return d.result, err
		}
	}
	fast, err := d.fastLane(ctx)
	if err != nil && (!temporal.IsCanceledError(err) || len(d.open) == 0) { // cancelled, it still closes what is open
		return d.result, err
	}
	if len(d.open) == 0 {
		if scheduled {
			d.publish(ctx, d.outcome())
		}
		return d.result, nil
	}
	return d.finishDurably(ctx, fast)
}

// finishDurably carries on what is open and says how the message ended.
func (d *deliverMessage) finishDurably(ctx workflow.Context, fast []activities.SendToAllResult) (DeliverMessageResult, error) {
	if err := d.durableLane(ctx, fast); err != nil {
		return d.result, err
	}
	if failures := d.failures(); failures > 0 {
		return d.result, temporal.NewApplicationErrorWithOptions(
			fmt.Sprintf("%d of %d endpoints did not take the message: %s", failures, d.result.Endpoints, summarise(d.failed, failures)),
			ErrorExhausted,
			temporal.ApplicationErrorOptions{NonRetryable: true, Category: temporal.ApplicationErrorCategoryBenign},
		)
	}
	return d.result, nil
}

func (d *deliverMessage) failures() int { return len(d.failed) + d.unlisted }

// fastLane returns what came of each part of the endpoints; most messages have but one.
func (d *deliverMessage) fastLane(ctx workflow.Context) (parts []activities.SendToAllResult, err error) {
	var a *activities.Activities
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: 30 * time.Second,
		// It fails only where the database does, and then it must outlast the fault: giving up would lose the message.
		ScheduleToCloseTimeout: 30 * 24 * time.Hour,
		RetryPolicy:            ownFaults(time.Minute),
		Summary:                "fast lane",
	})
	in := activities.SendToAllInput{MessageID: d.in.MessageID}
	for {
		var part activities.SendToAllResult
		if err := workflow.ExecuteLocalActivity(ctx, a.SendToAll, in).Get(ctx, &part); err != nil {
			return parts, err
		}
		parts = append(parts, part)
		d.total = part.Total
		d.result.Endpoints += part.Endpoints
		d.result.Delivered += part.Delivered
		d.result.Held += part.Held
		d.result.Cancelled += part.Cancelled
		for _, delivery := range part.Open {
			d.open = append(d.open, delivery.EndpointID)
		}
		if part.Through == "" {
			d.started = true
			return parts, nil
		}
		if !part.Apart {
			in.Open += len(part.Open)
		}
		in.After = part.Through
		workflow.SetCurrentDetails(ctx, d.details())
	}
}

// durableLane carries on what the fast lane left open, each delivery by an activity of its own or, of a part that left too
// many, all by a workflow of their own. It returns when all have ended.
func (d *deliverMessage) durableLane(ctx workflow.Context, fast []activities.SendToAllResult) error {
	slots := workflow.NewSemaphore(ctx, maxOpenActivities)
	for _, part := range fast {
		if part.Apart {
			workflow.Go(ctx, func(ctx workflow.Context) { d.finishPart(part, d.carryOnPart(ctx, part)) })
			continue
		}
		for _, delivery := range part.Open {
			workflow.Go(ctx, func(ctx workflow.Context) {
				// A cancelled workflow closes its deliveries just the same, so its coroutines don't wait for a slot in vain.
				if slots.Acquire(ctx, 1) == nil {
					defer slots.Release(1)
				}
				d.finish(delivery.EndpointID, d.carryOn(ctx, delivery, part))
			})
		}
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
	case d.failures() > 0:
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
		Priority:               temporal.Priority{PriorityKey: durablePriority, FairnessKey: d.in.AppID},
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
		end = ending{posthorn.Cancelled, cancelledReason}
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
	lines := []string{fmt.Sprintf("**%d of %d endpoints** have the message.", d.result.Delivered, max(d.result.Endpoints, d.total))}
	if len(d.open) > 0 {
		lines = append(lines, fmt.Sprintf(
			"Still trying: %s. *Pending activities* shows the last failure and the next attempt of each.", summarise(d.open, len(d.open))))
	}
	if d.result.Held > 0 {
		lines = append(lines, fmt.Sprintf("%d held: their endpoints take nothing for now (paused, disabled, failing or busy). They get it by workflows of their own.", d.result.Held))
	}
	if d.result.Cancelled > 0 {
		lines = append(lines, fmt.Sprintf("%d cancelled.", d.result.Cancelled))
	}
	if failures := d.failures(); failures > 0 {
		lines = append(lines, fmt.Sprintf("Failed: %s.", summarise(d.failed, failures)))
	}
	return strings.Join(lines, "\n\n")
}

func (d *deliverMessage) status() (Status, error) {
	s := Status{
		MessageID: d.in.MessageID,
		State:     posthorn.Delivered,
		Endpoints: max(d.result.Endpoints, d.total),
		Delivered: d.result.Delivered,
		Failed:    d.failures(),
		Cancelled: d.result.Cancelled,
		Held:      d.result.Held,
		Open:      d.open,
	}
	switch {
	case !d.started:
		s.State = posthorn.Pending
	case len(d.open) > 0:
		s.State = posthorn.Retrying
	case d.failures() > 0:
		s.State = posthorn.Failed
	case d.result.Held > 0:
		s.State = posthorn.Held
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

// shown is how many lines a summary has.
const shown = 5

// summarise joins the first few of n lines, of which not all need be there.
func summarise(lines []string, n int) string {
	first := lines[:min(len(lines), shown)]
	if len(first) == n {
		return strings.Join(first, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(first, "; "), n-len(first))
}
