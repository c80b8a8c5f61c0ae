package dispatch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/workflows"
)

const (
	letEndEvery = 50 * time.Millisecond
	letEndTries = 20
	resetTries  = 3
)

// wakes is how many deliveries are looked for at a time.
const wakes = 16

// Wake implements [activities.Waker]: it resets a delivery's activity, which starts it at once if it waits.
func (d *Dispatcher) Wake(ctx context.Context, ds ...posthorn.Delivery) error {
	var parked []posthorn.Delivery
	all := d.wakers()
	for _, delivery := range ds {
		switch {
		case !delivery.Parked:
			all.Go(func() error {
				found, err := d.reset(ctx, delivery)
				if err != nil || found != nobody {
					return err
				}
				return d.CarryOn(ctx, delivery)
			})
		case !d.Wakes.Wake(delivery.MessageID, delivery.EndpointID):
			parked = append(parked, delivery)
		}
	}
	return errors.Join(d.sendParked(ctx, parked), all.Wait())
}

// Nudge implements [activities.Waker].
func (d *Dispatcher) Nudge(ctx context.Context, ds ...posthorn.Delivery) error {
	all := d.wakers()
	var mu sync.Mutex
	var heard []posthorn.Delivery
	for _, delivery := range ds {
		if delivery.Parked {
			d.Wakes.Wake(delivery.MessageID, delivery.EndpointID)
			continue
		}
		all.Go(func() error {
			found, err := d.reset(ctx, delivery)
			if err != nil || found == deaf {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, delivery)
			return nil
		})
	}
	if err := all.Wait(); err != nil || len(heard) == 0 {
		return err
	}
	return d.Store.Heard(ctx, heard)
}

func (d *Dispatcher) wakers() *errgroup.Group {
	var all errgroup.Group
	all.SetLimit(wakes)
	return &all
}

// listener is who was found that carries on a delivery.
type listener int

const (
	nobody   listener = iota
	somebody          // reads the row once more
	deaf              // is at work for so long that it may have read the row before, and reads it again only when it wants to
)

// reset looks for the activity in the message's workflow first, then in the one that a delivery gets of its own, and then in
// the one that carries on its part of a very large fan-out.
func (d *Dispatcher) reset(ctx context.Context, delivery posthorn.Delivery) (found listener, err error) {
	if d.Wakes.Wake(delivery.MessageID, delivery.EndpointID) {
		return somebody, nil
	}
	for _, workflowID := range []string{
		delivery.MessageID, workflows.DeliveryWorkflowID(delivery.MessageID, delivery.EndpointID),
	} {
		if found, err = d.resetWhenIdle(ctx, workflowID, delivery.EndpointID); err != nil || found != nobody {
			return found, err
		}
	}
	part, err := d.partOf(ctx, delivery)
	switch {
	case err != nil || part == nil:
		return nobody, err
	case part.GetRunId() == "": // it is about to begin, and looks at everything then
		return somebody, nil
	}
	return d.resetWhenIdle(ctx, part.GetWorkflowId(), delivery.EndpointID)
}

// resetWhenIdle resets an activity that is not at work. One that has begun between the look and the reset is let end, too.
func (d *Dispatcher) resetWhenIdle(ctx context.Context, workflowID, activityID string) (found listener, err error) {
	for range resetTries {
		if found, err = d.letEnd(ctx, workflowID, activityID); err != nil || found != nobody {
			return found, err
		}
		asked := time.Now()
		if found, err = d.resetIn(ctx, workflowID, activityID); err != nil || found == nobody {
			return found, err
		}
		described, err := d.describe(ctx, workflowID)
		if err != nil {
			return nobody, err
		}
		run := pending(described, activityID)
		if run.GetState() != enums.PENDING_ACTIVITY_STATE_STARTED || run.GetLastStartedTime().AsTime().After(asked) {
			return somebody, nil
		}
	}
	return deaf, nil
}

// describe returns how a workflow stands; nil if there is none.
func (d *Dispatcher) describe(ctx context.Context, workflowID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	described, err := d.Client.DescribeWorkflowExecution(ctx, workflowID, "")
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return nil, nil
	}
	if err != nil {
		return nil, unavailable("looking at "+workflowID, err)
	}
	return described, nil
}

// pending returns a workflow's activity that has not ended; nil if there is none.
func pending(described *workflowservice.DescribeWorkflowExecutionResponse, activityID string) *workflowpb.PendingActivityInfo {
	for _, a := range described.GetPendingActivities() {
		if a.GetActivityId() == activityID {
			return a
		}
	}
	return nil
}

// partOf finds the open workflow that carries on a delivery together with others. Nil: there is none.
func (d *Dispatcher) partOf(ctx context.Context, delivery posthorn.Delivery) (*workflowpb.PendingChildExecutionInfo, error) {
	described, err := d.describe(ctx, delivery.MessageID)
	if err != nil {
		return nil, err
	}
	var part *workflowpb.PendingChildExecutionInfo
	for _, child := range described.GetPendingChildren() {
		// Parts follow one another in the order of endpoints, and each is named by its first.
		id := child.GetWorkflowId()
		if workflows.MayBePartOf(id, delivery.MessageID, delivery.EndpointID) && id > part.GetWorkflowId() {
			part = child
		}
	}
	return part, nil
}

// letEnd waits a little for a run of the activity in another process: to reset it while it is at work starts no further
// run, and it may have looked before there was something to see. One that takes long is making an attempt, or this machine is
// slow: it is deaf.
//
// It waits likewise for a workflow that is about to decide what it does next, because that may be to begin the activity:
// another workflow would send the same delivery again. One whose process has died takes longer. It counts as one that begins
// it; should that be wrong, WakeOverdue comes round.
func (d *Dispatcher) letEnd(ctx context.Context, workflowID, activityID string) (found listener, err error) {
	var began *timestamppb.Timestamp
	for range letEndTries {
		described, err := d.describe(ctx, workflowID)
		if err != nil {
			return nobody, err
		}
		run := pending(described, activityID)
		switch {
		case run == nil && described.GetPendingWorkflowTask() == nil:
			return nobody, nil
		case run == nil:
			found = somebody
		default:
			if run.GetState() != enums.PENDING_ACTIVITY_STATE_STARTED || began != nil && !proto.Equal(began, run.GetLastStartedTime()) {
				return nobody, nil
			}
			began, found = run.GetLastStartedTime(), deaf
		}
		select {
		case <-time.After(letEndEvery):
		case <-ctx.Done():
			return nobody, ctx.Err()
		}
	}
	return found, nil
}

func (d *Dispatcher) resetIn(ctx context.Context, workflowID, activityID string) (found listener, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	_, err = d.Client.WorkflowService().ResetActivity(ctx, &workflowservice.ResetActivityRequest{
		Namespace: d.Namespace,
		Execution: &commonpb.WorkflowExecution{WorkflowId: workflowID},
		Activity:  &workflowservice.ResetActivityRequest_Id{Id: activityID},
		// What the activity told of earlier attempts is no reason to make one now: the delivery's row says when.
		ResetHeartbeat: true,
	})
	if _, missing := errors.AsType[*serviceerror.NotFound](err); missing {
		return nobody, nil
	}
	if err != nil {
		return nobody, unavailable("waking "+activityID+" in "+workflowID, err)
	}
	return somebody, nil
}

// CarryOn implements [activities.Waker]. If another has begun the workflow meanwhile, that is well.
func (d *Dispatcher) CarryOn(ctx context.Context, delivery posthorn.Delivery) error {
	m, err := d.Store.MessageByID(ctx, delivery.MessageID)
	if err != nil {
		return err
	}
	in := workflows.DeliverToEndpointInput{
		SendToEndpointInput: activities.SendToEndpointInput{
			MessageID: m.ID, AppID: m.AppID, EndpointID: delivery.EndpointID,
		},
		Window:         activities.Patience(&m),
		AttemptTimeout: d.AttemptTimeout,
	}
	if in.Label, err = d.label(ctx, m.AppID, delivery.EndpointID); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	_, err = d.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       workflows.DeliveryWorkflowID(m.ID, delivery.EndpointID),
		TaskQueue:                workflows.TaskQueue,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		EnableEagerStart:         true,
		Priority:                 temporal.Priority{FairnessKey: m.AppID},
		StaticSummary:            fmt.Sprintf("%s → %s, which was held", truncate(m.EventType), in.Label),
		TypedSearchAttributes: temporal.NewSearchAttributes(
			workflows.ApplicationAttribute.ValueSet(m.AppID),
			workflows.EventTypeAttribute.ValueSet(truncate(m.EventType)),
		),
	}, workflows.DeliverToEndpointType, in)
	if err != nil {
		return unavailable("going on with the delivery of "+m.ID, err)
	}
	return nil
}

// CarriedOn implements [activities.Waker].
func (d *Dispatcher) CarriedOn(ctx context.Context, messageID, endpointID string) (bool, error) {
	return d.Running(ctx, workflows.DeliveryWorkflowID(messageID, endpointID))
}

// Tend implements [activities.Waker].
func (d *Dispatcher) Tend(ctx context.Context, appID, endpointID string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	_, err := d.Client.SignalWithStartWorkflow(ctx, workflows.TendWorkflowID(endpointID), workflows.TendSignal, nil,
		client.StartWorkflowOptions{
			TaskQueue:             workflows.TaskQueue,
			StaticSummary:         "look after " + endpointID,
			TypedSearchAttributes: temporal.NewSearchAttributes(workflows.ApplicationAttribute.ValueSet(appID)),
		}, workflows.TendEndpointType, activities.TendInput{AppID: appID, EndpointID: endpointID})
	if err != nil {
		return unavailable("looking after "+endpointID, err)
	}
	return nil
}
