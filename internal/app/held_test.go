package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
	"go.temporal.io/api/enums/v1"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/app"
)

// change calls an operation of an endpoint and returns the endpoint's new face.
func (b *bundle) change(method, endpointID, action, body string) map[string]any {
	b.t.Helper()
	status, answer := b.request(method, "/endpoint/"+endpointID+action, body)
	require.Equal(b.t, http.StatusOK, status, "%s", answer)
	var out map[string]any
	require.NoError(b.t, json.Unmarshal(answer, &out))
	return out
}

// held returns how many messages are held for an endpoint, and how many wait for each reason.
func (b *bundle) held(endpointID string) (held int, waiting map[string]int) {
	b.t.Helper()
	status, answer := b.request(http.MethodGet, "/endpoint/"+endpointID+"/waiting", "")
	require.Equal(b.t, http.StatusOK, status, "%s", answer)
	var out struct {
		Held    int
		Waiting map[string]int
	}
	require.NoError(b.t, json.Unmarshal(answer, &out))
	return out.Held, out.Waiting
}

func (b *bundle) waitHeld(endpointID string, n int) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		held, _ := b.held(endpointID)
		return held == n
	}, patience, 20*time.Millisecond, "waiting for %d held messages", n)
}

func TestHeldMessages(t *testing.T) {
	t.Parallel()

	t.Run("a disabled endpoint's messages are held in the database only, and sent when it is enabled", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, nil)
		ep := b.endpoint(svix.EndpointIn{Url: rec.URL})
		b.change(http.MethodPatch, ep.Id, "", `{"disabled":true}`)
		id := b.send("a", `{"n":1}`)
		held := b.waitState(id, posthorn.Held)
		require.Equal(t, "the endpoint is disabled", held.Reason)
		require.Equal(t, 3, held.Status, "Svix clients know it as one that is being sent")
		b.waitCompleted(id) // nothing stays open for it
		b.change(http.MethodPatch, ep.Id, "", `{"disabled":false}`)
		b.waitState(id, posthorn.Delivered)
		verify(t, b.secret(ep.Id), rec.wait(t, 1)[0])
		b.list(b.temporal(), `WorkflowType="DeliverParked" AND PosthornApplication="`+b.appID+`" AND ExecutionStatus="Completed"`, 1)
	})

	t.Run("a pause holds what is new and what is due, and loses no attempt by it", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		paused := make(chan struct{})
		rec := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 1 {
				<-paused
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		pausing := sync.OnceFunc(func() { close(paused) })
		t.Cleanup(pausing)
		ep := b.endpoint(svix.EndpointIn{Url: rec.URL})
		failed := b.send("a", `{"n":1}`)
		rec.wait(t, 1)
		first := b.change(http.MethodPost, ep.Id, "/pause", "")
		require.NotNil(t, first["pausedAt"])
		require.Equal(t, first["pausedAt"], b.change(http.MethodPost, ep.Id, "/pause", "")["pausedAt"], "the first pause counts")
		pausing()
		fresh := b.send("a", `{"n":2}`)
		b.waitHeld(ep.Id, 2)
		_, waiting := b.held(ep.Id)
		require.Equal(t, 2, waiting["paused"])
		for _, id := range []string{failed, fresh} {
			require.Equal(t, "the endpoint is paused", b.waitState(id, posthorn.Held).Reason)
		}
		require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_RUNNING, b.workflowStatus(failed), "it has retries to come")
		b.waitCompleted(fresh)
		require.NotContains(t, b.change(http.MethodPost, ep.Id, "/resume", ""), "pausedAt")
		for _, id := range []string{failed, fresh} {
			b.waitState(id, posthorn.Delivered)
		}
		require.Len(t, rec.all(), 3)
		require.Len(t, b.attempts(failed), 2)
		require.Equal(t, 2, b.attempts(failed)[1].AttemptNumber)
		b.waitHeld(ep.Id, 0)
	})

	t.Run("what was held is let go in order and no faster than wanted", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, nil)
		ep := b.endpoint(svix.EndpointIn{Url: rec.URL})
		b.change(http.MethodPost, ep.Id, "/pause", "")
		const messages, perSecond = 30, 20
		for i := range messages {
			b.send("a", fmt.Sprintf(`{"n":%d}`, i))
		}
		b.waitHeld(ep.Id, messages)
		began := time.Now()
		b.change(http.MethodPost, ep.Id, "/resume", fmt.Sprintf(`{"held":"send","rate":%d}`, perSecond))
		got := rec.wait(t, messages)
		require.Greater(t, got[messages-1].at.Sub(began), time.Second, "it takes its time")
	})

	t.Run("what was held is dropped if that is wanted, and says so", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, nil)
		ep := b.endpoint(svix.EndpointIn{Url: rec.URL})
		b.change(http.MethodPost, ep.Id, "/pause", "")
		open := b.send("a", `{"n":1}`)
		b.waitState(open, posthorn.Held)
		b.change(http.MethodPatch, ep.Id, "", `{"disabled":true}`)
		parked := b.send("a", `{"n":2}`)
		b.waitState(parked, posthorn.Held)
		b.change(http.MethodPost, ep.Id, "/resume", `{"held":"drop"}`)
		for _, id := range []string{open, parked} {
			require.Equal(t, "dropped when the endpoint took messages again", b.waitState(id, posthorn.Cancelled).Reason)
		}
		b.waitCompleted(open)
		later := b.send("a", `{"n":3}`)
		b.waitState(later, posthorn.Delivered)
		require.Len(t, rec.all(), 1)
	})

	t.Run("what is held for an endpoint that is deleted is cancelled", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		ep := b.endpoint(svix.EndpointIn{Url: newReceiver(t, nil).URL})
		b.change(http.MethodPost, ep.Id, "/pause", "")
		id := b.send("a", `{}`)
		b.waitState(id, posthorn.Held)
		require.NoError(t, b.svix.Endpoint.Delete(b.ctx, b.appID, ep.Id))
		require.Equal(t, "the endpoint was deleted", b.waitState(id, posthorn.Cancelled).Reason)
		b.waitCompleted(id)
	})

	t.Run("a message that is sent by hand while it is held is delivered, and not sent again", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, nil)
		ep := b.endpoint(svix.EndpointIn{Url: rec.URL})
		b.change(http.MethodPost, ep.Id, "/pause", "")
		id := b.send("a", `{}`)
		b.waitState(id, posthorn.Held)
		require.NoError(t, b.svix.MessageAttempt.Resend(b.ctx, b.appID, id, ep.Id))
		b.waitState(id, posthorn.Delivered)
		b.waitCompleted(id) // its workflow hears of it
		b.change(http.MethodPost, ep.Id, "/resume", "")
		b.waitState(b.send("a", `{}`), posthorn.Delivered)
		require.Len(t, rec.all(), 2)
	})

	t.Run("a wrong resume names the field", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		ep := b.endpoint(svix.EndpointIn{Url: newReceiver(t, nil).URL})
		for body, field := range map[string]string{`{"held":"keep"}`: "held", `{"rate":0}`: "rate", `{"rate":70000}`: "rate"} {
			status, answer := b.request(http.MethodPost, "/endpoint/"+ep.Id+"/resume", body)
			require.Equal(t, http.StatusUnprocessableEntity, status, "%s", answer)
			require.Contains(t, string(answer), field)
		}
	})
}

func TestHeldMessagesSurviveARestart(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	first, err := app.New(cfg, "", quiet())
	require.NoError(t, err)
	require.NoError(t, first.Start(t.Context()))
	b := setupOn(t, first)
	rec := newReceiver(t, nil)
	paused, disabled := b.endpoint(svix.EndpointIn{Url: rec.URL}), b.endpoint(svix.EndpointIn{Url: rec.URL})
	b.change(http.MethodPost, paused.Id, "/pause", "")
	b.change(http.MethodPatch, disabled.Id, "", `{"disabled":true}`)
	id := b.send("a", `{}`)
	b.waitHeld(paused.Id, 1)
	b.waitHeld(disabled.Id, 1)
	require.NoError(t, first.Close())
	require.Empty(t, rec.all())

	second, err := app.New(cfg, "", quiet())
	require.NoError(t, err)
	require.NoError(t, second.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, second.Close()) })
	b.app = second
	b.waitHeld(paused.Id, 1)
	b.change(http.MethodPost, paused.Id, "/resume", "")
	b.change(http.MethodPost, disabled.Id, "/resume", "")
	rec.wait(t, 2)
	require.Eventually(t, func() bool {
		for _, d := range b.destinations(id) {
			if d.State != posthorn.Delivered {
				return false
			}
		}
		return true
	}, patience, 20*time.Millisecond)
	require.Len(t, rec.all(), 2)
}

func (b *bundle) workflowStatus(workflowID string) enums.WorkflowExecutionStatus {
	b.t.Helper()
	described, err := b.temporal().DescribeWorkflowExecution(b.ctx, workflowID, "")
	require.NoError(b.t, err)
	return described.GetWorkflowExecutionInfo().GetStatus()
}

func (b *bundle) waitCompleted(workflowID string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		return b.workflowStatus(workflowID) == enums.WORKFLOW_EXECUTION_STATUS_COMPLETED
	}, patience, 50*time.Millisecond, "waiting for the end of %s", workflowID)
}
