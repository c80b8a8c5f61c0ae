package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/workflows"
)

// What waits for its endpoint before anybody tried to send it costs Temporal nothing: its workflow has ended.
func TestParkedMessages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	rec := newReceiver(t, func(w http.ResponseWriter, r *http.Request, n int) {
		if n == 3 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	ep := b.endpoint(svix.EndpointIn{Url: rec.URL})
	b.change(http.MethodPost, ep.Id, "/pause", "")
	const messages = 7
	var sent []string
	for n := range messages {
		sent = append(sent, b.send("a", fmt.Sprintf(`{"n":%d}`, n)))
	}
	b.waitHeld(ep.Id, messages)
	for _, id := range sent {
		b.waitCompleted(id)
	}
	require.NoError(t, b.svix.Message.ExpungeContent(b.ctx, b.appID, sent[0]))

	b.change(http.MethodPost, ep.Id, "/resume", `{"rate":1000}`)
	retried := 0
	for _, id := range sent[1:] {
		switch d := b.waitState(id, posthorn.Delivered); d.Attempts {
		case 1:
		case 2:
			retried++
			b.waitCompleted(workflows.DeliveryWorkflowID(id, ep.Id))
		default:
			require.Fail(t, "too many attempts", "%+v", d)
		}
	}
	require.Equal(t, 1, retried)
	require.Equal(t, "the payload has expired or was expunged", b.waitState(sent[0], posthorn.Cancelled).Reason)
	require.Len(t, rec.all(), messages)
	found := b.list(b.temporal(), `WorkflowType="DeliverParked" AND PosthornApplication="`+b.appID+`" AND ExecutionStatus="Completed"`, 1)
	require.True(t, strings.HasPrefix(found[0].GetExecution().GetWorkflowId(), workflows.ParkedWorkflowID(ep.Id, "")))
}
