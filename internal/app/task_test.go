package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
	"go.temporal.io/api/enums/v1"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/workflows"
)

// own starts a Posthorn that no other test uses, and returns its data folder too.
func own(t *testing.T) (*bundle, string) {
	t.Helper()
	dir := t.TempDir()
	a, err := app.New(testConfig(dir), "", quiet())
	require.NoError(t, err)
	require.NoError(t, a.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return setupOn(t, a), dir
}

// call calls the API above the test's application, and demands a status.
func (b *bundle) call(method, path, body string, status int) json.RawMessage {
	b.t.Helper()
	got, answer := b.above(method, path, body)
	require.Equal(b.t, status, got, "%s %s: %s", method, path, answer)
	return answer
}

// background is a task as the API shows it.
type background struct {
	ID     string
	Status posthorn.TaskState
	Task   posthorn.TaskKind
	Data   json.RawMessage
}

func (b *bundle) began(answer []byte) string {
	b.t.Helper()
	var out background
	require.NoError(b.t, json.Unmarshal(answer, &out))
	require.True(b.t, posthorn.TaskID.Valid(out.ID), "%s", answer)
	require.Equal(b.t, posthorn.TaskRunning, out.Status)
	return out.ID
}

// ended waits until a task has ended and returns its data.
func (b *bundle) ended(id string, want posthorn.TaskState) string {
	b.t.Helper()
	var out background
	require.Eventually(b.t, func() bool {
		require.NoError(b.t, json.Unmarshal(b.call("GET", "/background-task/"+id, "", http.StatusOK), &out))
		return out.Status != posthorn.TaskRunning
	}, patience, 20*time.Millisecond, "waiting for the task to end")
	require.Equal(b.t, want, out.Status, "%s", out.Data)
	return string(out.Data)
}

func TestRecover(t *testing.T) {
	t.Parallel()

	t.Run("gives each message that failed one more attempt, and is visible in Temporal", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.temporal()
		healthy := make(chan struct{})
		r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			select {
			case <-healthy:
			default:
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		ep := b.endpoint(svix.EndpointIn{Url: r.URL})
		began := time.Now()
		var failed []string
		for range 3 {
			failed = append(failed, b.send("a", `{}`))
		}
		for _, id := range failed {
			b.waitState(id, "failed")
		}
		close(healthy)
		delivered := b.send("a", `{}`)
		b.waitState(delivered, "delivered")
		made := len(r.all())

		after, err := b.svix.Endpoint.Recover(b.ctx, b.appID, ep.Id, &svix.RecoverIn{Since: time.Now().Add(-time.Second)})
		require.NoError(t, err)
		require.JSONEq(t, `{"total":0,"done":0,"attempted":0,"messagesSent":0,"delivered":0,"skipped":0}`, b.ended(after.Id, posthorn.TaskFinished))
		require.Len(t, r.all(), made, "since after the messages")

		task, err := b.svix.Endpoint.Recover(b.ctx, b.appID, ep.Id, &svix.RecoverIn{Since: began})
		require.NoError(t, err)
		require.Equal(t, "endpoint.recover", string(task.Task))
		require.JSONEq(t, `{"total":3,"done":3,"attempted":3,"messagesSent":3,"delivered":3,"skipped":0}`, b.ended(task.Id, posthorn.TaskFinished))
		require.Len(t, r.all(), made+3)
		for _, id := range failed {
			attempts := b.attempts(id)
			require.Len(t, attempts, 5)
			require.Equal(t, 1, attempts[4].TriggerType)
			require.Equal(t, posthorn.Delivered, b.destinations(id)[0].State)
		}
		require.Len(t, b.attempts(delivered), 1)

		d := b.describe(c, task.Id)
		require.Equal(t, "RunTask", d.GetWorkflowExecutionInfo().GetType().GetName())
		require.Equal(t, "endpoint.recover "+b.appID, text(t, d.GetExecutionConfig().GetUserMetadata().GetSummary()))
		b.list(c, `WorkflowType="RunTask" AND ExecutionStatus="Completed" AND PosthornApplication="`+b.appID+`"`, 2)
	})

	t.Run("fails when the endpoint is deleted meanwhile, and an operator can cancel it", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		c := b.temporal()
		recovering := make(chan struct{})
		r := newReceiver(t, func(w http.ResponseWriter, req *http.Request, _ int) {
			select {
			case <-recovering:
				select { // what is resent hangs
				case <-req.Context().Done():
				case <-time.After(5 * time.Second):
				}
			default:
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		ep := b.endpoint(svix.EndpointIn{Url: r.URL})
		began := time.Now()
		for range 8 {
			b.waitState(b.send("a", `{}`), "failed")
		}
		made := len(r.all())
		close(recovering)
		body := from(began, `,"rateLimit":1`)
		status, answer := b.request("POST", "/endpoint/"+ep.Id+"/recover", body)
		require.Equal(t, http.StatusAccepted, status, "%s", answer)
		task := b.began(answer)
		r.wait(t, made+1)
		require.NoError(t, c.CancelWorkflow(b.ctx, task, ""))
		require.Contains(t, b.ended(task, posthorn.TaskFailed), `"error":"cancelled"`)
		require.Eventually(t, func() bool {
			return b.describe(c, task).GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_CANCELED
		}, patience, 20*time.Millisecond)
	})
}

func TestBroadcast(t *testing.T) {
	t.Parallel()
	b, _ := own(t)
	r := newReceiver(t, nil)
	apps := []string{b.appID}
	for i := range 6 {
		made, err := b.svix.Application.Create(b.ctx, &svix.ApplicationIn{Name: fmt.Sprint(i)})
		require.NoError(t, err)
		apps = append(apps, made.Id)
	}
	for _, app := range apps {
		_, err := b.svix.Endpoint.Create(b.ctx, app, &svix.EndpointIn{Url: r.URL + "/" + app})
		require.NoError(t, err)
	}
	pinned := newReceiver(t, nil)
	b.call("POST", "/app/"+apps[0]+"/endpoint", fmt.Sprintf(`{"url":%q,"payloadVersion":"1"}`, pinned.URL), http.StatusCreated)
	body := `{"eventType":"terms.changed","eventId":"terms-2","payload":{ "p4yl0ad" : 2.0 },"payloadVersion":"2","payloads":{"1":{"old" : 1}},"tags":["legal"]}`
	task := b.began(b.call("POST", "/msg/broadcast", body, http.StatusAccepted))
	require.JSONEq(t, `{"sent":7,"skipped":0}`, b.ended(task, posthorn.TaskFinished))
	got := map[string]int{}
	for _, request := range r.wait(t, 7) {
		got[strings.TrimPrefix(request.path, "/")]++
		require.Equal(t, `{ "p4yl0ad" : 2.0 }`, string(request.body))
	}
	require.Len(t, got, 7)
	for _, app := range apps {
		require.Equal(t, 1, got[app])
		require.Contains(t, string(b.call("GET", "/app/"+app+"/msg?tag=legal", "", http.StatusOK)), `"eventId":"terms-2"`)
	}
	old := pinned.wait(t, 1)[0]
	require.Equal(t, `{"old" : 1}`, string(old.body))
	require.Equal(t, "1", old.header.Get(posthorn.HeaderPayloadVersion))
	again := b.began(b.call("POST", "/msg/broadcast", body, http.StatusAccepted))
	require.JSONEq(t, `{"sent":0,"skipped":7}`, b.ended(again, posthorn.TaskFinished))

	t.Run("whose payload is in no history", func(t *testing.T) {
		b, c := b.in(t), b.temporal()
		for _, event := range b.history(c, task) {
			require.NotContains(t, event.String(), "p4yl0ad")
		}
	})
	t.Run("is counted, by application", func(t *testing.T) {
		b := b.in(t)
		now := time.Now()
		started := b.call("POST", "/stats/usage/app", fmt.Sprintf(`{"since":%q,"until":%q,"appIds":[%q,"nobody"]}`,
			now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339), apps[3]), http.StatusAccepted)
		require.Contains(t, string(started), `"unresolvedAppIds":["nobody"]`)
		require.JSONEq(t, `{"appStats":[{"appId":"`+apps[3]+`","appUid":null,"messageDestinations":1}]}`,
			b.ended(b.began(started), posthorn.TaskFinished))
		usage, err := b.svix.Statistics.AggregateEventTypes(b.ctx)
		require.NoError(t, err, "the strict client reads it")
		require.Contains(t, b.ended(usage.Id, posthorn.TaskFinished),
			`{"appId":"`+apps[0]+`","explicitlySubscribedEventTypes":[],"hasCatchAllEndpoint":true}`)
	})
}

// in is the bundle for a subtest.
func (b *bundle) in(t *testing.T) *bundle {
	c := *b
	c.t, c.ctx = t, t.Context()
	return &c
}

func TestTasksGoOnAfterARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, err := app.New(testConfig(dir), "", quiet())
	require.NoError(t, err)
	require.NoError(t, a.Start(t.Context()))
	b := setupOn(t, a)
	var slow = make(chan struct{})
	r := newReceiver(t, func(w http.ResponseWriter, req *http.Request, n int) {
		if n <= 4 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		select {
		case <-slow:
		case <-req.Context().Done():
		}
	})
	ep := b.endpoint(svix.EndpointIn{Url: r.URL})
	began := time.Now()
	id := b.send("a", `{}`)
	b.waitState(id, "failed")
	task, err := b.svix.Endpoint.Recover(b.ctx, b.appID, ep.Id, &svix.RecoverIn{Since: began})
	require.NoError(t, err)
	r.wait(t, 5)
	close(slow)
	require.NoError(t, a.Close(), "it doesn't wait for the task")

	// A process that ended between storing a task and starting its workflow would leave this.
	left := posthorn.TaskID.New()
	_, err = database(t, dir).ExecContext(t.Context(), "INSERT INTO task (id, org_id, kind, state, begun, input) VALUES (?, ?, ?, 'running', 0, '{}')",
		left, posthorn.DefaultOrg, posthorn.AggregateEventTypes)
	require.NoError(t, err)

	a, err = app.New(testConfig(dir), "", quiet())
	require.NoError(t, err)
	require.NoError(t, a.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	b.app = a
	require.Contains(t, b.ended(left, posthorn.TaskFinished), b.appID)
	require.JSONEq(t, `{"attempted":1,"delivered":1,"done":1,"messagesSent":1,"skipped":0,"total":1}`, b.ended(task.Id, posthorn.TaskFinished))
	require.Len(t, r.all(), 5)
	require.Len(t, b.attempts(id), 5)
	status, err := b.temporal().DescribeWorkflowExecution(b.ctx, task.Id, "")
	require.NoError(t, err)
	require.Equal(t, workflows.RunTaskType, status.GetWorkflowExecutionInfo().GetType().GetName())
}
