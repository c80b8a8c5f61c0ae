package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/workflows"
)

func TestTendEndpoint(t *testing.T) {
	t.Parallel()
	in := activities.TendInput{AppID: "app_1", EndpointID: "ep_1"}
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	// looks has Tend called by a workflow of which skipped time is the only time, and notes when.
	looks := func(t *testing.T, tend func(n int, now time.Time) activities.TendResult) (*testsuite.TestWorkflowEnvironment, *[]time.Duration) {
		t.Helper()
		env := (&testsuite.WorkflowTestSuite{}).NewTestWorkflowEnvironment()
		env.SetStartTime(begin)
		var a *activities.Activities
		env.RegisterActivityWithOptions(a.Tend, activity.RegisterOptions{Name: "Tend"})
		env.RegisterWorkflowWithOptions(workflows.TendEndpoint, workflow.RegisterOptions{Name: workflows.TendEndpointType})
		var at []time.Duration
		env.OnActivity("Tend", mock.Anything, in).Return(func(context.Context, activities.TendInput) (activities.TendResult, error) {
			at = append(at, env.Now().Sub(begin))
			return tend(len(at), env.Now()), nil
		})
		return env, &at
	}

	t.Run("looks once in an interval while an endpoint is dead, and ends when nothing is left to do", func(t *testing.T) {
		t.Parallel()
		env, at := looks(t, func(n int, now time.Time) activities.TendResult {
			return activities.TendResult{Done: n == 100, Again: now.Add(time.Minute)}
		})
		env.ExecuteWorkflow(workflows.TendEndpointType, in)
		require.NoError(t, env.GetWorkflowError())
		require.Len(t, *at, 100)
		for n, when := range *at {
			require.Equal(t, time.Duration(n)*time.Minute, when)
		}
	})

	t.Run("looks at once at a signal, and goes on waiting for the next time afterwards", func(t *testing.T) {
		t.Parallel()
		env, at := looks(t, func(n int, _ time.Time) activities.TendResult {
			return activities.TendResult{Done: n == 3, Again: begin.Add(time.Hour)}
		})
		env.RegisterDelayedCallback(func() { env.SignalWorkflow(workflows.TendSignal, nil) }, 7*time.Minute)
		env.ExecuteWorkflow(workflows.TendEndpointType, in)
		require.NoError(t, env.GetWorkflowError())
		require.Equal(t, []time.Duration{0, 7 * time.Minute, time.Hour}, *at)
	})

	t.Run("keeps its history small over days of probing", func(t *testing.T) {
		t.Parallel()
		env, at := looks(t, func(_ int, now time.Time) activities.TendResult {
			return activities.TendResult{Again: now.Add(time.Minute)}
		})
		env.ExecuteWorkflow(workflows.TendEndpointType, in)
		_, again := errors.AsType[*workflow.ContinueAsNewError](env.GetWorkflowError())
		require.True(t, again, "%v", env.GetWorkflowError())
		require.Len(t, *at, 200)
	})
}
