package activities_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/internal/store"
)

func (s *faultyStore) AdvanceTask(ctx context.Context, t posthorn.Task, from json.RawMessage) error {
	if s.advances.Add(-1) == 0 || s.unsaved.Add(-1) >= 0 {
		return errors.New("disk I/O error")
	}
	return s.Store.AdvanceTask(ctx, t, from)
}

// unsavedAfter has the n-th AdvanceTask from now on fail.
func (s *faultyStore) unsavedAfter(n int32) { s.advances.Store(n) }

func (s *starter) StartTask(_ context.Context, t posthorn.Task) error {
	return s.Start(context.Background(), posthorn.Message{ID: t.ID})
}

func (s *starter) TaskEnded(_ context.Context, id string) (string, error) { return s.ended[id], nil }

func (b *bundle) task(kind posthorn.TaskKind, input any) posthorn.Task {
	b.t.Helper()
	encoded, err := json.Marshal(input)
	require.NoError(b.t, err)
	t := posthorn.Task{
		ID: posthorn.TaskID.New(), OrgID: posthorn.DefaultOrg, AppID: b.appID, Kind: kind, State: posthorn.TaskRunning,
		Input: encoded, CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}
	require.NoError(b.t, b.store.CreateTask(b.t.Context(), t))
	return t
}

// runTask runs the activity once, as a worker would.
func (b *bundle) runTask(t posthorn.Task) error {
	b.t.Helper()
	suite := testsuite.WorkflowTestSuite{}
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(b.RunTask)
	_, err := env.ExecuteActivity(b.RunTask, activities.RunTaskInput{TaskID: t.ID})
	return err
}

// data is what a task tells once it has ended as it should.
func data[T any](b *bundle, t posthorn.Task, want posthorn.TaskState) T {
	b.t.Helper()
	got, err := b.store.TaskByID(b.t.Context(), t.ID)
	require.NoError(b.t, err)
	require.Equal(b.t, want, got.State, got.Reason)
	require.Nil(b.t, got.Input)
	var told T
	if got.Data != nil {
		require.NoError(b.t, json.Unmarshal(got.Data, &told))
	}
	return told
}

// failedMessage is a message, a while old, that an endpoint did not take.
func (b *bundle) failedMessage(ep posthorn.Endpoint, at time.Time) posthorn.Message {
	b.t.Helper()
	m := posthorn.Message{
		ID: posthorn.MessageID.Derive(at, fmt.Sprint(at.UnixNano())), AppID: b.appID, EventType: "a", Payload: []byte(`{}`),
		CreatedAt: at, ExpiresAt: at.Add(posthorn.DefaultRetention),
	}
	require.NoError(b.t, b.store.CreateMessage(b.t.Context(), m))
	_, err := b.store.Record(b.t.Context(), store.Record{MessageID: m.ID, AppID: b.appID, Dispatched: true, Attempts: []posthorn.Attempt{{
		ID: posthorn.AttemptID.New(), MessageID: m.ID, AppID: b.appID, EndpointID: ep.ID, Trigger: posthorn.Automatic, Status: 500, StartedAt: at,
	}}})
	require.NoError(b.t, err)
	return m
}

func TestRecoverTask(t *testing.T) {
	t.Parallel()
	now := time.Now().Truncate(time.Millisecond)

	t.Run("makes one attempt for each message that failed in the range, and none for others", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		url, count := receiver(t, status(200))
		ep, other := b.endpoint(url), b.endpoint(url)
		for i := range 230 { // more than two steps
			b.failedMessage(ep, now.Add(-time.Hour+time.Duration(i)*time.Second))
		}
		b.failedMessage(ep, now.Add(-time.Hour-time.Millisecond))
		b.failedMessage(ep, now.Add(-time.Minute))
		b.failedMessage(other, now.Add(-30*time.Minute))
		delivered := b.failedMessage(ep, now.Add(-time.Hour+time.Millisecond))
		_, err := b.store.Record(t.Context(), store.Record{MessageID: delivered.ID, AppID: b.appID, Attempts: []posthorn.Attempt{{
			ID: posthorn.AttemptID.New(), MessageID: delivered.ID, AppID: b.appID, EndpointID: ep.ID, Trigger: posthorn.Manual, Success: true,
		}}})
		require.NoError(t, err)
		task := b.task(posthorn.RecoverEndpoint, posthorn.ReplayInput{EndpointID: ep.ID, Since: now.Add(-time.Hour), Until: now.Add(-time.Minute)})
		require.NoError(t, b.runTask(task))
		require.Equal(t, progress(230, 230, 0), data[posthorn.ReplayData](b, task, posthorn.TaskFinished))
		require.EqualValues(t, 230, count.Load())
	})

	t.Run("whose step is lost before it is saved makes no attempt twice, and counts none twice", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		// The first hundred are delivered, and so have not failed any more when the step is repeated.
		url, count := receiver(t, func(n int32) int {
			if n <= 100 {
				return 200
			}
			return 503
		})
		ep := b.endpoint(url)
		m := b.failedMessage(ep, now.Add(-time.Hour))
		for i := range 120 {
			b.failedMessage(ep, now.Add(-time.Hour+time.Duration(i+1)*time.Second))
		}
		task := b.task(posthorn.RecoverEndpoint, posthorn.ReplayInput{EndpointID: ep.ID, Since: now.Add(-2 * time.Hour), Until: now})
		b.store.unsaved.Store(1)
		require.ErrorContains(t, b.runTask(task), "disk I/O error")
		require.Zero(t, count.Load())
		b.store.unsavedAfter(3) // behind counting and noting
		require.ErrorContains(t, b.runTask(task), "disk I/O error")
		require.EqualValues(t, 100, count.Load())
		require.NoError(t, b.runTask(task))
		require.Equal(t, progress(121, 100, 0), data[posthorn.ReplayData](b, task, posthorn.TaskFinished))
		require.EqualValues(t, 121, count.Load())
		attempts, err := b.store.ListAttempts(t.Context(), store.AttemptFilter{MessageID: m.ID}, store.Page{Limit: 10})
		require.NoError(t, err)
		require.Len(t, attempts.Items, 2)
		require.Equal(t, posthorn.Manual, attempts.Items[1].Trigger)
		require.NoError(t, b.runTask(task), "one that has ended does nothing")
		require.EqualValues(t, 121, count.Load())
	})

	t.Run("passes over messages whose payload is gone", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		url, count := receiver(t, status(200))
		ep := b.endpoint(url)
		m := b.failedMessage(ep, now.Add(-time.Hour))
		require.NoError(t, b.store.ExpungePayload(t.Context(), b.appID, m.ID))
		task := b.task(posthorn.RecoverEndpoint, posthorn.ReplayInput{EndpointID: ep.ID, Since: now.Add(-2 * time.Hour), Until: now})
		require.NoError(t, b.runTask(task))
		require.Equal(t, progress(0, 0, 1), data[posthorn.ReplayData](b, task, posthorn.TaskFinished))
		require.Zero(t, count.Load())
	})

	t.Run("fails when its endpoint is gone", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		ep := b.endpoint("http://127.0.0.1:1")
		require.NoError(t, b.store.DeleteEndpoint(t.Context(), b.appID, ep.ID, now))
		task := b.task(posthorn.RecoverEndpoint, posthorn.ReplayInput{EndpointID: ep.ID, Since: now.Add(-2 * time.Hour), Until: now})
		err := b.runTask(task)
		app, ok := errors.AsType[*temporal.ApplicationError](err)
		require.True(t, ok)
		require.Equal(t, activities.ErrorTaskFailed, app.Type())
		require.True(t, app.NonRetryable())
		data[posthorn.ReplayData](b, task, posthorn.TaskFailed)
		got, err := b.store.TaskByID(t.Context(), task.ID)
		require.NoError(t, err)
		require.Equal(t, "the endpoint was deleted", got.Reason)
	})
}

func (b *bundle) applications(n int) []string {
	b.t.Helper()
	var ids []string
	for range n {
		app := posthorn.Application{ID: posthorn.ApplicationID.New(), OrgID: posthorn.DefaultOrg, Name: "n", CreatedAt: time.Now(), UpdatedAt: time.Now()}
		require.NoError(b.t, b.store.CreateApplication(b.t.Context(), app))
		ids = append(ids, app.ID)
	}
	return ids
}

func TestBroadcastTask(t *testing.T) {
	t.Parallel()
	input := posthorn.BroadcastInput{
		EventID: "news", EventType: "terms.changed", Channels: []string{"eu"}, Payload: []byte(`{ "v": 2 }`), Retention: posthorn.MinRetention,
	}

	t.Run("posts one message to every application of the organisation, also when steps are lost", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		apps := append(b.applications(220), b.appID)
		foreign := posthorn.Application{ID: posthorn.ApplicationID.New(), OrgID: "org_other", Name: "n"}
		require.NoError(t, b.store.CreateApplication(t.Context(), foreign))
		had := posthorn.Message{ID: posthorn.MessageID.New(), AppID: apps[7], EventID: "news", EventType: "x", CreatedAt: time.Now()}
		require.NoError(t, b.store.CreateMessage(t.Context(), had))
		task := b.task(posthorn.BroadcastMessage, input)
		for range 2 {
			b.store.unsaved.Store(1)
			require.Error(t, b.runTask(task))
		}
		require.NoError(t, b.runTask(task))
		require.Equal(t, posthorn.BroadcastData{Sent: 220, Skipped: 1}, data[posthorn.BroadcastData](b, task, posthorn.TaskFinished))

		started := map[string]bool{}
		for _, id := range b.starter.started {
			started[id] = true
		}
		for i, app := range apps {
			list, err := b.store.ListMessages(t.Context(), app, store.MessageFilter{WithPayload: true}, store.Page{Limit: 10})
			require.NoError(t, err)
			require.Len(t, list.Items, 1, app)
			m := list.Items[0]
			if i == 7 {
				require.Equal(t, had.ID, m.ID)
				require.False(t, started[m.ID])
				continue
			}
			require.True(t, started[m.ID])
			require.True(t, posthorn.MessageID.Valid(m.ID))
			require.WithinDuration(t, m.CreatedAt, posthorn.MessageID.Time(m.ID), time.Millisecond)
			require.Equal(t, `{ "v": 2 }`, string(m.Payload))
			require.Equal(t, "terms.changed", m.EventType)
			require.Equal(t, []string{"eu"}, m.Channels)
			require.Equal(t, posthorn.MinRetention, m.ExpiresAt.Sub(m.CreatedAt))
		}
		list, err := b.store.ListMessages(t.Context(), foreign.ID, store.MessageFilter{}, store.Page{Limit: 10})
		require.NoError(t, err)
		require.Empty(t, list.Items)
	})
}

func TestATaskThatRunsTwiceAtOnceIsDoneOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	apps := append(b.applications(350), b.appID)
	task := b.task(posthorn.BroadcastMessage, posthorn.BroadcastInput{EventType: "e", Payload: []byte(`{}`), Retention: time.Hour})
	errs := make(chan error, 3)
	for range cap(errs) {
		go func() { errs <- b.runTask(task) }()
	}
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
	require.Equal(t, posthorn.BroadcastData{Sent: 351}, data[posthorn.BroadcastData](b, task, posthorn.TaskFinished))
	for _, app := range apps {
		list, err := b.store.ListMessages(t.Context(), app, store.MessageFilter{}, store.Page{Limit: 10})
		require.NoError(t, err)
		require.Len(t, list.Items, 1)
	}
}

func TestPurgeTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var purged []string
	for range 1100 { // more than two steps
		purged = append(purged, b.message().ID)
	}
	before := time.Now().Add(time.Millisecond)
	later := posthorn.Message{
		ID: posthorn.MessageID.Floor(before.Add(time.Second)), AppID: b.appID, EventType: "a", Payload: []byte(`{}`),
		CreatedAt: before.Add(time.Second), ExpiresAt: before.Add(time.Hour),
	}
	require.NoError(t, b.store.CreateMessage(t.Context(), later))
	task := b.task(posthorn.PurgeContent, posthorn.PurgeInput{Before: before})
	b.store.unsaved.Store(1)
	require.Error(t, b.runTask(task))
	require.NoError(t, b.runTask(task))
	require.Equal(t, 600, data[posthorn.PurgeData](b, task, posthorn.TaskFinished).Expunged, "the lost step's are gone already")
	for _, id := range purged {
		m, err := b.store.MessageByID(t.Context(), id)
		require.NoError(t, err)
		require.Nil(t, m.Payload)
	}
	m, err := b.store.MessageByID(t.Context(), later.ID)
	require.NoError(t, err)
	require.NotNil(t, m.Payload)
}

func TestUsageTasks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	now := time.Now().Truncate(time.Millisecond)
	one, two := b.endpoint("http://127.0.0.1:1"), b.endpoint("http://127.0.0.1:1")
	for _, change := range []struct {
		ep    posthorn.Endpoint
		types []string
	}{{one, []string{"b", "a"}}, {two, []string{"b", "c"}}} {
		_, err := b.store.UpdateEndpoint(t.Context(), b.appID, change.ep.ID, func(e *posthorn.Endpoint) error {
			e.EventTypes, e.Disabled = change.types, true
			return nil
		})
		require.NoError(t, err)
	}
	others := b.applications(150)
	require.NoError(t, b.store.CreateEndpoint(t.Context(), posthorn.Endpoint{ID: posthorn.EndpointID.New(), AppID: others[149], URL: "http://127.0.0.1:1"}))
	for i := range 7 {
		m := b.failedMessage(one, now.Add(time.Duration(i-7)*time.Minute))
		_, err := b.store.Record(t.Context(), store.Record{MessageID: m.ID, AppID: b.appID, Pending: []string{two.ID}})
		require.NoError(t, err)
	}

	t.Run("count each message as often as it has endpoints", func(t *testing.T) {
		b := b.in(t)
		task := b.task(posthorn.ApplicationStats, posthorn.StatsInput{Since: now.Add(-6 * time.Minute), Until: now.Add(-time.Minute)})
		require.NoError(t, b.runTask(task))
		told := data[posthorn.StatsData](b, task, posthorn.TaskFinished)
		require.Len(t, told.AppStats, 151)
		for _, app := range told.AppStats {
			want := 0
			if app.AppID == b.appID {
				want = 10
			}
			require.Equal(t, want, app.MessageDestinations)
		}
	})
	t.Run("count only what they are asked for", func(t *testing.T) {
		b := b.in(t)
		task := b.task(posthorn.ApplicationStats, posthorn.StatsInput{
			Since: now.Add(-time.Hour), Until: now, Apps: []posthorn.AppName{{ID: others[3], UID: "three"}, {ID: b.appID}},
		})
		require.NoError(t, b.runTask(task))
		three := "three"
		require.Equal(t, []posthorn.AppStats{{AppID: others[3], AppUID: &three}, {AppID: b.appID, MessageDestinations: 14}},
			data[posthorn.StatsData](b, task, posthorn.TaskFinished).AppStats)
	})
	t.Run("tell who subscribes to what", func(t *testing.T) {
		b := b.in(t)
		task := b.task(posthorn.AggregateEventTypes, struct{}{})
		b.store.unsaved.Store(1)
		require.Error(t, b.runTask(task))
		require.NoError(t, b.runTask(task))
		told := map[string]posthorn.AppSubscriptions{}
		list := data[posthorn.SubscriptionData](b, task, posthorn.TaskFinished).EventTypes
		for _, app := range list {
			told[app.AppID] = app
		}
		require.Len(t, list, 151)
		require.Len(t, told, 151)
		require.Equal(t, posthorn.AppSubscriptions{AppID: b.appID, Explicitly: []string{"a", "b", "c"}}, told[b.appID])
		require.Equal(t, posthorn.AppSubscriptions{AppID: others[0], Explicitly: []string{}}, told[others[0]])
		require.Equal(t, posthorn.AppSubscriptions{AppID: others[149], Explicitly: []string{}, CatchAll: true}, told[others[149]])
	})
}

// in is the bundle for a subtest.
func (b *bundle) in(t *testing.T) *bundle {
	c := *b
	c.t = t
	return &c
}

func TestTasksEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)

	t.Run("for good when they are ended from outside", func(t *testing.T) {
		b := b.in(t)
		task := b.task(posthorn.PurgeContent, posthorn.PurgeInput{Before: time.Now()})
		require.NoError(t, b.FailTask(t.Context(), activities.FailTaskInput{TaskID: task.ID, Reason: "cancelled"}))
		require.NoError(t, b.FailTask(t.Context(), activities.FailTaskInput{TaskID: task.ID, Reason: "once more"}))
		require.ErrorContains(t, b.runTask(task), "cancelled")
		got, err := b.store.TaskByID(t.Context(), task.ID)
		require.NoError(t, err)
		require.Equal(t, posthorn.TaskFailed, got.State)
		require.Equal(t, "cancelled", got.Reason)
	})
	t.Run("never if this version does not know their kind: another one may", func(t *testing.T) {
		b := b.in(t)
		task := b.task("endpoint.polish", struct{}{})
		app, ok := errors.AsType[*temporal.ApplicationError](b.runTask(task))
		require.True(t, ok)
		require.False(t, app.NonRetryable())
		got, err := b.store.TaskByID(t.Context(), task.ID)
		require.NoError(t, err)
		require.Equal(t, posthorn.TaskRunning, got.State)
	})
	t.Run("at once if the database does not know them", func(t *testing.T) {
		app, ok := errors.AsType[*temporal.ApplicationError](b.in(t).runTask(posthorn.Task{ID: posthorn.TaskID.New()}))
		require.True(t, ok)
		require.Equal(t, activities.ErrorTaskMissing, app.Type())
		require.True(t, app.NonRetryable())
	})
}

func TestSweepStartsTasks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := b.task(posthorn.PurgeContent, struct{}{})
	begun := b.task(posthorn.PurgeContent, struct{}{})
	b.starter.begun[begun.ID] = true
	result, err := b.StartUndispatched(t.Context(), time.Now().Add(time.Second))
	require.NoError(t, err)
	require.Equal(t, activities.SweepResult{Tasks: 1}, result)
	require.Equal(t, []string{old.ID}, b.starter.started)
	result, err = b.StartUndispatched(t.Context(), time.Now().Add(time.Second))
	require.NoError(t, err)
	require.Equal(t, activities.SweepResult{}, result, "neither is started again, even when Temporal has forgotten it")
}

func TestExpirePayloads(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url, count := receiver(t, status(200))
	ep := b.endpoint(url)
	keep, gone := b.message(), b.message()
	for i := range 1200 {
		at := time.Now().Add(-posthorn.DefaultRetention)
		require.NoError(t, b.store.CreateMessage(t.Context(), posthorn.Message{
			ID: posthorn.MessageID.Derive(at, fmt.Sprint(i)), AppID: b.appID, EventType: "a", Payload: []byte(`{}`), CreatedAt: at, ExpiresAt: at.Add(posthorn.DefaultRetention),
		}))
	}
	suite := testsuite.WorkflowTestSuite{}
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(b.ExpirePayloads)
	remove := func() int {
		value, err := env.ExecuteActivity(b.ExpirePayloads)
		require.NoError(t, err)
		var result activities.ExpireResult
		require.NoError(t, value.Get(&result))
		return result.Removed
	}
	require.Equal(t, 1200, remove())
	require.Zero(t, remove())
	for _, m := range []posthorn.Message{keep, gone} {
		found, err := b.store.MessageByID(t.Context(), m.ID)
		require.NoError(t, err)
		require.NotNil(t, found.Payload)
	}
	b.Now = func() time.Time { return gone.ExpiresAt }
	require.GreaterOrEqual(t, remove(), 1)
	result, err := b.Resend(t.Context(), activities.ResendInput{MessageID: gone.ID, AppID: b.appID, EndpointID: ep.ID, AttemptID: posthorn.AttemptID.New()})
	require.NoError(t, err)
	require.True(t, result.Skipped)
	require.Zero(t, count.Load())
}
