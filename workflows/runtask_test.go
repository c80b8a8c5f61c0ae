package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/workflows"
)

func taskEnvironment(t *testing.T) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	env := (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()
	var a *activities.Activities
	env.RegisterActivityWithOptions(a.RunTask, activity.RegisterOptions{Name: "RunTask"})
	env.RegisterActivityWithOptions(a.FailTask, activity.RegisterOptions{Name: "FailTask"})
	env.RegisterActivityWithOptions(a.ExpirePayloads, activity.RegisterOptions{Name: "ExpirePayloads"})
	return env
}

func TestRunTask(t *testing.T) {
	t.Parallel()
	in := workflows.RunTaskInput{TaskID: "qtask_1", Kind: posthorn.RecoverEndpoint}

	t.Run("completes with the task, however often it is interrupted", func(t *testing.T) {
		t.Parallel()
		env := taskEnvironment(t)
		runs := 0
		env.OnActivity("RunTask", mock.Anything, activities.RunTaskInput{TaskID: "qtask_1"}).Return(
			func(context.Context, activities.RunTaskInput) (activities.RunTaskResult, error) {
				if runs++; runs < 10 {
					return activities.RunTaskResult{}, temporal.NewApplicationError("disk I/O error", activities.ErrorStorage)
				}
				return activities.RunTaskResult{State: posthorn.TaskFinished}, nil
			})
		env.ExecuteWorkflow(workflows.RunTask, in)
		var result activities.RunTaskResult
		require.NoError(t, env.GetWorkflowResult(&result))
		require.Equal(t, 10, runs)
		require.Equal(t, posthorn.TaskFinished, result.State)
		env.AssertNotCalled(t, "FailTask", mock.Anything, mock.Anything)
	})

	t.Run("fails with TaskFailed when the task can't be done", func(t *testing.T) {
		t.Parallel()
		env := taskEnvironment(t)
		env.OnActivity("RunTask", mock.Anything, mock.Anything).
			Return(activities.RunTaskResult{}, temporal.NewNonRetryableApplicationError("the endpoint was deleted", activities.ErrorTaskFailed, nil)).Once()
		env.ExecuteWorkflow(workflows.RunTask, in)
		app, ok := errors.AsType[*temporal.ApplicationError](env.GetWorkflowError())
		require.True(t, ok)
		require.Equal(t, workflows.ErrorTaskFailed, app.Type())
		env.AssertNotCalled(t, "FailTask", mock.Anything, mock.Anything)
	})

	t.Run("tells the database when an operator cancels it", func(t *testing.T) {
		t.Parallel()
		env := taskEnvironment(t)
		env.OnActivity("RunTask", mock.Anything, mock.Anything).
			Return(activities.RunTaskResult{}, temporal.NewApplicationErrorWithOptions("wait", activities.ErrorStorage,
				temporal.ApplicationErrorOptions{NextRetryDelay: time.Hour}))
		env.OnActivity("FailTask", mock.Anything, activities.FailTaskInput{TaskID: "qtask_1", Reason: "cancelled"}).Return(nil).Once()
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
		env.ExecuteWorkflow(workflows.RunTask, in)
		require.True(t, temporal.IsCanceledError(env.GetWorkflowError()))
		env.AssertExpectations(t)
	})
}

func TestExpirePayloads(t *testing.T) {
	t.Parallel()
	env := taskEnvironment(t)
	env.OnActivity("ExpirePayloads", mock.Anything).Return(activities.ExpireResult{}, errors.New("disk I/O error")).Once()
	env.OnActivity("ExpirePayloads", mock.Anything).Return(activities.ExpireResult{Removed: 3}, nil).Once()
	env.ExecuteWorkflow(workflows.ExpirePayloads)
	var result activities.ExpireResult
	require.NoError(t, env.GetWorkflowResult(&result))
	require.Equal(t, 3, result.Removed)
}
