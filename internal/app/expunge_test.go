package app_test

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
	"go.temporal.io/sdk/client"
	_ "modernc.org/sqlite"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/workflows"
)

// database opens the database beside the process that uses it.
func database(t *testing.T, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "posthorn.db")+"?_pragma=busy_timeout(10000)")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func TestExpunge(t *testing.T) {
	t.Parallel()
	const gone = `"payload":{"expired":true}`

	t.Run("of a message removes its payload, ends what is pending, and refuses to send it again", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		bad := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Retry-After", "10")
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		ep := b.endpoint(svix.EndpointIn{Url: bad.URL})
		id := b.send("a", `{"secret":"p4yl0ad"}`)
		b.waitState(id, "retrying")
		require.NoError(t, b.svix.Message.ExpungeContent(b.ctx, b.appID, id))
		require.NoError(t, b.svix.Message.ExpungeContent(b.ctx, b.appID, id), "repeating it is no error")
		for _, path := range []string{"/msg/" + id, "/msg", "/endpoint/" + ep.Id + "/msg"} {
			status, body := b.request("GET", path, "")
			require.Equal(t, http.StatusOK, status)
			require.Contains(t, string(body), gone)
			require.NotContains(t, string(body), "p4yl0ad")
		}
		d := b.waitState(id, "cancelled")
		require.Equal(t, "the payload has expired or was expunged", d.Reason)
		require.Len(t, bad.all(), 1)
		status, body := b.request("POST", "/msg/"+id+"/endpoint/"+ep.Id+"/resend", "")
		require.Equal(t, http.StatusBadRequest, status)
		require.Contains(t, string(body), `"code":"missing_payload"`)
	})

	t.Run("of an attempt removes what came back, and what was sent", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("X-Trace", "tr4ce")
			_, _ = w.Write([]byte("b0dy"))
		})
		ep := b.endpoint(svix.EndpointIn{Url: r.URL})
		status, body := b.request("PUT", "/endpoint/"+ep.Id+"/headers", `{"headers":{"X-Tenant":"acme","X-Api-Key":"s3cret"}}`)
		require.Equal(t, http.StatusNoContent, status, "%s", body)
		id := b.send("a", `{}`)
		b.waitState(id, "delivered")
		attempt := b.attempts(id)[0]
		headers := "/msg/" + id + "/attempt/" + attempt.ID + "/headers"

		status, body = b.request("GET", headers, "")
		require.Equal(t, http.StatusOK, status)
		got := r.all()[0]
		for _, want := range []string{
			`"X-Tenant":"acme"`, `"sensitive":["X-Api-Key"]`, `["X-Trace","tr4ce"]`,
			`"webhook-id":"` + id + `"`, `"webhook-timestamp":"` + got.header.Get("webhook-timestamp") + `"`,
			`"webhook-signature":"` + got.header.Get("webhook-signature") + `"`, `"User-Agent":"` + got.header.Get("User-Agent") + `"`,
			`"Content-Type":"application/json"`,
		} {
			require.Contains(t, string(body), want)
		}
		require.NotContains(t, string(body), "s3cret")

		require.NoError(t, b.svix.MessageAttempt.ExpungeContent(b.ctx, b.appID, id, attempt.ID))
		for range 2 {
			attempt = b.attempts(id)[0]
			require.Equal(t, "EXPUNGED", attempt.Response)
			require.Empty(t, attempt.ResponseHeaders)
			require.Equal(t, 200, attempt.ResponseStatusCode)
			status, body = b.request("GET", headers, "")
			require.Equal(t, http.StatusOK, status)
			require.JSONEq(t, `{"sentHeaders":{},"sensitive":[]}`, string(body))
			require.NoError(t, b.svix.MessageAttempt.ExpungeContent(b.ctx, b.appID, id, attempt.ID))
		}
	})

	t.Run("of everything leaves other applications alone", func(t *testing.T) {
		t.Parallel()
		b, other := setup(t), setup(t)
		kept := other.send("a", `{"kept":1}`)
		var ids []string
		for range 5 {
			ids = append(ids, b.send("a", `{"secret":"p4yl0ad"}`))
		}
		status, body := b.request("POST", "/msg/expunge-all-contents", "")
		require.Equal(t, http.StatusAccepted, status, "%s", body)
		require.JSONEq(t, `{"expunged":5}`, b.ended(b.began(body), posthorn.TaskFinished))
		for _, id := range ids {
			_, body := b.request("GET", "/msg/"+id, "")
			require.Contains(t, string(body), gone)
		}
		_, body = other.request("GET", "/msg/"+kept, "")
		require.Contains(t, string(body), `"payload":{"kept":1}`)
	})
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	b, dir := own(t)
	r := newReceiver(t, nil)
	ep := b.endpoint(svix.EndpointIn{Url: r.URL})
	old, young := b.send("a", `{"secret":"p4yl0ad"}`), b.send("a", `{"young":1}`)
	r.wait(t, 2)

	// What 90 days would do.
	db := database(t, dir)
	over := time.Now().Add(-time.Second).UnixMicro()
	for _, change := range []string{
		"UPDATE message_payload SET expires_at = ? WHERE message_seq = (SELECT seq FROM message WHERE id = ?)",
		"UPDATE message SET expires_at = ? WHERE id = ?",
	} {
		_, err := db.ExecContext(b.ctx, change, over, old)
		require.NoError(t, err)
	}
	payloads := func() (n int) {
		require.NoError(t, db.QueryRowContext(b.ctx, "SELECT count(*) FROM message_payload").Scan(&n))
		return n
	}

	t.Run("hides a payload at once", func(t *testing.T) {
		b := b.in(t)
		require.Equal(t, 2, payloads())
		_, body := b.request("GET", "/msg/"+old, "")
		require.Contains(t, string(body), `"payload":{"expired":true}`)
		_, body = b.request("GET", "/msg/"+young, "")
		require.Contains(t, string(body), `"payload":{"young":1}`)
		status, body := b.request("POST", "/msg/"+old+"/endpoint/"+ep.Id+"/resend", "")
		require.Equal(t, http.StatusBadRequest, status)
		require.Contains(t, string(body), `"code":"missing_payload"`)
	})
	t.Run("removes it when the schedule comes round", func(t *testing.T) {
		b := b.in(t)
		c := b.temporal()
		handle := c.ScheduleClient().GetHandle(b.ctx, workflows.ExpireScheduleID)
		require.NoError(t, handle.Trigger(b.ctx, client.ScheduleTriggerOptions{}))
		require.Eventually(t, func() bool { return payloads() == 1 }, patience, 20*time.Millisecond)
		found := b.list(c, `WorkflowType="ExpirePayloads" AND ExecutionStatus="Completed"`, 1)
		var result activities.ExpireResult
		require.NoError(t, c.GetWorkflow(b.ctx, found[0].GetExecution().GetWorkflowId(), "").Get(b.ctx, &result))
		require.Equal(t, activities.ExpireResult{Removed: 1}, result)
		_, body := b.request("GET", "/msg/"+young, "")
		require.Contains(t, string(body), `"payload":{"young":1}`)
	})
}
