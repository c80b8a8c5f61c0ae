package app_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/store/sqlite"
	"github.com/posthorn/posthorn/signing"
	"github.com/posthorn/posthorn/workflows"
)

// muchTime is for thousands of deliveries on a loaded machine.
const muchTime = 5 * time.Minute

// wide is an application with very many endpoints, on a Posthorn of its own.
type wide struct {
	*bundle
	endpoints []string
	receiver  *wideReceiver
}

// wideReceiver counts what each endpoint took.
type wideReceiver struct {
	*receiver
	down  atomic.Bool
	mu    sync.Mutex
	taken map[string]int // by path
}

func newWideReceiver(t *testing.T) *wideReceiver {
	w := &wideReceiver{taken: make(map[string]int)}
	w.receiver = newReceiver(t, func(answer http.ResponseWriter, r *http.Request, _ int) {
		if w.down.Load() {
			answer.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.taken[strings.TrimPrefix(r.URL.Path, "/")]++
	})
	return w
}

// requireEach demands that so many endpoints took so many requests each.
func (w *wideReceiver) requireEach(t *testing.T, endpoints []string, requests int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range endpoints {
		require.Equal(t, requests, w.taken[id], id)
	}
	require.Len(t, w.taken, len(endpoints))
}

// setupWide puts the endpoints into the database before Posthorn opens it, many in one commit.
func setupWide(t *testing.T, n int, settings func(*config.Config)) *wide {
	t.Helper()
	cfg := testConfig(t.TempDir())
	settings(&cfg)
	w := &wide{receiver: newWideReceiver(t), endpoints: make([]string, n)}
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(cfg.DataDir, "posthorn.db"), Durability: sqlite.Normal})
	require.NoError(t, err)
	owner := posthorn.Application{ID: posthorn.ApplicationID.New(), OrgID: posthorn.DefaultOrg, CreatedAt: time.Now(), UpdatedAt: time.Now()}
	require.NoError(t, s.CreateApplication(t.Context(), owner))
	problems := make([]error, n)
	var writing sync.WaitGroup
	for i := range n {
		id := posthorn.EndpointID.New()
		w.endpoints[i] = id
		writing.Go(func() {
			problems[i] = s.CreateEndpoint(t.Context(), posthorn.Endpoint{
				ID: id, AppID: owner.ID, URL: w.receiver.URL + "/" + id, CreatedAt: time.Now(), UpdatedAt: time.Now(),
				Secrets: []posthorn.Secret{{Key: signing.NewSymmetricKey()}},
			})
		})
	}
	writing.Wait()
	require.NoError(t, errors.Join(problems...))
	require.NoError(t, s.Close())
	a, err := app.New(cfg, "", quiet())
	require.NoError(t, err)
	require.NoError(t, a.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	w.bundle = setupOn(t, a)
	w.appID = owner.ID
	return w
}

// progress is what the API counts.
type progress struct {
	Endpoints   int
	ByState     map[posthorn.DeliveryState]int
	StillToCome bool
}

func (w *wide) progress(messageID string) (p progress) {
	w.t.Helper()
	status, body := w.request(http.MethodGet, "/msg/"+messageID+"/progress", "")
	require.Equal(w.t, http.StatusOK, status, "%s", body)
	require.NoError(w.t, json.Unmarshal(body, &p))
	maps.DeleteFunc(p.ByState, func(_ posthorn.DeliveryState, n int) bool { return n == 0 })
	return p
}

func (w *wide) waitProgress(messageID string, reached func(progress) bool) {
	w.t.Helper()
	var last progress
	require.Eventually(w.t, func() bool {
		last = w.progress(messageID)
		return reached(last)
	}, muchTime, 100*time.Millisecond, "%v", &last)
}

func (w *wide) status(messageID string) (s workflows.Status) {
	w.t.Helper()
	require.Eventually(w.t, func() bool { // a busy worker may not answer in time
		answer, err := w.temporal().QueryWorkflow(w.ctx, messageID, "", workflows.StatusQuery)
		return err == nil && answer.Get(&s) == nil
	}, muchTime, time.Second)
	return s
}

// parts returns the workflows that carry on what parts of the endpoints left open.
func (w *wide) parts(messageID string) (workflowIDs []string) {
	for _, child := range w.describe(w.temporal(), messageID).GetPendingChildren() {
		workflowIDs = append(workflowIDs, child.GetWorkflowId())
	}
	return workflowIDs
}

// requireShort demands that histories are far from what Temporal warns of: 10,240 events and 10 MiB.
func (w *wide) requireShort(events, size int64, workflowIDs ...string) {
	w.t.Helper()
	for _, id := range workflowIDs {
		info := w.describe(w.temporal(), id).GetWorkflowExecutionInfo()
		w.t.Logf("%s: %d events, %d KiB", id, info.GetHistoryLength(), info.GetHistorySizeBytes()>>10)
		require.LessOrEqual(w.t, info.GetHistoryLength(), events, id)
		require.LessOrEqual(w.t, info.GetHistorySizeBytes(), size, id)
	}
}

// requireReplay demands that the workflows are deterministic.
func (w *wide) requireReplay(workflowIDs ...string) {
	w.t.Helper()
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(workflows.DeliverMessage, workflow.RegisterOptions{Name: workflows.DeliverMessageType})
	replayer.RegisterWorkflowWithOptions(workflows.DeliverPart, workflow.RegisterOptions{Name: workflows.DeliverPartType})
	for _, id := range workflowIDs {
		require.NoError(w.t, replayer.ReplayWorkflowHistory(nil, &historypb.History{Events: w.history(w.temporal(), id)}), id)
	}
}

func TestLargeFanout(t *testing.T) {
	t.Parallel()

	t.Run("thousands of endpoints get a message, each once, and can be counted meanwhile", func(t *testing.T) {
		t.Parallel()
		w := setupWide(t, 2500, func(*config.Config) {})
		id := w.send("a", `{"n":1}`)
		w.waitProgress(id, func(p progress) bool { return !p.StillToCome && p.ByState[posthorn.Delivered] == 2500 })
		require.Equal(t, progress{Endpoints: 2500, ByState: map[posthorn.DeliveryState]int{posthorn.Delivered: 2500}}, w.progress(id))
		w.waitCompleted(id)
		w.receiver.requireEach(t, w.endpoints, 1)
		require.Equal(t, workflows.Status{MessageID: id, State: posthorn.Delivered, Endpoints: 2500, Delivered: 2500}, w.status(id))
		w.requireShort(50, 16<<10, id)
	})

	t.Run("thousands that were down get it when they are up again", func(t *testing.T) {
		t.Parallel()
		const n = 1100
		w := setupWide(t, n, func(cfg *config.Config) {
			cfg.RetrySchedule = nil
			for range 40 {
				cfg.RetrySchedule = append(cfg.RetrySchedule, 5*time.Second)
			}
		})
		w.receiver.down.Store(true)
		id := w.send("a", `{}`)
		w.waitProgress(id, func(p progress) bool { return p.ByState[posthorn.Retrying] == n })
		require.Eventually(t, func() bool { return len(w.parts(id)) == 2 }, muchTime, 100*time.Millisecond)
		parts := w.parts(id)
		status := w.status(id)
		require.Equal(t, posthorn.Retrying, status.State)
		require.ElementsMatch(t, w.endpoints, status.Open)
		w.receiver.down.Store(false)
		w.waitProgress(id, func(p progress) bool { return p.ByState[posthorn.Delivered] == n })
		require.Eventually(t, func() bool {
			return w.workflowStatus(id) == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
		}, muchTime, 100*time.Millisecond)
		w.receiver.requireEach(t, w.endpoints, 1)
		require.Equal(t, workflows.Status{MessageID: id, State: posthorn.Delivered, Endpoints: n, Delivered: n, Open: []string{}}, w.status(id))
		w.requireShort(4500, 2<<20, append(parts, id)...)
		w.requireReplay(append(parts, id)...)
	})

	t.Run("a part is woken and cancelled like the rest", func(t *testing.T) {
		t.Parallel()
		const n = 1200
		w := setupWide(t, n, func(cfg *config.Config) { cfg.RetrySchedule = posthorn.Schedule{time.Hour} })
		sooner := w.endpoints[n/2]
		w.receiver.down.Store(true)
		id := w.send("a", `{}`)
		w.waitProgress(id, func(p progress) bool { return p.ByState[posthorn.Retrying] == n })
		require.Eventually(t, func() bool { return len(w.parts(id)) == 2 }, muchTime, 100*time.Millisecond)
		part := workflows.PartWorkflowID(id, w.endpoints[500])
		require.Contains(t, w.parts(id), part)
		engine := w.temporal()
		waitPending := func(n int) {
			t.Helper()
			require.Eventually(t, func() bool {
				described, err := engine.DescribeWorkflowExecution(w.ctx, part, "")
				return err == nil && len(described.GetPendingActivities()) == n
			}, muchTime, 100*time.Millisecond)
		}
		waitPending(500)

		w.receiver.down.Store(false)
		status, answer := w.request(http.MethodPut, "/endpoint/"+sooner+"/retry-schedule", `{"retrySchedule":[{"secs":1,"nanos":0}]}`)
		require.Equal(t, http.StatusOK, status, "%s", answer)
		w.waitProgress(id, func(p progress) bool { return p.ByState[posthorn.Delivered] == 1 })
		w.receiver.requireEach(t, []string{sooner}, 1)
		waitPending(499) // the part knows of it, too, before all else is cancelled
		_, err := engine.DescribeWorkflowExecution(w.ctx, workflows.DeliveryWorkflowID(id, sooner), "")
		require.ErrorAs(t, err, new(*serviceerror.NotFound), "the part's own activity was woken")

		require.NoError(t, engine.CancelWorkflow(w.ctx, id, ""))
		w.waitProgress(id, func(p progress) bool { return p.ByState[posthorn.Cancelled] == n-1 })
		require.Eventually(t, func() bool {
			return w.workflowStatus(id) == enums.WORKFLOW_EXECUTION_STATUS_CANCELED
		}, muchTime, 100*time.Millisecond)
		require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, w.workflowStatus(part))
		w.requireReplay(id, part)
		ended := w.status(id)
		require.Equal(t, 1, ended.Delivered)
		require.Equal(t, n-1, ended.Cancelled)
	})
}
