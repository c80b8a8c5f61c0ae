package workflows_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/internal/routing"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlite"
	"github.com/posthorn/posthorn/signing"
	"github.com/posthorn/posthorn/workflows"
)

// months is everything but Temporal as it is, on a clock that skips what workflows wait for.
type months struct {
	env   *testsuite.TestWorkflowEnvironment
	store store.Store
	appID string
}

func skipping(t *testing.T, server posthorn.Schedule) *months {
	t.Helper()
	suite := testsuite.WorkflowTestSuite{}
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "posthorn.db"), Durability: sqlite.Normal})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	sender := egress.New(egress.Options{Timeout: 5 * time.Second, AllowSubnets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(sender.Close)
	a := activities.New(activities.Options{
		Store: db, Routes: routing.New(db), Egress: sender, Accepted: activities.NewAccepted(), Schedule: server,
		AttemptTimeout: 5 * time.Second, Logger: slog.New(slog.DiscardHandler), Now: env.Now,
	})
	t.Cleanup(func() { a.Close(context.Background()) })
	env.RegisterActivityWithOptions(a.SendToAll, activity.RegisterOptions{Name: "SendToAll"})
	env.RegisterActivityWithOptions(a.SendToEndpoint, activity.RegisterOptions{Name: "SendToEndpoint"})
	env.RegisterActivityWithOptions(a.CloseDelivery, activity.RegisterOptions{Name: "CloseDelivery"})
	m := &months{env: env, store: db, appID: posthorn.ApplicationID.New()}
	require.NoError(t, db.CreateApplication(t.Context(), posthorn.Application{ID: m.appID, OrgID: posthorn.DefaultOrg, Name: "test"}))
	return m
}

// endpoint answers its first requests with 503, and all that follow with 200.
func (m *months) endpoint(t *testing.T, failures int, own *posthorn.Schedule) (id string) {
	t.Helper()
	requests := 0 // one after another
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests++; requests <= failures {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(receiver.Close)
	ep := posthorn.Endpoint{
		ID: posthorn.EndpointID.New(), AppID: m.appID, URL: receiver.URL, Secrets: []posthorn.Secret{{Key: signing.NewSymmetricKey()}}, RetrySchedule: own,
	}
	require.NoError(t, m.store.CreateEndpoint(t.Context(), ep))
	return ep.ID
}

// deliver runs the whole delivery of a message, and returns when the attempts at each endpoint were made.
func (m *months) deliver(t *testing.T, eventType string) map[string][]time.Time {
	t.Helper()
	message := posthorn.Message{
		ID: posthorn.MessageID.New(), AppID: m.appID, EventType: eventType, Payload: []byte(`{}`),
		CreatedAt: time.Now(), ExpiresAt: time.Now().Add(posthorn.DefaultRetention),
	}
	require.NoError(t, m.store.CreateMessage(t.Context(), message))
	m.env.ExecuteWorkflow(workflows.DeliverMessage, workflows.DeliverMessageInput{MessageID: message.ID, AppID: m.appID, EventType: eventType})
	require.True(t, m.env.IsWorkflowCompleted())
	found, err := m.store.ListAttempts(t.Context(), store.AttemptFilter{MessageID: message.ID}, store.Page{Limit: 1000})
	require.NoError(t, err)
	require.False(t, found.More)
	made := map[string][]time.Time{}
	for _, attempt := range found.Items {
		made[attempt.EndpointID] = append(made[attempt.EndpointID], attempt.StartedAt)
	}
	for _, times := range made {
		slices.SortFunc(times, time.Time.Compare)
	}
	return made
}

// requireWaits holds the time between attempts to a schedule.
func requireWaits(t *testing.T, schedule posthorn.Schedule, made []time.Time) {
	t.Helper()
	require.Len(t, made, schedule.Attempts())
	for i, wait := range schedule {
		const attempt = 10 * time.Second // what one may take, on a clock of its own
		require.WithinRange(t, made[i+1], made[i].Add(wait*4/5-time.Millisecond), made[i].Add(wait*6/5+attempt), "wait %d", i+1)
	}
}

func TestLongSchedules(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour

	t.Run("each endpoint is tried by its own schedule, to the last attempt", func(t *testing.T) {
		t.Parallel()
		m := skipping(t, posthorn.DefaultSchedule())
		own := posthorn.Schedule{time.Hour, 7 * day, 30 * day, 30 * day}
		inherits, patient, once := m.endpoint(t, 9, nil), m.endpoint(t, 4, &own), m.endpoint(t, 0, &posthorn.Schedule{})
		made := m.deliver(t, "a")
		require.NoError(t, m.env.GetWorkflowError(), "the last attempt of each is taken")
		requireWaits(t, posthorn.DefaultSchedule(), made[inherits])
		requireWaits(t, own, made[patient])
		requireWaits(t, nil, made[once])
	})

	t.Run("nine of the longest waits, by the event type, end with the tenth attempt", func(t *testing.T) {
		t.Parallel()
		m := skipping(t, posthorn.Schedule{time.Second})
		longest := slices.Repeat(posthorn.Schedule{posthorn.MaxRetryWait}, 9) // the test environment runs an activity ten times at most
		require.NoError(t, m.store.CreateEventType(t.Context(), posthorn.EventType{Name: "patient", OrgID: posthorn.DefaultOrg, RetrySchedule: &longest}))
		never, hasty := m.endpoint(t, 1000, nil), m.endpoint(t, 1000, &posthorn.Schedule{time.Minute, time.Minute})
		made := m.deliver(t, "patient")
		require.ErrorContains(t, m.env.GetWorkflowError(), "2 of 2 endpoints did not take the message")
		requireWaits(t, longest, made[never])
		requireWaits(t, posthorn.Schedule{time.Minute, time.Minute}, made[hasty])
	})
}
