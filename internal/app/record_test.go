package app_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
	"go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/workflows"
)

var record = flag.Bool("record", false, "write the histories that package workflows replays in its tests")

// TestRecordHistories runs every workflow down each of its branches and replays what came of it. With -record it keeps
// the histories: later versions of the workflows have to replay them too.
func TestRecordHistories(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(t *testing.T, b *bundle) (workflowID string){
		"delivered": func(t *testing.T, b *bundle) string {
			r := newReceiver(t, nil)
			b.endpoint(svix.EndpointIn{Url: r.URL})
			b.endpoint(svix.EndpointIn{Url: r.URL})
			return b.send("a", `{}`)
		},
		"delivered-in-parts": func(t *testing.T, b *bundle) string {
			w := setupWide(t, 600, func(*config.Config) {})
			*b = *w.bundle
			return b.send("a", `{}`)
		},
		"part": func(t *testing.T, b *bundle) string {
			w := setupWide(t, 503, func(cfg *config.Config) {
				cfg.RetrySchedule = slices.Repeat(posthorn.Schedule{5 * time.Second}, 40)
			})
			*b = *w.bundle
			w.receiver.down.Store(true)
			id := b.send("a", `{}`)
			require.Eventually(t, func() bool { return len(w.parts(id)) == 1 }, muchTime, 100*time.Millisecond)
			part := w.parts(id)[0]
			require.Eventually(t, func() bool { // before that, it is only asked for
				_, err := w.temporal().DescribeWorkflowExecution(w.ctx, part, "")
				return err == nil
			}, muchTime, 100*time.Millisecond)
			w.waitProgress(id, func(p progress) bool { return p.ByState[posthorn.Retrying] == 503 })
			w.receiver.down.Store(false)
			return part
		},
		"without-endpoints": func(_ *testing.T, b *bundle) string { return b.send("a", `{}`) },
		"delivered-after-retries": func(t *testing.T, b *bundle) string {
			flaky := func(w http.ResponseWriter, _ *http.Request, n int) {
				if n < 3 {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			}
			b.endpoint(svix.EndpointIn{Url: newReceiver(t, nil).URL})
			b.endpoint(svix.EndpointIn{Url: newReceiver(t, flaky).URL})
			b.endpoint(svix.EndpointIn{Url: newReceiver(t, flaky).URL})
			return b.send("a", `{}`)
		},
		"exhausted": func(t *testing.T, b *bundle) string {
			b.endpoint(svix.EndpointIn{Url: newReceiver(t, nil).URL})
			b.endpoint(svix.EndpointIn{Url: newReceiver(t, always(500)).URL})
			return b.send("a", `{}`)
		},
		"cancelled": func(t *testing.T, b *bundle) string {
			bad := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
				w.Header().Set("Retry-After", "3600")
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			b.endpoint(svix.EndpointIn{Url: bad.URL})
			id := b.send("a", `{}`)
			b.waitState(id, "retrying")
			require.NoError(t, b.temporal().CancelWorkflow(b.ctx, id, ""))
			return id
		},
		"endpoint-deleted": func(t *testing.T, b *bundle) string {
			bad := newReceiver(t, always(500))
			ep := b.endpoint(svix.EndpointIn{Url: bad.URL})
			id := b.send("a", `{}`)
			b.waitState(id, "retrying")
			require.NoError(t, b.svix.Endpoint.Delete(b.ctx, b.appID, ep.Id))
			return id
		},
		"scheduled": func(t *testing.T, b *bundle) string {
			b.endpoint(svix.EndpointIn{Url: newReceiver(t, nil).URL})
			b.endpoint(svix.EndpointIn{Url: newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
				if n < 2 {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			}).URL})
			return b.sendTimed(fmt.Sprintf(`"deliverAt":%q`, at(time.Now().Add(2*time.Second)))).ID
		},
		"scheduled-cancelled": func(t *testing.T, b *bundle) string {
			b.endpoint(svix.EndpointIn{Url: newReceiver(t, nil).URL})
			m := b.sendTimed(fmt.Sprintf(`"deliverAt":%q`, at(time.Now().Add(time.Hour))))
			b.cancel(m.ID)
			return m.ID
		},
		"scheduled-cancelled-in-temporal": func(t *testing.T, b *bundle) string {
			b.endpoint(svix.EndpointIn{Url: newReceiver(t, nil).URL})
			m := b.sendTimed(fmt.Sprintf(`"deliverAt":%q`, at(time.Now().Add(time.Hour))))
			require.NoError(t, b.temporal().CancelWorkflow(b.ctx, m.ID, ""))
			return m.ID
		},
		"resent": func(t *testing.T, b *bundle) string {
			ep := b.endpoint(svix.EndpointIn{Url: newReceiver(t, nil).URL})
			id := b.send("a", `{}`)
			b.waitState(id, "delivered")
			require.NoError(t, b.svix.MessageAttempt.Resend(b.ctx, b.appID, id, ep.Id))
			found := b.list(b.temporal(), `WorkflowType="ResendMessage" AND PosthornApplication="`+b.appID+`"`, 1)
			return found[0].GetExecution().GetWorkflowId()
		},
		"task-finished": func(_ *testing.T, b *bundle) string {
			b.send("a", `{}`)
			_, body := b.request(http.MethodPost, "/msg/expunge-all-contents", "")
			return b.began(body)
		},
		"task-failed": func(t *testing.T, b *bundle) string {
			o, dir := own(t)
			*b = *o
			db := database(t, dir)
			task := posthorn.TaskID.New()
			_, err := db.ExecContext(b.ctx, "INSERT INTO task (id, org_id, app_id, kind, state, begun, input) VALUES (?, ?, ?, ?, 'running', 1, '{\"EndpointID\":\"gone\"}')",
				task, posthorn.DefaultOrg, b.appID, posthorn.RecoverEndpoint)
			require.NoError(t, err)
			return b.runTask(task)
		},
		"task-missing": func(_ *testing.T, b *bundle) string { return b.runTask(posthorn.TaskID.New()) },
		"task-cancelled": func(t *testing.T, b *bundle) string {
			failed := make(chan struct{})
			r := newReceiver(t, func(w http.ResponseWriter, req *http.Request, _ int) {
				select {
				case <-failed:
					<-req.Context().Done()
				default:
					w.WriteHeader(http.StatusInternalServerError)
				}
			})
			ep := b.endpoint(svix.EndpointIn{Url: r.URL})
			began := time.Now()
			b.waitState(b.send("a", `{}`), "failed")
			close(failed)
			task, err := b.svix.Endpoint.Recover(b.ctx, b.appID, ep.Id, &svix.RecoverIn{Since: began})
			require.NoError(t, err)
			r.wait(t, 5)
			require.NoError(t, b.temporal().CancelWorkflow(b.ctx, task.Id, ""))
			return task.Id
		},
		"tended": func(t *testing.T, b *bundle) string {
			rec, ep := b.dead(t)
			b.openCircuit(ep, posthorn.DefaultBreakerFailures)
			b.send("a", `{}`)
			b.waitProbes(ep, 2)
			rec.revive()
			return workflows.TendWorkflowID(ep)
		},
		"expired": func(t *testing.T, b *bundle) string {
			run, err := b.temporal().ExecuteWorkflow(b.ctx, client.StartWorkflowOptions{ID: b.appID, TaskQueue: workflows.TaskQueue}, workflows.ExpirePayloadsType)
			require.NoError(t, err)
			return run.GetID()
		},
		"housekeeping": func(t *testing.T, b *bundle) string {
			run, err := b.temporal().ExecuteWorkflow(b.ctx, client.StartWorkflowOptions{ID: b.appID, TaskQueue: workflows.TaskQueue}, workflows.HousekeepingType)
			require.NoError(t, err)
			return run.GetID()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := run(t, b)
			c := b.temporal()
			require.Eventually(t, func() bool {
				return b.describe(c, id).GetWorkflowExecutionInfo().GetStatus() != enums.WORKFLOW_EXECUTION_STATUS_RUNNING
			}, muchTime, 20*time.Millisecond)
			history := &historypb.History{Events: b.history(c, id)}

			replayer := worker.NewWorkflowReplayer()
			for name, run := range workflows.Types() {
				replayer.RegisterWorkflowWithOptions(run, workflow.RegisterOptions{Name: name})
			}
			require.NoError(t, replayer.ReplayWorkflowHistory(nil, history))

			if *record {
				for _, e := range history.GetEvents() {
					forgetMachine(e)
				}
				text, err := protojson.MarshalOptions{Multiline: true, Indent: " "}.Marshal(history)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join("..", "..", "workflows", "testdata", name+".json"), text, 0o644))
			}
		})
	}
}

// runTask starts the workflow of a task, whatever the database knows of it.
func (b *bundle) runTask(id string) string {
	b.t.Helper()
	_, err := b.temporal().ExecuteWorkflow(b.ctx, client.StartWorkflowOptions{ID: id, TaskQueue: workflows.TaskQueue},
		workflows.RunTaskType, workflows.RunTaskInput{TaskID: id, Kind: posthorn.RecoverEndpoint})
	require.NoError(b.t, err)
	return id
}

// forgetMachine removes the name of the machine from an event.
func forgetMachine(e *historypb.HistoryEvent) {
	const worker = "worker"
	if a := e.GetWorkflowExecutionStartedEventAttributes(); a != nil {
		a.Identity = worker
	}
	if a := e.GetWorkflowTaskStartedEventAttributes(); a != nil {
		a.Identity = worker
	}
	if a := e.GetWorkflowTaskCompletedEventAttributes(); a != nil {
		a.Identity = worker
	}
	if a := e.GetActivityTaskStartedEventAttributes(); a != nil {
		a.Identity = worker
	}
	if a := e.GetActivityTaskCompletedEventAttributes(); a != nil {
		a.Identity = worker
	}
	if a := e.GetActivityTaskFailedEventAttributes(); a != nil {
		a.Identity = worker
	}
	if a := e.GetWorkflowTaskScheduledEventAttributes(); a.GetTaskQueue().GetKind() == enums.TASK_QUEUE_KIND_STICKY {
		a.TaskQueue.Name = worker
	}
	if a := e.GetWorkflowExecutionFailedEventAttributes().GetFailure().GetActivityFailureInfo(); a != nil {
		a.Identity = worker
	}
	if a := e.GetActivityTaskCanceledEventAttributes(); a != nil {
		a.Identity = worker
	}
	if a := e.GetWorkflowExecutionSignaledEventAttributes(); a != nil {
		a.Identity = worker
	}
	if a := e.GetTimerCanceledEventAttributes(); a != nil {
		a.Identity = worker
	}
	if a := e.GetWorkflowExecutionCancelRequestedEventAttributes(); a != nil {
		a.Identity = worker
	}
}
