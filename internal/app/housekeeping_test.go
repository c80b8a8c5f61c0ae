package app_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
	"go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlite"
	"github.com/posthorn/posthorn/workflows"
)

// TestHousekeeping begins with a folder that holds messages of a long time ago.
func TestHousekeeping(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ended, open := seedOldMessages(t, dir)
	cfg := testConfig(dir)
	cfg.Retention.Messages = 60 * 24 * time.Hour
	a, err := app.New(cfg, "", quiet())
	require.NoError(t, err)
	require.NoError(t, a.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	b := setupOn(t, a)
	young := b.appID
	r := newReceiver(t, nil)
	b.endpoint(svix.EndpointIn{Url: r.URL})
	fresh := b.send("a", `{"young":1}`)
	b.waitState(fresh, "delivered")
	b.appID = ended[0].AppID
	half := b.poll("/events?limit=100")
	require.Equal(t, ended[99].ID, half.Data[99].ID)

	c := b.temporal()
	handle := c.ScheduleClient().GetHandle(b.ctx, workflows.HousekeepingScheduleID)
	require.NoError(t, handle.Trigger(b.ctx, client.ScheduleTriggerOptions{}))
	found := b.list(c, `WorkflowType="Housekeeping" AND ExecutionStatus="Completed"`, 1)
	var result activities.HousekeepingResult
	require.NoError(t, c.GetWorkflow(b.ctx, found[0].GetExecution().GetWorkflowId(), "").Get(b.ctx, &result))
	require.Equal(t, activities.HousekeepingResult{Messages: len(ended)}, result)

	t.Run("what is gone is not found, and its event id can be used again", func(t *testing.T) {
		b := b.in(t)
		for _, ref := range []string{ended[0].ID, ended[0].EventID} {
			status, body := b.request(http.MethodGet, "/msg/"+ref, "")
			require.Equal(t, http.StatusNotFound, status)
			require.Contains(t, string(body), `"code":"not_found"`)
		}
		status, _ := b.request(http.MethodGet, "/attempt/msg/"+ended[0].ID, "")
		require.Equal(t, http.StatusNotFound, status)
		status, body := b.request(http.MethodPost, "/msg", fmt.Sprintf(`{"eventType":"a","eventId":%q,"payload":{}}`, ended[0].EventID))
		require.Equal(t, http.StatusAccepted, status, "%s", body)
	})
	t.Run("what is being delivered is kept, and lists and iterators go on", func(t *testing.T) {
		b := b.in(t)
		status, body := b.request(http.MethodGet, "/msg/"+open.ID, "")
		require.Equal(t, http.StatusOK, status, "%s", body)
		status, body = b.request(http.MethodGet, "/msg?iterator=-"+ended[1].ID, "")
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, string(body), open.ID)
		next := b.poll("/events?limit=250&iterator=" + half.Iterator)
		require.Equal(t, open.ID, next.Data[0].ID)
		require.Less(t, len(next.Data), 3)
		require.True(t, next.Done)
	})
	t.Run("what is young is as it was", func(t *testing.T) {
		b := b.in(t)
		b.appID = young
		_, body := b.request(http.MethodGet, "/msg/"+fresh, "")
		require.Contains(t, string(body), `"payload":{"young":1}`)
		require.Len(t, b.attempts(fresh), 1)
	})
}

// seedOldMessages makes messages 80 days old: ended ones, and a last one that waits for its endpoint.
func seedOldMessages(t *testing.T, dir string) (ended []posthorn.Message, open posthorn.Message) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "posthorn.db"), Durability: sqlite.Normal})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	begin := time.Now().Add(-80 * 24 * time.Hour)
	owner := posthorn.Application{ID: posthorn.ApplicationID.New(), OrgID: posthorn.DefaultOrg, Name: "old", CreatedAt: begin, UpdatedAt: begin}
	require.NoError(t, db.CreateApplication(t.Context(), owner))
	ep := posthorn.Endpoint{ID: posthorn.EndpointID.New(), AppID: owner.ID, URL: "http://127.0.0.1:1", Disabled: true, CreatedAt: begin, UpdatedAt: begin}
	require.NoError(t, db.CreateEndpoint(t.Context(), ep))
	const messages = 250
	for i := range messages + 1 {
		at := begin.Add(time.Duration(i) * time.Minute)
		m := posthorn.Message{
			ID: posthorn.MessageID.Floor(at), AppID: owner.ID, EventID: fmt.Sprintf("evt-%d", i), EventType: "a", Channels: []string{"eu"},
			Payload: []byte(`{"old":1}`), CreatedAt: at, ExpiresAt: at.Add(posthorn.DefaultRetention),
		}
		require.NoError(t, db.CreateMessage(t.Context(), m))
		r := store.Record{MessageID: m.ID, AppID: owner.ID, Dispatched: true}
		if i == messages {
			r.Closed = []posthorn.Delivery{{MessageID: m.ID, EndpointID: ep.ID, State: posthorn.Held, Reason: "the endpoint is disabled"}}
			open = m
		} else {
			r.Attempts = []posthorn.Attempt{{
				ID: posthorn.AttemptID.Floor(at), MessageID: m.ID, AppID: owner.ID, EndpointID: ep.ID, EventType: "a", Trigger: posthorn.Automatic,
				StartedAt: at, Success: i%2 == 0, Status: 200, Body: []byte("ok"),
			}}
			ended = append(ended, m)
		}
		_, err := db.Record(t.Context(), r)
		require.NoError(t, err)
	}
	return ended, open
}
