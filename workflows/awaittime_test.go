package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/workflows"
)

// scheduled is an environment in which a message is to be sent after a while.
func scheduled(t *testing.T, while time.Duration) (*testsuite.TestWorkflowEnvironment, workflows.DeliverMessageInput) {
	t.Helper()
	env := setup(t)
	var a *activities.Activities
	env.RegisterActivityWithOptions(a.MarkScheduled, activity.RegisterOptions{Name: "MarkScheduled"})
	env.RegisterActivityWithOptions(a.CancelScheduled, activity.RegisterOptions{Name: "CancelScheduled"})
	in := input
	in.DeliverAt = env.Now().Add(while)
	return env, in
}

func TestScheduledMessage(t *testing.T) {
	t.Parallel()
	about := activities.ScheduledInput{MessageID: "msg_1", AppID: "app_1"}

	t.Run("is noted, waits 30 days, and goes through the fast lane then", func(t *testing.T) {
		t.Parallel()
		env, in := scheduled(t, posthorn.MaxDelay)
		env.OnActivity("MarkScheduled", mock.Anything, about).Return(nil).Once()
		env.OnActivity("SendToAll", mock.Anything, mock.Anything).Return(activities.SendToAllResult{Endpoints: 2, Delivered: 2}, nil).Once()
		env.RegisterDelayedCallback(func() {
			env.AssertNotCalled(t, "SendToAll", mock.Anything, mock.Anything)
			var s workflows.Status
			answer, err := env.QueryWorkflow(workflows.StatusQuery)
			require.NoError(t, err)
			require.NoError(t, answer.Get(&s))
			require.Equal(t, posthorn.Pending, s.State)
		}, posthorn.MaxDelay-time.Minute)
		env.ExecuteWorkflow(workflows.DeliverMessage, in)
		require.NoError(t, env.GetWorkflowError())
		require.False(t, env.Now().Before(in.DeliverAt))
		env.AssertExpectations(t)
	})

	t.Run("whose time is past when its workflow begins does not wait", func(t *testing.T) {
		t.Parallel()
		env, in := scheduled(t, -time.Second)
		env.OnActivity("SendToAll", mock.Anything, mock.Anything).Return(activities.SendToAllResult{Endpoints: 1, Delivered: 1}, nil).Once()
		env.ExecuteWorkflow(workflows.DeliverMessage, in)
		require.NoError(t, env.GetWorkflowError())
		env.AssertNotCalled(t, "MarkScheduled", mock.Anything, mock.Anything)
	})

	t.Run("that is cancelled ends at once, and completes", func(t *testing.T) {
		t.Parallel()
		env, in := scheduled(t, posthorn.MaxDelay)
		env.OnActivity("MarkScheduled", mock.Anything, about).Return(nil).Once()
		env.OnActivity("SendToAll", mock.Anything, mock.Anything).Return(activities.SendToAllResult{Endpoints: 2, Cancelled: 2}, nil).Once()
		env.RegisterDelayedCallback(func() { env.SignalWorkflow(workflows.CancelledSignal, nil) }, time.Hour)
		env.ExecuteWorkflow(workflows.DeliverMessage, in)
		var result workflows.DeliverMessageResult
		require.NoError(t, env.GetWorkflowResult(&result))
		require.Equal(t, workflows.DeliverMessageResult{Endpoints: 2, Cancelled: 2}, result)
		require.True(t, env.Now().Before(in.DeliverAt))
		env.AssertExpectations(t)
	})

	t.Run("whose workflow is cancelled in Temporal is cancelled", func(t *testing.T) {
		t.Parallel()
		env, in := scheduled(t, posthorn.MaxDelay)
		env.OnActivity("MarkScheduled", mock.Anything, about).Return(nil).Once()
		env.OnActivity("CancelScheduled", mock.Anything, about).Return(nil).Once()
		env.OnActivity("SendToAll", mock.Anything, mock.Anything).Return(activities.SendToAllResult{Endpoints: 2, Cancelled: 2}, nil).Once()
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Hour)
		env.ExecuteWorkflow(workflows.DeliverMessage, in)
		require.ErrorContains(t, env.GetWorkflowError(), "canceled")
		env.AssertExpectations(t)
	})
}
