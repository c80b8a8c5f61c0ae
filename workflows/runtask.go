package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
)

// longestRun bounds one run of a task's activity. A task that takes longer goes on in the next run.
const longestRun = 7 * 24 * time.Hour

// RunTaskInput names a background task. What it is to do stays in the database.
type RunTaskInput struct {
	TaskID string
	Kind   posthorn.TaskKind
}

// RunTask does a background task. It completes when the task has finished, and fails with ErrorTaskFailed when it can't
// be done. To cancel it ends the task between two steps.
func RunTask(ctx workflow.Context, in RunTaskInput) (activities.RunTaskResult, error) {
	var a *activities.Activities
	var result activities.RunTaskResult
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ActivityID:          in.TaskID,
		StartToCloseTimeout: longestRun,
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		WaitForCancellation: true, // what ends the task must not overtake a step
		RetryPolicy:         ownFaults(time.Minute),
		Summary:             string(in.Kind),
	}), a.RunTask, activities.RunTaskInput{TaskID: in.TaskID}).Get(ctx, &result)
	if err == nil || isTaskFailed(err) {
		return result, err
	}
	// The activity did not end the task itself, so the database does not know yet.
	reason := lastFailure(err)
	if temporal.IsCanceledError(err) {
		reason = "cancelled"
	}
	disconnected, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	disconnected = workflow.WithLocalActivityOptions(disconnected, workflow.LocalActivityOptions{
		StartToCloseTimeout:    30 * time.Second,
		ScheduleToCloseTimeout: 24 * time.Hour,
		RetryPolicy:            ownFaults(time.Minute),
		Summary:                "end the task",
	})
	end := activities.FailTaskInput{TaskID: in.TaskID, Reason: reason}
	if failed := workflow.ExecuteLocalActivity(disconnected, a.FailTask, end).Get(disconnected, nil); failed != nil {
		workflow.GetLogger(ctx).Error("the end of a task could not be recorded", "error", failed)
	}
	return result, err
}

func isTaskFailed(err error) bool {
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && app.Type() == ErrorTaskFailed
}
