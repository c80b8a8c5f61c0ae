package dispatch

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/workflows"
)

// StartTask begins the workflow of a stored background task, whose ID is the task's. Conflict: it has begun before.
// Unavailable: Temporal did not answer in time; the workflow may have begun.
func (d *Dispatcher) StartTask(ctx context.Context, t posthorn.Task) error {
	options := client.StartWorkflowOptions{
		ID:                                       t.ID,
		TaskQueue:                                workflows.TaskQueue,
		WorkflowIDReusePolicy:                    enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		EnableEagerStart:                         true,
		StaticSummary:                            strings.TrimSpace(string(t.Kind) + " " + t.AppID),
	}
	if t.AppID != "" {
		options.TypedSearchAttributes = temporal.NewSearchAttributes(workflows.ApplicationAttribute.ValueSet(t.AppID))
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	_, err := d.Client.ExecuteWorkflow(ctx, options, workflows.RunTaskType, workflows.RunTaskInput{TaskID: t.ID, Kind: t.Kind})
	if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return posthorn.Errorf(posthorn.Conflict, "the task %s has begun before", t.ID)
	}
	if err != nil {
		return unavailable("starting the task "+t.ID, err)
	}
	return nil
}

// Attempt makes one attempt by hand and returns when it has ended. If it was begun before under its ID, it waits for
// that one. NotFound: no such endpoint.
func (d *Dispatcher) Attempt(ctx context.Context, m posthorn.Message, endpointID, attemptID string) (activities.ResendResult, error) {
	var result activities.ResendResult
	run, err := d.byHand(ctx, "resend", m, endpointID, attemptID)
	if err != nil {
		return result, err
	}
	err = run.Get(ctx, &result)
	if _, ended := errors.AsType[*temporal.WorkflowExecutionError](err); ended {
		// An operator has ended it: that is not to be undone, and no reason to stop.
		return activities.ResendResult{Skipped: true, Message: "not sent: the workflow was ended"}, nil
	}
	if err != nil {
		return result, fmt.Errorf("waiting for the attempt %s: %w", attemptID, err)
	}
	return result, nil
}
