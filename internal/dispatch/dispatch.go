// Package dispatch starts the workflows: those that deliver messages, attempts by hand and background tasks.
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
	"github.com/posthorn/posthorn/internal/routing"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/workflows"
)

const (
	// startTimeout bounds the wait for Temporal; whoever posts an event is told to come again rather than kept waiting.
	startTimeout = 5 * time.Second
	// handOver is how old a message may be to be handed to the fast lane in memory. An older one may have been sent
	// before, so the fast lane has to consult the record.
	handOver = time.Second
)

// Store is what the dispatcher reads.
type Store interface {
	store.Endpoints
	MessageByID(ctx context.Context, id string) (posthorn.Message, error)
	Heard(ctx context.Context, ds []posthorn.Delivery) error
}

// Dispatcher starts workflows with the client that the worker uses too: Temporal then gives a workflow's first task
// straight back to this process.
type Dispatcher struct {
	Client         client.Client
	Store          Store
	Routes         *routing.Table
	Accepted       *activities.Accepted
	Wakes          *activities.Wakes
	Namespace      string // that Client is for
	AttemptTimeout time.Duration
}

// Start begins the workflow of a stored message, whose ID is the message's. When it returns nil the workflow is
// durable. Conflict: it has begun before. Unavailable: Temporal did not answer in time; the workflow may have begun.
func (d *Dispatcher) Start(ctx context.Context, m posthorn.Message) error {
	endpoints, err := d.Routes.Match(ctx, &m)
	if err != nil {
		return err
	}
	in := workflows.DeliverMessageInput{MessageID: m.ID, AppID: m.AppID, EventType: m.EventType}
	about := summary(m.EventType, len(endpoints))
	attributes := []temporal.SearchAttributeUpdate{
		workflows.ApplicationAttribute.ValueSet(m.AppID),
		workflows.EventTypeAttribute.ValueSet(truncate(m.EventType)),
	}
	switch {
	case m.DeliverAt.After(time.Now()) && m.CancelledAt.IsZero():
		in.DeliverAt = m.DeliverAt
		about += ", to be sent at " + m.DeliverAt.UTC().Format(time.RFC3339)
		attributes = append(attributes, workflows.DeliveryStateAttribute.ValueSet(workflows.ScheduledState))
	case m.Payload != nil && time.Since(m.CreatedAt) < handOver:
		d.Accepted.Put(m)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	_, err = d.Client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       m.ID,
		TaskQueue:                                workflows.TaskQueue,
		WorkflowIDReusePolicy:                    enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		EnableEagerStart:                         true,
		Priority:                                 temporal.Priority{FairnessKey: m.AppID},
		StaticSummary:                            about,
		TypedSearchAttributes:                    temporal.NewSearchAttributes(attributes...),
	}, workflows.DeliverMessageType, in)
	if err == nil {
		return nil
	}
	d.Accepted.Drop(m.ID)
	if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return posthorn.Errorf(posthorn.Conflict, "the delivery of %s has begun before", m.ID)
	}
	return unavailable("starting the delivery of "+m.ID, err)
}

// Running reports whether a workflow, whose ID is that of the message if it is a message's, has begun and not ended. Unavailable.
func (d *Dispatcher) Running(ctx context.Context, workflowID string) (bool, error) {
	how, err := d.ended(ctx, workflowID)
	return err == nil && how == "", err
}

// Ping reports whether Temporal answers.
func (d *Dispatcher) Ping(ctx context.Context) error {
	if _, err := d.Client.CheckHealth(ctx, nil); err != nil {
		return unavailable("checking Temporal", err)
	}
	return nil
}

func unavailable(doing string, err error) error {
	return &posthorn.Error{Code: posthorn.Unavailable, Message: "the delivery engine did not answer; try again", Err: fmt.Errorf("%s: %w", doing, err)}
}

// summary is the line that the Web UI shows for a workflow.
func summary(eventType string, endpoints int) string {
	noun := "endpoints"
	if endpoints == 1 {
		noun = "endpoint"
	}
	return fmt.Sprintf("%s → %d %s", truncate(eventType), endpoints, noun)
}

// truncate keeps a name within what a Keyword search attribute can hold on SQL (255 characters).
func truncate(name string) string { return name[:min(len(name), 255)] }
