package app_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
	"go.temporal.io/api/enums/v1"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/dispatch"
)

// from is the body of a request about everything since a moment, with further fields.
func from(since time.Time, fields string) string {
	return fmt.Sprintf(`{"since":%q%s}`, since.UTC().Format(time.RFC3339Nano), fields)
}

// told is what a task tells once all of its messages were sent and taken.
func told(n int) string {
	return fmt.Sprintf(`{"total":%d,"done":%d,"attempted":%d,"messagesSent":%d,"delivered":%d,"skipped":0}`, n, n, n, n, n)
}

func TestReplayMissing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	began := time.Now()
	early := newReceiver(t, nil)
	b.endpoint(svix.EndpointIn{Url: early.URL})
	const messages = 230
	wanted, other := "replay.wanted", "replay.other"
	b.call("POST", "/event-type", `{"name":"replay.wanted","description":"wanted later"}`, http.StatusCreated)
	for i := range messages {
		b.send([]string{wanted, other}[i%2], fmt.Sprintf(`{"n":%d}`, i))
	}
	early.wait(t, messages)

	late := newReceiver(t, nil)
	ep := b.endpoint(svix.EndpointIn{Url: late.URL, FilterTypes: []string{wanted}})
	path := "/app/" + b.appID + "/endpoint/" + ep.Id + "/replay-missing"
	require.Eventually(t, func() bool { // the first rounds are on record
		count := b.began(b.call("POST", path, from(began, `,"dryRun":true`), http.StatusAccepted))
		return b.ended(count, posthorn.TaskFinished) == fmt.Sprintf(`{"count":%d}`, messages/2)
	}, patience, 100*time.Millisecond)
	require.Empty(t, late.all())

	task := b.began(b.call("POST", path, from(began, ""), http.StatusAccepted))
	require.JSONEq(t, told(messages/2), b.ended(task, posthorn.TaskFinished))
	seen := map[string]bool{}
	for _, r := range late.all() {
		id := r.header.Get("webhook-id")
		require.False(t, seen[id], "%s is sent once", id)
		seen[id] = true
		for _, a := range b.attempts(id) {
			require.Equal(t, 1, a.AttemptNumber)
			require.Equal(t, a.EndpointID == ep.Id, a.TriggerType == 1)
		}
	}
	require.Len(t, seen, messages/2)
	require.Len(t, early.all(), messages)

	again := b.began(b.call("POST", path, from(began, ""), http.StatusAccepted))
	require.JSONEq(t, told(0), b.ended(again, posthorn.TaskFinished))
}

func TestBulkReplay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.temporal()
	began := time.Now()
	r := newReceiver(t, nil)
	ep := b.endpoint(svix.EndpointIn{Url: r.URL})
	for i := range 6 {
		b.waitState(b.send([]string{"a", "b"}[i%2], `{}`), "delivered")
	}
	path := "/app/" + b.appID + "/endpoint/" + ep.Id + "/bulk-replay"
	task := b.began(b.call("POST", path, from(began, `,"eventTypes":["b"],"status":0,"statusCodeClass":200`), http.StatusAccepted))
	require.JSONEq(t, told(3), b.ended(task, posthorn.TaskFinished))
	require.Len(t, r.wait(t, 9), 9)
	d := b.describe(c, task)
	require.Equal(t, "endpoint.bulk-replay "+b.appID, text(t, d.GetExecutionConfig().GetUserMetadata().GetSummary()))

	t.Run("is cancelled by its own operation", func(t *testing.T) {
		task := b.began(b.call("POST", path, from(began, `,"rateLimit":1`), http.StatusAccepted))
		r.wait(t, 10)
		b.call("POST", "/background-task/"+task+"/cancel", "", http.StatusAccepted)
		require.Contains(t, b.ended(task, posthorn.TaskFailed), `"error":"cancelled"`)
		require.Less(t, len(r.all()), 15)
		require.Eventually(t, func() bool {
			return b.describe(c, task).GetWorkflowExecutionInfo().GetStatus() == enums.WORKFLOW_EXECUTION_STATUS_CANCELED
		}, patience, 20*time.Millisecond)
		b.call("POST", "/background-task/"+task+"/cancel", "", http.StatusConflict)
	})
	t.Run("ends although it was terminated in Temporal", func(t *testing.T) {
		engine := dispatch.Dispatcher{Client: c}
		task := b.began(b.call("POST", path, from(began, `,"rateLimit":1`), http.StatusAccepted))
		how, err := engine.TaskEnded(b.ctx, task)
		require.NoError(t, err)
		require.Empty(t, how)
		require.NoError(t, c.TerminateWorkflow(b.ctx, task, "", "a test"))
		how, err = engine.TaskEnded(b.ctx, task)
		require.NoError(t, err)
		require.Equal(t, "terminated in Temporal", how)
		how, err = engine.TaskEnded(b.ctx, posthorn.TaskID.New())
		require.NoError(t, err)
		require.Equal(t, "its workflow is not in Temporal any more", how)
		b.call("POST", "/background-task/"+task+"/cancel", "", http.StatusAccepted)
		require.Contains(t, b.ended(task, posthorn.TaskFailed), `"error":"cancelled"`)
	})
}
