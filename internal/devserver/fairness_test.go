package devserver_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// A backlog of one fairness key's activities is not in the way of another's that came later.
func TestFairnessKeysTakeTurns(t *testing.T) {
	t.Parallel()
	const loud, quiet = 60, 3
	server := start(t, t.TempDir())
	c, err := client.Dial(client.Options{
		HostPort: server.Address(), Namespace: server.Namespace(), Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
		WorkerHeartbeatInterval: -1,
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)

	const queue = "fairness"
	scheduling := worker.New(c, queue, worker.Options{LocalActivityWorkerOnly: true, DisableEagerActivities: true})
	scheduling.RegisterWorkflowWithOptions(func(ctx workflow.Context, tenant string) error {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
		return workflow.ExecuteActivity(ctx, "Send", tenant).Get(ctx, nil)
	}, workflow.RegisterOptions{Name: "Deliver"})
	require.NoError(t, scheduling.Start())
	t.Cleanup(scheduling.Stop)
	backlog := func(n int) {
		for i := range n {
			tenant := "loud"
			if n == quiet {
				tenant = "quiet"
			}
			_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
				ID: fmt.Sprint(tenant, i), TaskQueue: queue, Priority: temporal.Priority{FairnessKey: tenant},
			}, "Deliver", tenant)
			require.NoError(t, err)
		}
	}
	waiting := func(n int64) {
		require.EventuallyWithT(t, func(t *assertT) {
			d, err := c.WorkflowService().DescribeTaskQueue(context.Background(), &workflowservice.DescribeTaskQueueRequest{
				Namespace: server.Namespace(), TaskQueue: &taskqueuepb.TaskQueue{Name: queue}, TaskQueueType: enums.TASK_QUEUE_TYPE_ACTIVITY,
				ReportStats: true,
			})
			require.NoError(t, err)
			require.Equal(t, n, d.GetStats().GetApproximateBacklogCount())
		}, patience, tick)
	}
	backlog(loud)
	waiting(loud)
	backlog(quiet)
	waiting(loud + quiet)

	var mu sync.Mutex
	var order []string
	sending := worker.New(c, queue, worker.Options{
		DisableWorkflowWorker: true, MaxConcurrentActivityExecutionSize: 1, MaxConcurrentActivityTaskPollers: 1,
	})
	sending.RegisterActivityWithOptions(func(_ context.Context, tenant string) error {
		mu.Lock()
		defer mu.Unlock()
		order = append(order, tenant)
		return nil
	}, activity.RegisterOptions{Name: "Send"})
	require.NoError(t, sending.Start())
	t.Cleanup(sending.Stop)
	for i := range quiet {
		require.NoError(t, c.GetWorkflow(t.Context(), fmt.Sprint("quiet", i), "").Get(t.Context(), nil))
	}
	for i := range loud {
		require.NoError(t, c.GetWorkflow(t.Context(), fmt.Sprint("loud", i), "").Get(t.Context(), nil))
	}
	slices.Reverse(order)
	behind := slices.Index(order, "quiet")
	require.Greater(t, behind, loud/2, "loud ones that came behind the last quiet one: %v", order)
}
