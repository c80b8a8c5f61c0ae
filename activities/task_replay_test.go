package activities_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"golang.org/x/sync/errgroup"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/internal/store"
)

// progress is what a task tells whose messages all had their turn.
func progress(attempted, delivered, skipped int) posthorn.ReplayData {
	done := attempted + skipped
	return posthorn.ReplayData{ReplayProgress: &posthorn.ReplayProgress{
		Total: done, Done: done, Attempted: attempted, MessagesSent: attempted, Delivered: delivered, Skipped: skipped,
	}}
}

// missed is a message, a while old, that went to nobody.
func (b *bundle) missed(at time.Time, change func(*posthorn.Message)) posthorn.Message {
	b.t.Helper()
	m := posthorn.Message{
		ID: posthorn.MessageID.Derive(at, fmt.Sprint(at.UnixNano())), AppID: b.appID, EventType: "a", Payload: []byte(`{}`),
		CreatedAt: at, ExpiresAt: at.Add(posthorn.DefaultRetention),
	}
	if change != nil {
		change(&m)
	}
	require.NoError(b.t, b.store.CreateMessage(b.t.Context(), m))
	_, err := b.store.Record(b.t.Context(), store.Record{MessageID: m.ID, AppID: b.appID, Dispatched: true})
	require.NoError(b.t, err)
	return m
}

// since is the input of a task about everything.
func since(ep posthorn.Endpoint) posthorn.ReplayInput {
	return posthorn.ReplayInput{EndpointID: ep.ID, Since: time.Now().Add(-24 * time.Hour), Until: time.Now().Add(time.Minute)}
}

func (b *bundle) attempts(m posthorn.Message) []posthorn.Attempt {
	b.t.Helper()
	list, err := b.store.ListAttempts(b.t.Context(), store.AttemptFilter{MessageID: m.ID}, store.Page{Limit: 10})
	require.NoError(b.t, err)
	return list.Items
}

func TestReplayMissingTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url, count := receiver(t, status(200))
	ep := b.endpoint(url)
	_, err := b.store.UpdateEndpoint(t.Context(), b.appID, ep.ID, func(e *posthorn.Endpoint) error {
		e.EventTypes, e.Channels = []string{"a", "b"}, []string{"eu"}
		return nil
	})
	require.NoError(t, err)
	now := time.Now().Add(-time.Hour)
	eu := func(m *posthorn.Message) { m.Channels = []string{"eu"} }
	var wanted []posthorn.Message
	for i := range 130 { // more than a page
		wanted = append(wanted, b.missed(now.Add(time.Duration(i)*time.Second), eu))
	}
	b.missed(now.Add(-time.Second), nil) // on no channel
	b.missed(now.Add(-2*time.Second), func(m *posthorn.Message) { m.EventType, m.Channels = "c", []string{"eu"} })
	b.missed(now.Add(-3*time.Second), func(m *posthorn.Message) { m.OnlyEndpoint = "ep_other" })
	b.failedMessage(ep, now.Add(-4*time.Second))
	b.missed(now.Add(-48*time.Hour), eu) // before the window
	underWay := posthorn.Message{
		ID: posthorn.MessageID.New(), AppID: b.appID, EventType: "a", Channels: []string{"eu"}, Payload: []byte(`{}`), CreatedAt: time.Now(),
	}
	require.NoError(t, b.store.CreateMessage(t.Context(), underWay))
	gone := b.missed(now.Add(-5*time.Second), eu)
	require.NoError(t, b.store.ExpungePayload(t.Context(), b.appID, gone.ID))

	task := b.task(posthorn.ReplayMissing, since(ep))
	require.NoError(t, b.runTask(task))
	require.Equal(t, progress(130, 130, 1), data[posthorn.ReplayData](b, task, posthorn.TaskFinished))
	require.EqualValues(t, 130, count.Load())
	for _, m := range wanted {
		attempts := b.attempts(m)
		require.Len(t, attempts, 1)
		require.Equal(t, posthorn.Manual, attempts[0].Trigger)
		require.Equal(t, 1, attempts[0].Number)
		require.Zero(t, b.delivery(m, ep).Scheduled)
	}
	again := b.task(posthorn.ReplayMissing, since(ep))
	require.NoError(t, b.runTask(again))
	require.Equal(t, progress(0, 0, 1), data[posthorn.ReplayData](b, again, posthorn.TaskFinished))
}

func TestBulkReplayTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url, count := receiver(t, status(200))
	ep := b.endpoint(url)
	hour := time.Now().Add(-time.Hour)
	message := func(i int, eventType, channel, tag string, code int) posthorn.Message {
		m := b.missed(hour.Add(time.Duration(i)*time.Second), func(m *posthorn.Message) {
			m.EventType, m.Channels, m.Tags = eventType, []string{channel}, []string{tag}
		})
		_, err := b.store.Record(t.Context(), store.Record{MessageID: m.ID, AppID: b.appID, Attempts: []posthorn.Attempt{{
			ID: posthorn.AttemptID.New(), MessageID: m.ID, AppID: b.appID, EndpointID: ep.ID, EventType: eventType,
			Trigger: posthorn.Automatic, Status: code, Success: code == 200, StartedAt: hour,
		}}})
		require.NoError(t, err)
		return m
	}
	message(0, "a", "eu", "x", 200)
	message(1, "a", "us", "x", 500)
	message(2, "b", "eu", "y", 404)
	message(3, "b", "us", "y", 0)
	message(4, "c", "eu", "x", 500)
	five := 500
	none := 0
	failed := []posthorn.DeliveryState{posthorn.Failed}
	for _, c := range []struct {
		name   string
		change func(*posthorn.ReplayInput)
		want   int
	}{
		{"everything", func(*posthorn.ReplayInput) {}, 5},
		{"event types", func(in *posthorn.ReplayInput) { in.EventTypes = []string{"b", "c"} }, 3},
		{"a channel", func(in *posthorn.ReplayInput) { in.Channel = "eu" }, 3},
		{"a tag", func(in *posthorn.ReplayInput) { in.Tag = "y" }, 2},
		{"a channel and a tag", func(in *posthorn.ReplayInput) { in.Channel, in.Tag = "eu", "x" }, 2},
		{"a state", func(in *posthorn.ReplayInput) { in.States = failed }, 4},
		{"a class", func(in *posthorn.ReplayInput) { in.StatusClass = &five }, 2},
		{"no response", func(in *posthorn.ReplayInput) { in.StatusClass = &none }, 1},
		{"a class, a channel and a state", func(in *posthorn.ReplayInput) { in.StatusClass, in.Channel, in.States = &five, "us", failed }, 1},
		{"a window", func(in *posthorn.ReplayInput) { in.Since, in.Until = hour.Add(time.Second), hour.Add(3*time.Second) }, 2},
	} {
		t.Run("counts "+c.name, func(t *testing.T) {
			b := b.in(t)
			in := since(ep)
			c.change(&in)
			in.DryRun = true
			task := b.task(posthorn.BulkReplay, in)
			require.NoError(t, b.runTask(task))
			require.Equal(t, posthorn.ReplayData{Count: &c.want}, data[posthorn.ReplayData](b, task, posthorn.TaskFinished))
			require.Zero(t, count.Load(), "nothing is sent")
		})
	}
	t.Run("sends what the filter lets through", func(t *testing.T) {
		b := b.in(t)
		in := since(ep)
		in.StatusClass, in.States = &five, failed
		task := b.task(posthorn.BulkReplay, in)
		require.NoError(t, b.runTask(task))
		require.Equal(t, progress(2, 2, 0), data[posthorn.ReplayData](b, task, posthorn.TaskFinished))
		require.EqualValues(t, 2, count.Load())
	})
	t.Run("sends at a limited rate, whether the task or the endpoint limits it", func(t *testing.T) {
		b := b.in(t)
		for _, limits := range [][2]int{{10, 0}, {1000, 10}} {
			_, err := b.store.UpdateEndpoint(t.Context(), b.appID, ep.ID, func(e *posthorn.Endpoint) error {
				e.ThrottleRate = limits[1]
				return nil
			})
			require.NoError(t, err)
			in := since(ep)
			in.RateLimit = limits[0]
			task := b.task(posthorn.BulkReplay, in)
			begun := time.Now()
			require.NoError(t, b.runTask(task))
			require.GreaterOrEqual(t, time.Since(begun), 300*time.Millisecond)
			require.Equal(t, progress(5, 5, 0), data[posthorn.ReplayData](b, task, posthorn.TaskFinished))
		}
	})
}

// TestReplayOfManyMessages goes beyond what one list, one page and one step hold.
func TestReplayOfManyMessages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url, count := receiver(t, status(200))
	ep := b.endpoint(url)
	const many = 10_500
	begun := time.Now().Add(-2 * time.Hour)
	var creating errgroup.Group
	creating.SetLimit(200)
	for i := range many {
		creating.Go(func() error { // together, they share commits
			at := begun.Add(time.Duration(i) * 100 * time.Millisecond)
			m := posthorn.Message{
				ID: posthorn.MessageID.Derive(at, fmt.Sprint(i)), AppID: b.appID, EventType: "a", Payload: []byte(`{}`),
				CreatedAt: at, ExpiresAt: at.Add(posthorn.DefaultRetention),
			}
			err := b.store.CreateMessage(t.Context(), m)
			if err == nil {
				_, err = b.store.Store.Record(t.Context(), store.Record{MessageID: m.ID, AppID: b.appID, Dispatched: true})
			}
			return err
		})
	}
	require.NoError(t, creating.Wait())
	task := b.task(posthorn.ReplayMissing, since(ep))
	b.store.unsavedAfter(60)
	require.ErrorContains(t, b.runTask(task), "disk I/O error")
	require.NoError(t, b.runTask(task))
	require.Equal(t, progress(many, many, 0), data[posthorn.ReplayData](b, task, posthorn.TaskFinished))
	require.EqualValues(t, many, count.Load(), "none is sent twice")
}

// TestReplayEndsEarly stops the sending in the middle of a page.
func TestReplayEndsEarly(t *testing.T) {
	t.Parallel()

	t.Run("when it is cancelled, and keeps what it has done", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		ctx, cancel := context.WithCancel(t.Context())
		url, count := receiver(t, func(n int32) int {
			if n == 3 {
				cancel()
			}
			return 200
		})
		ep := b.endpoint(url)
		for i := range 90 {
			b.failedMessage(ep, time.Now().Add(-time.Hour+time.Duration(i)*time.Second))
		}
		in := since(ep)
		in.RateLimit = 50 // the pages are whole nevertheless
		task := b.task(posthorn.RecoverEndpoint, in)
		suite := testsuite.WorkflowTestSuite{}
		env := suite.NewTestActivityEnvironment()
		env.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx})
		env.RegisterActivity(b.RunTask)
		_, err := env.ExecuteActivity(b.RunTask, activities.RunTaskInput{TaskID: task.ID})
		require.ErrorContains(t, err, "canceled")
		sent := int(count.Load())
		require.Less(t, sent, 90)
		got, err := b.store.TaskByID(t.Context(), task.ID)
		require.NoError(t, err)
		require.Equal(t, posthorn.TaskRunning, got.State, "its workflow ends it")
		var told posthorn.ReplayData
		require.NoError(t, json.Unmarshal(got.Data, &told))
		require.Equal(t, &posthorn.ReplayProgress{Total: 90, Done: sent, Attempted: sent, MessagesSent: sent, Delivered: sent}, told.ReplayProgress)

		require.NoError(t, b.runTask(task), "it could go on")
		require.Equal(t, progress(90, 90, 0), data[posthorn.ReplayData](b, task, posthorn.TaskFinished))
		require.EqualValues(t, 90, count.Load())
	})

	t.Run("when attempts can't be recorded: those that were are not made again", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		url, count := receiver(t, status(200))
		ep := b.endpoint(url)
		for i := range 60 {
			b.failedMessage(ep, time.Now().Add(-time.Hour+time.Duration(i)*time.Second))
		}
		task := b.task(posthorn.RecoverEndpoint, since(ep))
		b.store.records.Store(30)
		require.ErrorContains(t, b.runTask(task), "disk I/O error")
		b.store.broken.Store(false)
		require.NoError(t, b.runTask(task))
		require.Equal(t, progress(60, 60, 0), data[posthorn.ReplayData](b, task, posthorn.TaskFinished))
		require.LessOrEqual(t, count.Load(), int32(60+20), "only what was in flight is sent twice")
	})

	t.Run("when the endpoint says that it is gone", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		url, count := receiver(t, status(http.StatusGone))
		ep := b.endpoint(url)
		for i := range 150 {
			b.failedMessage(ep, time.Now().Add(-time.Hour+time.Duration(i)*time.Second))
		}
		task := b.task(posthorn.RecoverEndpoint, since(ep))
		require.Error(t, b.runTask(task))
		told := data[posthorn.ReplayData](b, task, posthorn.TaskFailed)
		require.Equal(t, 100, told.Done)
		require.Equal(t, 150, told.Total)
		require.EqualValues(t, 100, count.Load())
		got, err := b.store.TaskByID(t.Context(), task.ID)
		require.NoError(t, err)
		require.Equal(t, "the endpoint was disabled: it answered 410 Gone", got.Reason)
	})
}

func TestTasksShareTheLaneOfAnEndpoint(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var now, most atomic.Int32
	var once sync.Once
	full := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		if n == 20 {
			once.Do(func() { close(full) })
		}
		<-full
		now.Add(-1)
	}))
	t.Cleanup(s.Close)
	ep := b.endpoint(s.URL)
	for i := range 100 {
		b.failedMessage(ep, time.Now().Add(-time.Hour+time.Duration(i)*time.Second))
	}
	errs := make(chan error, 3)
	for range cap(errs) {
		task := b.task(posthorn.BulkReplay, since(ep))
		go func() { errs <- b.runTask(task) }()
	}
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
	require.EqualValues(t, 20, most.Load())
}

// TestATaskOfAnEarlierVersionGoesOn has a task whose cursor and data were written when messages weren't counted yet.
func TestATaskOfAnEarlierVersionGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url, count := receiver(t, status(200))
	ep := b.endpoint(url)
	done := b.failedMessage(ep, time.Now().Add(-time.Hour))
	noted := b.failedMessage(ep, time.Now().Add(-time.Hour+time.Second))
	b.failedMessage(ep, time.Now().Add(-time.Hour+2*time.Second))
	task := b.task(posthorn.RecoverEndpoint, map[string]any{"EndpointID": ep.ID, "Since": time.Now().Add(-2 * time.Hour), "Until": time.Now()})
	old := task
	old.Cursor = fmt.Appendf(nil, `{"After":%q,"At":%q,"Page":[{"ID":%q,"EventType":"a"}],"More":true}`, noted.ID, time.Now().Format(time.RFC3339), noted.ID)
	old.Data = json.RawMessage(`{"attempted":1,"delivered":0,"skipped":0}`)
	require.NoError(t, b.store.AdvanceTask(t.Context(), old, nil))
	require.NoError(t, b.runTask(task))
	require.EqualValues(t, 2, count.Load())
	require.Len(t, b.attempts(done), 1)
	told := data[posthorn.ReplayData](b, task, posthorn.TaskFinished)
	require.Equal(t, 3, told.Attempted)
	require.Equal(t, 2, told.Delivered)
}

func TestSweepEndsTasksThatLostTheirWorkflow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	terminated := b.task(posthorn.PurgeContent, struct{}{})
	running := b.task(posthorn.PurgeContent, struct{}{})
	fresh := b.task(posthorn.PurgeContent, struct{}{})
	for _, task := range []posthorn.Task{terminated, running, fresh} {
		require.NoError(t, b.store.BeginTask(t.Context(), task.ID))
	}
	b.starter.ended = map[string]string{terminated.ID: "terminated in Temporal", fresh.ID: "terminated in Temporal"}
	later := time.Now().Add(4 * time.Minute)
	fresh.UpdatedAt = later
	require.NoError(t, b.store.AdvanceTask(t.Context(), fresh, nil))
	b.Now = func() time.Time { return later }
	result, err := b.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, result.Ended)
	for task, want := range map[string]posthorn.TaskState{terminated.ID: posthorn.TaskFailed, running.ID: posthorn.TaskRunning, fresh.ID: posthorn.TaskRunning} {
		got, err := b.store.TaskByID(t.Context(), task)
		require.NoError(t, err)
		require.Equal(t, want, got.State)
		if want == posthorn.TaskFailed {
			require.Equal(t, "terminated in Temporal", got.Reason)
		}
	}
	result, err = b.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, result.Ended)
}
