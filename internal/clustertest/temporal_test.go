package clustertest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/posthorn/posthorn/internal/clustertest"
	"github.com/posthorn/posthorn/internal/pgtest"
)

// TestTemporal ends and starts every service of a cluster without anything on it: the cluster of the other tests is one that
// comes back by itself.
func TestTemporal(t *testing.T) {
	postgres := pgtest.Start(t)
	c := clustertest.StartTemporal(t, postgres.Database(t), postgres.Database(t))
	const namespace = "webhooks"
	setup, err := client.NewNamespaceClient(client.Options{HostPort: c.Address()})
	require.NoError(t, err)
	defer setup.Close()
	require.NoError(t, setup.Register(t.Context(), &workflowservice.RegisterNamespaceRequest{
		Namespace: namespace, WorkflowExecutionRetentionPeriod: durationpb.New(72 * time.Hour),
	}))
	engine := c.Client(namespace)
	works := func(after string) {
		t.Helper()
		require.EventuallyWithT(t, func(t *assert.CollectT) {
			_, err := engine.ExecuteWorkflow(context.Background(), client.StartWorkflowOptions{ID: after, TaskQueue: "nobody"}, "Wait")
			require.NoError(t, err)
			found, err := engine.ListWorkflow(context.Background(), &workflowservice.ListWorkflowExecutionsRequest{Query: "WorkflowId = '" + after + "'"})
			require.NoError(t, err)
			require.Len(t, found.Executions, 1)
		}, recovery, tick, "starting and listing a workflow after %s", after)
		c.AwaitWorker() // nothing above needs it, and what does not run yet can't be asked to stop
	}
	works("the start")
	for _, p := range c.Services() {
		p.Kill()
		p.Start()
		works(p.Name)
	}
	postgres.Kill()
	postgres.Start()
	works("PostgreSQL")
	for _, p := range c.Services() {
		require.Zero(t, p.Stop(), p.Name)
	}
}
