package workflows_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn/workflows"
)

// TestReplay holds the workflows to the histories of earlier versions: messages that were accepted before an upgrade
// go on after it. `temporal workflow show --output json` writes such a history.
func TestReplay(t *testing.T) {
	t.Parallel()
	for file, history := range histories(t) {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			replayer := worker.NewWorkflowReplayer()
			for name, run := range workflows.Types() {
				replayer.RegisterWorkflowWithOptions(run, workflow.RegisterOptions{Name: name})
			}
			require.NoError(t, replayer.ReplayWorkflowHistory(nil, history))
		})
	}
}

// TestEveryTypeHasAHistory finds workflow types whose changes nothing holds to what is running at users.
func TestEveryTypeHasAHistory(t *testing.T) {
	t.Parallel()
	recorded := make(map[string]bool)
	for _, history := range histories(t) {
		recorded[history.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetWorkflowType().GetName()] = true
	}
	for name := range workflows.Types() {
		require.True(t, recorded[name], "testdata has a history of %s", name)
		delete(recorded, name)
	}
	require.Empty(t, recorded, "histories of types that are not registered: a user may still have such workflows")
}

// histories reads testdata.
func histories(t *testing.T) map[string]*historypb.History {
	t.Helper()
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	read := make(map[string]*historypb.History, len(files))
	for _, file := range files {
		f, err := os.Open(file)
		require.NoError(t, err)
		read[filepath.Base(file)], err = client.HistoryFromJSON(f, client.HistoryJSONOptions{})
		require.NoError(t, err, file)
		require.NoError(t, f.Close())
	}
	return read
}
