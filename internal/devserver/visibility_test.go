package devserver_test

import (
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchpb "go.temporal.io/api/batch/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn/internal/devserver"
)

func TestLists(t *testing.T) {
	t.Parallel()
	s := connect(t, start(t, t.TempDir()))
	began := time.Now().UTC().Format(time.RFC3339)
	s.run(t, "msg_a", script{}, tenant().ValueSet("acme"), endpoints().ValueSet([]string{"ep_1", "ep_2"}))
	s.run(t, "msg_b", script{Fail: true}, tenant().ValueSet("globex"), endpoints().ValueSet([]string{"ep_2"}))
	s.run(t, "msg_c", script{Endpoints: []string{"ep_4"}}, endpoints().ValueSet([]string{"ep_3"}))
	s.run(t, "msg_d", script{Wait: true}, tenant().ValueSet("acme"))
	require.EventuallyWithT(t, func(c *assertT) {
		require.Len(c, s.list(c, `ExecutionStatus="Running"`), 1)
		require.Len(c, s.list(c, `CloseTime IS NOT NULL`), 3)
	}, patience, tick)

	for name, scenario := range map[string]struct {
		query string
		want  []string
	}{
		"the default order is running first, then latest closed": {``, []string{"msg_d", "msg_c", "msg_b", "msg_a"}},
		"by status":                       {`ExecutionStatus="Failed"`, []string{"msg_b"}},
		"by type":                         {`WorkflowType="DeliverMessage"`, []string{"msg_d", "msg_c", "msg_b", "msg_a"}},
		"by id":                           {`WorkflowId="msg_a"`, []string{"msg_a"}},
		"by start time":                   {`StartTime>="` + began + `"`, []string{"msg_d", "msg_c", "msg_b", "msg_a"}},
		"by keyword":                      {`Tenant="acme"`, []string{"msg_d", "msg_a"}},
		"by keyword and status":           {`Tenant="acme" AND ExecutionStatus="Running"`, []string{"msg_d"}},
		"by keyword that nobody has":      {`Tenant="initech"`, []string{}},
		"by member of a list":             {`Endpoints="ep_2"`, []string{"msg_b", "msg_a"}},
		"by one of several members":       {`Endpoints IN ("ep_1", "ep_4")`, []string{"msg_c", "msg_a"}},
		"by member and status":            {`Endpoints="ep_2" AND ExecutionStatus="Failed"`, []string{"msg_b"}},
		"by member that was replaced":     {`Endpoints="ep_3"`, []string{}},
		"by a column without an index":    {`TaskQueue="test"`, []string{"msg_d", "msg_c", "msg_b", "msg_a"}},
		"by problems that nobody has":     {`TemporalReportedProblems IN ("category=WorkflowTaskFailed")`, []string{}},
		"by parent that nobody has":       {`ParentWorkflowId="msg_a"`, []string{}},
		"by root, which is oneself":       {`RootWorkflowId="msg_a"`, []string{"msg_a"}},
		"by schedule that does not exist": {`TemporalScheduledById="nightly"`, []string{}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, scenario.want, s.list(t, scenario.query))
		})
	}

	t.Run("counts by status", func(t *testing.T) {
		answer, err := s.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: `GROUP BY ExecutionStatus`})
		require.NoError(t, err)
		counts := map[string]int64{}
		for _, group := range answer.GetGroups() {
			counts[string(group.GetGroupValues()[0].GetData())] = group.GetCount()
		}
		require.Equal(t, map[string]int64{`"Running"`: 1, `"Completed"`: 2, `"Failed"`: 1}, counts)
	})
}

// Retention deletes rows after days, a request within half a minute; here a row is deleted by hand.
func TestDeletedWorkflowLeavesTheFullTextIndex(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := start(t, dir)
	s := connect(t, server)
	s.run(t, "msg_a", script{}, endpoints().ValueSet([]string{"ep_1", "ep_2"}))
	s.run(t, "msg_b", script{}, endpoints().ValueSet([]string{"ep_2"}))
	require.EventuallyWithT(t, func(c *assertT) {
		require.Len(c, s.list(c, `ExecutionStatus="Completed"`), 2)
	}, patience, tick)
	s.close()
	require.NoError(t, server.Stop())

	inFile(t, dir, "visibility.db", func(db *sql.DB) {
		matches := func() (n int) {
			require.NoError(t, db.QueryRow(`SELECT COUNT(*) FROM executions_visibility_fts_keyword_list
				WHERE executions_visibility_fts_keyword_list = 'KeywordList01 : ("ep_2")'`).Scan(&n))
			return n
		}
		require.Equal(t, 2, matches())
		_, err := db.Exec(`DELETE FROM executions_visibility WHERE workflow_id = 'msg_b'`)
		require.NoError(t, err)
		require.Equal(t, 1, matches())
	})
}

func TestBatchesAndSchedulesRun(t *testing.T) {
	t.Parallel()
	s := connect(t, start(t, t.TempDir()))
	s.run(t, "msg_open", script{Wait: true}, tenant().ValueSet("acme"))
	require.EventuallyWithT(t, func(c *assertT) {
		require.Equal(c, []string{"msg_open"}, s.list(c, `Tenant="acme"`))
	}, patience, tick)
	_, err := s.WorkflowService().StartBatchOperation(t.Context(), &workflowservice.StartBatchOperationRequest{
		Namespace: "default", JobId: "job", Reason: "test", VisibilityQuery: `Tenant="acme"`,
		Operation: &workflowservice.StartBatchOperationRequest_CancellationOperation{
			CancellationOperation: &batchpb.BatchOperationCancellation{},
		},
	})
	require.NoError(t, err)
	_, err = s.ScheduleClient().Create(t.Context(), client.ScheduleOptions{
		ID:                 "nightly",
		TriggerImmediately: true,
		Action:             &client.ScheduleWorkflowAction{ID: "swept", Workflow: "DeliverMessage", TaskQueue: taskQueue, Args: []any{script{}}},
	})
	require.NoError(t, err)

	require.NoError(t, s.GetWorkflow(t.Context(), "msg_open", "").Get(t.Context(), nil), "the batch cancels it")
	require.EventuallyWithT(t, func(c *assertT) {
		require.Len(c, s.list(c, `TemporalScheduledById="nightly" AND ExecutionStatus="Completed"`), 1)
	}, patience, tick)
}

func TestBrokenVisibilityFileIsReplaced(t *testing.T) {
	t.Parallel()
	for name, scenario := range map[string]struct {
		spoil  func(t *testing.T, dir string)
		reason string
		moved  bool
	}{
		"when it is no database": {
			spoil: func(t *testing.T, dir string) {
				require.NoError(t, os.WriteFile(filepath.Join(dir, "visibility.db"), []byte("what was this file again?"), 0o600))
			},
			reason: "visibility database cannot be used; the list of past workflows is lost, the workflows themselves are not",
			moved:  true,
		},
		"when a power failure damaged pages": {
			spoil: func(t *testing.T, dir string) {
				inFile(t, dir, "server.state", func(db *sql.DB) {
					_, err := db.Exec(`UPDATE state SET clean = FALSE, boot = 'the one before'`)
					require.NoError(t, err)
				})
				file, err := os.OpenFile(filepath.Join(dir, "visibility.db"), os.O_RDWR, 0)
				require.NoError(t, err)
				// Past the first page, which holds the header that is read in any case.
				_, err = file.WriteAt(make([]byte, 64<<10), 8<<10)
				require.NoError(t, err)
				require.NoError(t, file.Close())
			},
			reason: "visibility database cannot be used; the list of past workflows is lost, the workflows themselves are not",
			moved:  true,
		},
		"when it was deleted": {
			spoil: func(t *testing.T, dir string) {
				require.NoError(t, os.Remove(filepath.Join(dir, "visibility.db")))
			},
			reason: "visibility database is gone; the list of past workflows is lost, the workflows themselves are not",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			first := start(t, dir)
			s := connect(t, first)
			s.run(t, "msg_old", script{})
			s.close()
			require.NoError(t, first.Stop())
			scenario.spoil(t, dir)

			warnings := &logRecorder{level: slog.LevelWarn}
			s = connect(t, start(t, dir, func(o *devserver.Options) { o.Logger = slog.New(warnings) }))
			require.Len(t, warnings.all(), 1)
			require.Contains(t, warnings.all()[0], scenario.reason)
			moved, err := filepath.Glob(filepath.Join(dir, "visibility.db.broken-*Z"))
			require.NoError(t, err)
			require.Equal(t, scenario.moved, len(moved) == 1)

			require.NoError(t, s.GetWorkflow(t.Context(), "msg_old", "").Get(t.Context(), nil), "old workflows are kept")
			s.run(t, "msg_new", script{}, endpoints().ValueSet([]string{"ep_1"}))
			require.EventuallyWithT(t, func(c *assertT) {
				require.Equal(c, []string{"msg_new"}, s.list(c, `Endpoints="ep_1" AND ExecutionStatus="Completed"`))
			}, patience, tick)
		})
	}
}

func TestOnlyIndexesThatAreWorthTheirCostAreKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	indexes := func() (names []string) {
		inFile(t, dir, "visibility.db", func(db *sql.DB) {
			rows, err := db.Query(`SELECT name FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL ORDER BY name`)
			require.NoError(t, err)
			defer func() { require.NoError(t, rows.Close()) }()
			for rows.Next() {
				var name string
				require.NoError(t, rows.Scan(&name))
				names = append(names, name)
			}
			require.NoError(t, rows.Err())
		})
		return names
	}
	want := []string{
		"by_status", "by_workflow_id", "by_workflow_type", "default_idx",
		"posthorn_by_Keyword01", "posthorn_by_TemporalNamespaceDivision", "posthorn_by_TemporalScheduledById",
		"posthorn_by_parent_workflow_id",
	}
	require.NoError(t, start(t, dir).Stop())
	require.Equal(t, want, indexes())

	require.NoError(t, start(t, dir, func(o *devserver.Options) {
		o.SearchAttributes["Amount"] = enums.INDEXED_VALUE_TYPE_INT
	}).Stop())
	require.ElementsMatch(t, append(want, "posthorn_by_Int01"), indexes())
}
