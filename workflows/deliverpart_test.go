package workflows_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/workflows"
)

// inParts is a fast lane that has three parts: all of the first is open and too much, some of the second, none of the last.
func inParts(env *testsuite.TestWorkflowEnvironment) {
	apart := leaves(0, "ep_1", "ep_2", "ep_3")
	apart.Apart, apart.Through, apart.Total = true, "ep_3", 8
	some := leaves(2, "ep_5")
	some.Through, some.Total = "ep_6", 8
	in := activities.SendToAllInput{MessageID: "msg_1"}
	env.OnActivity("SendToAll", mock.Anything, in).Return(apart, nil).Once()
	in.After = "ep_3"
	env.OnActivity("SendToAll", mock.Anything, in).Return(some, nil).Once()
	in.After, in.Open = "ep_6", 1
	env.OnActivity("SendToAll", mock.Anything, in).Return(activities.SendToAllResult{Endpoints: 2, Delivered: 2}, nil).Once()
}

func statusOf(t *testing.T, env *testsuite.TestWorkflowEnvironment) (s workflows.Status) {
	t.Helper()
	answer, err := env.QueryWorkflow(workflows.StatusQuery)
	require.NoError(t, err)
	require.NoError(t, answer.Get(&s))
	return s
}

func TestDeliverMessageInParts(t *testing.T) {
	t.Parallel()

	t.Run("adds up what became of all", func(t *testing.T) {
		t.Parallel()
		env := setup(t)
		inParts(env)
		var waiting workflows.Status
		env.RegisterDelayedCallback(func() { waiting = statusOf(t, env) }, time.Minute)
		var runs tally
		env.OnActivity("SendToEndpoint", mock.Anything, mock.Anything).Return(
			func(_ context.Context, in activities.SendToEndpointInput) (activities.SendToEndpointResult, error) {
				if runs.next(in.EndpointID) == 1 {
					return activities.SendToEndpointResult{}, failure(time.Hour)
				}
				return activities.SendToEndpointResult{State: posthorn.Delivered}, nil
			})
		env.ExecuteWorkflow(workflows.DeliverMessage, input)

		var result workflows.DeliverMessageResult
		require.NoError(t, env.GetWorkflowResult(&result))
		require.Equal(t, workflows.DeliverMessageResult{Endpoints: 8, Delivered: 8}, result)
		require.Equal(t, map[string]int{"ep_1": 2, "ep_2": 2, "ep_3": 2, "ep_5": 2}, runs.counted())
		require.Equal(t, workflows.Status{
			MessageID: "msg_1", State: posthorn.Retrying, Endpoints: 8, Delivered: 4, Open: []string{"ep_1", "ep_2", "ep_3", "ep_5"},
		}, waiting)
		env.AssertExpectations(t)
	})

	t.Run("fails for all when some of a part did not take it", func(t *testing.T) {
		t.Parallel()
		env := setup(t)
		inParts(env)
		env.OnActivity("SendToEndpoint", mock.Anything, mock.Anything).Return(
			func(_ context.Context, in activities.SendToEndpointInput) (activities.SendToEndpointResult, error) {
				if in.EndpointID == "ep_2" {
					return activities.SendToEndpointResult{State: posthorn.Delivered}, nil
				}
				return activities.SendToEndpointResult{}, exhausted()
			})
		env.ExecuteWorkflow(workflows.DeliverMessage, input)

		app, ok := errors.AsType[*temporal.ApplicationError](env.GetWorkflowError())
		require.True(t, ok)
		require.Equal(t, "DeliveryExhausted", app.Type())
		require.Contains(t, app.Message(), "3 of 8 endpoints did not take the message: ")
		require.Contains(t, app.Message(), "ep_3: 503 Service Unavailable after 812 ms")
		require.Equal(t, workflows.Status{
			MessageID: "msg_1", State: posthorn.Failed, Endpoints: 8, Delivered: 5, Failed: 3, Open: []string{},
		}, statusOf(t, env))
	})

	t.Run("cancels all", func(t *testing.T) {
		t.Parallel()
		env := setup(t)
		inParts(env)
		env.OnActivity("SendToEndpoint", mock.Anything, mock.Anything).Return(activities.SendToEndpointResult{}, failure(time.Hour))
		var mu sync.Mutex // activities run side by side
		closed := map[string]bool{}
		env.OnActivity("CloseDelivery", mock.Anything, mock.Anything).Return(func(_ context.Context, in activities.CloseDeliveryInput) error {
			mu.Lock()
			defer mu.Unlock()
			closed[in.EndpointID] = in.State == posthorn.Cancelled
			return nil
		})
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
		env.ExecuteWorkflow(workflows.DeliverMessage, input)

		require.True(t, temporal.IsCanceledError(env.GetWorkflowError()))
		require.Equal(t, map[string]bool{"ep_1": true, "ep_2": true, "ep_3": true, "ep_5": true}, closed)
		require.Equal(t, 4, statusOf(t, env).Cancelled)
	})
}
