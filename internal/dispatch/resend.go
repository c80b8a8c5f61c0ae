package dispatch

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/workflows"
)

// recordMargin is what an attempt gets beyond its timeout, for starting and recording it.
const recordMargin = 5 * time.Second

// Resend begins one attempt by hand. When it returns nil the attempt will be made. NotFound: no such endpoint.
func (d *Dispatcher) Resend(ctx context.Context, m posthorn.Message, endpointID string) error {
	_, err := d.byHand(ctx, "resend", m, endpointID, posthorn.AttemptID.New())
	return err
}

// SendNow makes one attempt by hand and returns its ID once it is recorded. NotFound: no such endpoint. Unavailable: it
// has not ended within the timeout of an attempt; it may be recorded later.
func (d *Dispatcher) SendNow(ctx context.Context, m posthorn.Message, endpointID string) (attemptID string, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout+d.AttemptTimeout+recordMargin)
	defer cancel()
	attemptID = posthorn.AttemptID.New()
	run, err := d.byHand(context.WithoutCancel(ctx), "test", m, endpointID, attemptID) // whoever hangs up has sent nevertheless
	if err != nil {
		return "", err
	}
	var made activities.ResendResult
	if err := run.Get(ctx, &made); err != nil {
		return "", unavailable("waiting for the attempt to send "+m.ID, err)
	}
	return attemptID, nil
}

// byHand starts the workflow of an attempt by hand, or finds the one that was started before.
func (d *Dispatcher) byHand(ctx context.Context, why string, m posthorn.Message, endpointID, attemptID string) (client.WorkflowRun, error) {
	endpoint, err := d.Store.Endpoint(ctx, m.AppID, endpointID)
	if err != nil {
		return nil, err
	}
	in := workflows.ResendMessageInput{
		ResendInput: activities.ResendInput{
			MessageID: m.ID, AppID: m.AppID, EndpointID: endpointID, AttemptID: attemptID,
		},
		Label:          activities.Label(endpoint.URL),
		AttemptTimeout: d.AttemptTimeout,
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	run, err := d.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                    workflows.ResendWorkflowID(m.ID, attemptID),
		TaskQueue:             workflows.TaskQueue,
		WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		EnableEagerStart:      true,
		Priority:              temporal.Priority{FairnessKey: m.AppID},
		StaticSummary:         fmt.Sprintf("%s %s → %s", why, truncate(m.EventType), in.Label),
		TypedSearchAttributes: temporal.NewSearchAttributes(
			workflows.ApplicationAttribute.ValueSet(m.AppID),
			workflows.EventTypeAttribute.ValueSet(truncate(m.EventType)),
		),
	}, workflows.ResendMessageType, in)
	if err != nil {
		return nil, unavailable(fmt.Sprintf("starting the %s of %s", why, m.ID), err)
	}
	return run, nil
}
