package dispatch

import (
	"context"
	"errors"
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/posthorn/posthorn"
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
		Priority:                                 temporal.Priority{FairnessKey: t.AppID},
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

// CancelTask has a task end between two steps, soon. NotFound: it has no workflow that is running. Unavailable: Temporal
// did not answer in time; the task may end.
func (d *Dispatcher) CancelTask(ctx context.Context, id string) error {
	// Temporal takes the request for a workflow that has ended, too.
	how, err := d.TaskEnded(ctx, id)
	if err != nil {
		return err
	}
	if how != "" {
		return posthorn.Errorf(posthorn.NotFound, "the task %s has no workflow that is running: %s", id, how)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := d.Client.CancelWorkflow(ctx, id, ""); err != nil {
		return unavailable("cancelling the task "+id, err)
	}
	return nil
}

// TaskEnded tells how a task's workflow has ended; empty while it is running. Unavailable.
func (d *Dispatcher) TaskEnded(ctx context.Context, id string) (how string, err error) {
	return d.ended(ctx, id)
}

func (d *Dispatcher) ended(ctx context.Context, workflowID string) (how string, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	found, err := d.Client.DescribeWorkflowExecution(ctx, workflowID, "")
	if _, none := errors.AsType[*serviceerror.NotFound](err); none {
		return "its workflow is not in Temporal any more", nil
	}
	if err != nil {
		return "", unavailable("asking after "+workflowID, err)
	}
	switch status := found.GetWorkflowExecutionInfo().GetStatus(); status {
	case enums.WORKFLOW_EXECUTION_STATUS_RUNNING, enums.WORKFLOW_EXECUTION_STATUS_PAUSED:
		return "", nil
	case enums.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		return "terminated in Temporal", nil
	default:
		return "its workflow ended in Temporal: " + status.String(), nil
	}
}
