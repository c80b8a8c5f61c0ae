package worker

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/internal/devserver"
	"github.com/posthorn/posthorn/workflows"
)

// patience is how long tests wait for something that should take a moment: a loaded machine is no failure.
const patience = 2 * time.Minute

const goOn = "go-on"

// first waits for a signal and then ends.
func first(ctx workflow.Context) (string, error) {
	workflow.GetSignalChannel(ctx, goOn).Receive(ctx, nil)
	return "first", nil
}

// second is first changed incompatibly: a timer comes before the signal, of which a history of first knows nothing.
func second(ctx workflow.Context) (string, error) {
	if err := workflow.Sleep(ctx, time.Millisecond); err != nil {
		return "", err
	}
	workflow.GetSignalChannel(ctx, goOn).Receive(ctx, nil)
	return "second", workflow.Sleep(ctx, time.Millisecond)
}

// TestBuilds has a workflow begin with one build and a second build, whose code is incompatible, take over.
func TestBuilds(t *testing.T) {
	t.Parallel()
	engine, err := devserver.Start(t.Context(), devserver.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Stop()) })
	c, err := client.Dial(client.Options{HostPort: engine.Address(), Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	require.NoError(t, err)
	t.Cleanup(c.Close)

	build := func(t *testing.T, d Deployment, code func(workflow.Context) (string, error)) worker.Worker {
		t.Helper()
		types := map[string]any{workflows.SweepUndispatchedType: code}
		w := newWorker(c, new(activities.Activities), Options{Deployment: d}, types)
		require.NoError(t, w.Start())
		t.Cleanup(w.Stop)
		return w
	}
	begin := func(t *testing.T, id string) {
		t.Helper()
		_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue}, workflows.SweepUndispatchedType)
		require.NoError(t, err)
	}
	current := func(t *testing.T, d Deployment) {
		t.Helper()
		deployment := c.WorkerDeploymentClient().GetHandle(d.Name)
		require.Eventually(t, func() bool { // Temporal learns of a build from its first poll
			_, err := deployment.SetCurrentVersion(t.Context(), client.WorkerDeploymentSetCurrentVersionOptions{BuildID: d.BuildID})
			return err == nil
		}, patience, 100*time.Millisecond)
		require.Eventually(t, func() bool { // its task queues learn of it one after the other
			found, err := c.WorkflowService().DescribeWorkerDeployment(t.Context(), &workflowservice.DescribeWorkerDeploymentRequest{
				Namespace: engine.Namespace(), DeploymentName: d.Name,
			})
			return err == nil && found.WorkerDeploymentInfo.RoutingConfigUpdateState == enums.ROUTING_CONFIG_UPDATE_STATE_COMPLETED
		}, patience, 20*time.Millisecond)
	}
	awaitEvents := func(t *testing.T, id string, kind enums.EventType) *historypb.HistoryEvent {
		t.Helper()
		var found *historypb.HistoryEvent
		require.Eventually(t, func() bool {
			history := c.GetWorkflowHistory(t.Context(), id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
			for history.HasNext() {
				event, err := history.Next()
				if err == nil && event.GetEventType() == kind {
					found = event
				}
			}
			return found != nil
		}, patience, 50*time.Millisecond)
		return found
	}
	result := func(t *testing.T, id string) (got string) {
		t.Helper()
		require.NoError(t, c.SignalWorkflow(t.Context(), id, "", goOn, nil))
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		require.NoError(t, c.GetWorkflow(ctx, id, "").Get(ctx, &got))
		return got
	}

	for _, pinned := range []bool{true, false} {
		t.Run(fmt.Sprintf("pinned=%v", pinned), func(t *testing.T) {
			one := Deployment{Name: fmt.Sprintf("hooks-%v", pinned), BuildID: "v1", Pinned: pinned}
			two := one
			two.BuildID = "v2"
			build(t, one, first)
			current(t, one)
			old, young := "old-"+one.Name, "young-"+one.Name
			begin(t, old)
			awaitEvents(t, old, enums.EVENT_TYPE_WORKFLOW_TASK_COMPLETED)

			build(t, two, second)
			current(t, two)
			begin(t, young)
			awaitEvents(t, young, enums.EVENT_TYPE_TIMER_FIRED)
			require.Equal(t, "second", result(t, young), "what begins now begins with the current build")

			if pinned {
				require.Equal(t, "first", result(t, old), "a pinned workflow ends with the build that began it")
				return
			}
			require.NoError(t, c.SignalWorkflow(t.Context(), old, "", goOn, nil))
			failed := awaitEvents(t, old, enums.EVENT_TYPE_WORKFLOW_TASK_FAILED).GetWorkflowTaskFailedEventAttributes()
			require.Equal(t, enums.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR, failed.GetCause(),
				"one that goes on with the current build must be one that this can replay")
		})
	}
}
