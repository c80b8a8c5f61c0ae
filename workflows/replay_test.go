package workflows_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/workflows"
)

// TestReplay holds the workflows to the histories of earlier versions: messages that were accepted before an upgrade
// go on after it.
func TestReplay(t *testing.T) {
	t.Parallel()
	histories, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, histories)
	for _, history := range histories {
		t.Run(filepath.Base(history), func(t *testing.T) {
			t.Parallel()
			replayer := worker.NewWorkflowReplayer()
			replayer.RegisterWorkflowWithOptions(workflows.DeliverMessage, workflow.RegisterOptions{Name: workflows.DeliverMessageType})
			replayer.RegisterWorkflowWithOptions(workflows.ResendMessage, workflow.RegisterOptions{Name: workflows.ResendMessageType})
			replayer.RegisterWorkflowWithOptions(workflows.RunTask, workflow.RegisterOptions{Name: workflows.RunTaskType})
			replayer.RegisterWorkflowWithOptions(workflows.ExpirePayloads, workflow.RegisterOptions{Name: workflows.ExpirePayloadsType})
			require.NoError(t, replayer.ReplayWorkflowHistoryFromJSONFile(nil, history))
		})
	}
}
