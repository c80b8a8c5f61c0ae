package workflows_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/workflows"
)

var input = workflows.DeliverMessageInput{MessageID: "msg_1", AppID: "app_1", EventType: "order.created"}

func setup(t *testing.T) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	suite := testsuite.WorkflowTestSuite{}
	env := suite.NewTestWorkflowEnvironment()
	var a *activities.Activities
	env.RegisterActivityWithOptions(a.SendToAll, activity.RegisterOptions{Name: "SendToAll"})
	env.RegisterActivityWithOptions(a.SendToEndpoint, activity.RegisterOptions{Name: "SendToEndpoint"})
	env.RegisterActivityWithOptions(a.CloseDelivery, activity.RegisterOptions{Name: "CloseDelivery"})
	env.RegisterActivityWithOptions(a.ClosePart, activity.RegisterOptions{Name: "ClosePart"})
	env.RegisterWorkflowWithOptions(workflows.DeliverPart, workflow.RegisterOptions{Name: workflows.DeliverPartType})
	return env
}

// tally counts the runs of activities by endpoint. They run side by side, so that it has a lock.
type tally struct {
	mu   sync.Mutex
	runs map[string]int
}

// next counts one more run, and returns which it is.
func (c *tally) next(endpointID string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runs == nil {
		c.runs = map[string]int{}
	}
	c.runs[endpointID]++
	return c.runs[endpointID]
}

func (c *tally) counted() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.runs)
}

// leaves is a fast lane that delivered to some endpoints and left others open.
func leaves(delivered int, open ...string) activities.SendToAllResult {
	r := activities.SendToAllResult{
		Endpoints: delivered + len(open), Delivered: delivered,
		Window: posthorn.DefaultSchedule().Window(15 * time.Second), AttemptTimeout: 15 * time.Second,
	}
	for _, id := range open {
		r.Open = append(r.Open, activities.OpenDelivery{EndpointID: id, Label: "example.com/" + id})
	}
	return r
}

// failure is what an activity returns after a failed attempt.
func failure(next time.Duration) error {
	return temporal.NewApplicationErrorWithOptions("503 Service Unavailable after 812 ms", "http_status",
		temporal.ApplicationErrorOptions{NextRetryDelay: next})
}

func exhausted() error {
	return temporal.NewApplicationErrorWithOptions("503 Service Unavailable after 812 ms", activities.ErrorExhausted,
		temporal.ApplicationErrorOptions{NonRetryable: true})
}

func TestDeliverMessage(t *testing.T) {
	t.Parallel()

	t.Run("completes after the fast lane when everybody has the message", func(t *testing.T) {
		t.Parallel()
		env := setup(t)
		env.OnActivity("SendToAll", mock.Anything, activities.SendToAllInput{MessageID: "msg_1"}).
			Return(activities.SendToAllResult{Endpoints: 3, Delivered: 3}, nil).Once()
		env.ExecuteWorkflow(workflows.DeliverMessage, input)

		var result workflows.DeliverMessageResult
		require.NoError(t, env.GetWorkflowResult(&result))
		require.Equal(t, workflows.DeliverMessageResult{Endpoints: 3, Delivered: 3}, result)
		env.AssertNotCalled(t, "SendToEndpoint", mock.Anything, mock.Anything)
	})

	t.Run("carries on what is open, each endpoint by itself, through the whole default schedule", func(t *testing.T) {
		t.Parallel()
		env := setup(t)
		env.SetTestTimeout(time.Minute)
		env.OnActivity("SendToAll", mock.Anything, mock.Anything).Return(leaves(1, "ep_quick", "ep_late"), nil).Once()
		schedule := posthorn.DefaultSchedule()
		var runs tally
		env.OnActivity("SendToEndpoint", mock.Anything, mock.Anything).Return(
			func(_ context.Context, in activities.SendToEndpointInput) (activities.SendToEndpointResult, error) {
				if n := runs.next(in.EndpointID); in.EndpointID == "ep_late" && n <= len(schedule) {
					return activities.SendToEndpointResult{}, failure(schedule[n-1])
				}
				return activities.SendToEndpointResult{State: posthorn.Delivered}, nil
			})
		began := env.Now()
		env.ExecuteWorkflow(workflows.DeliverMessage, input)

		var result workflows.DeliverMessageResult
		require.NoError(t, env.GetWorkflowResult(&result))
		require.Equal(t, workflows.DeliverMessageResult{Endpoints: 3, Delivered: 3}, result)
		require.Equal(t, map[string]int{"ep_quick": 1, "ep_late": 10}, runs.counted())
		require.GreaterOrEqual(t, env.Now().Sub(began), 75*time.Hour, "the waits were those of the schedule")
	})

	t.Run("fails with DeliveryExhausted when one endpoint never takes it", func(t *testing.T) {
		t.Parallel()
		env := setup(t)
		env.OnActivity("SendToAll", mock.Anything, mock.Anything).Return(leaves(1, "ep_good", "ep_dead"), nil).Once()
		env.OnActivity("SendToEndpoint", mock.Anything, mock.Anything).Return(
			func(_ context.Context, in activities.SendToEndpointInput) (activities.SendToEndpointResult, error) {
				if in.EndpointID == "ep_dead" {
					return activities.SendToEndpointResult{}, exhausted()
				}
				return activities.SendToEndpointResult{State: posthorn.Delivered}, nil
			})
		env.ExecuteWorkflow(workflows.DeliverMessage, input)

		app, ok := errors.AsType[*temporal.ApplicationError](env.GetWorkflowError())
		require.True(t, ok)
		require.Equal(t, "DeliveryExhausted", app.Type())
		require.Equal(t, "1 of 3 endpoints did not take the message: ep_dead: 503 Service Unavailable after 812 ms", app.Message())

		answer, err := env.QueryWorkflow(workflows.StatusQuery)
		require.NoError(t, err)
		var status workflows.Status
		require.NoError(t, answer.Get(&status))
		require.Equal(t, workflows.Status{
			MessageID: "msg_1", State: posthorn.Failed, Endpoints: 3, Delivered: 2, Failed: 1, Open: []string{},
		}, status)
	})

	t.Run("records the end of a delivery whose time is over", func(t *testing.T) {
		t.Parallel()
		env := setup(t)
		open := leaves(0, "ep_1")
		open.Window = time.Minute
		env.OnActivity("SendToAll", mock.Anything, mock.Anything).Return(open, nil).Once()
		env.OnActivity("SendToEndpoint", mock.Anything, mock.Anything).
			Return(activities.SendToEndpointResult{}, failure(time.Hour))
		env.OnActivity("CloseDelivery", mock.Anything, mock.MatchedBy(func(in activities.CloseDeliveryInput) bool {
			return in.EndpointID == "ep_1" && in.State == posthorn.Failed
		})).Return(nil).Once()
		env.ExecuteWorkflow(workflows.DeliverMessage, input)

		require.Error(t, env.GetWorkflowError())
		env.AssertExpectations(t)
	})

	t.Run("records a cancellation by an operator", func(t *testing.T) {
		t.Parallel()
		env := setup(t)
		env.OnActivity("SendToAll", mock.Anything, mock.Anything).Return(leaves(0, "ep_1", "ep_2"), nil).Once()
		env.OnActivity("SendToEndpoint", mock.Anything, mock.Anything).
			Return(activities.SendToEndpointResult{}, failure(time.Hour))
		env.OnActivity("CloseDelivery", mock.Anything, mock.MatchedBy(func(in activities.CloseDeliveryInput) bool {
			return in.State == posthorn.Cancelled
		})).Return(nil).Twice()
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
		env.ExecuteWorkflow(workflows.DeliverMessage, input)

		require.True(t, temporal.IsCanceledError(env.GetWorkflowError()))
		env.AssertExpectations(t)
	})

	t.Run("keeps at most a thousand activities open and still reaches everybody", func(t *testing.T) {
		t.Parallel()
		env := setup(t)
		env.SetTestTimeout(time.Minute)
		ids := make([]string, 1100)
		for i := range ids {
			ids[i] = posthorn.EndpointID.New()
		}
		env.OnActivity("SendToAll", mock.Anything, mock.Anything).Return(leaves(0, ids...), nil).Once()
		env.OnActivity("SendToEndpoint", mock.Anything, mock.Anything).
			Return(activities.SendToEndpointResult{State: posthorn.Delivered}, nil)
		env.ExecuteWorkflow(workflows.DeliverMessage, input)

		var result workflows.DeliverMessageResult
		require.NoError(t, env.GetWorkflowResult(&result))
		require.Equal(t, 1100, result.Delivered)
	})
}
