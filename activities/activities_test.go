package activities_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.uber.org/goleak"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/internal/routing"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlite"
	"github.com/posthorn/posthorn/signing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type bundle struct {
	*activities.Activities
	t        *testing.T
	store    *faultyStore
	accepted *activities.Accepted
	starter  *starter
	appID    string
}

// faultyStore is the real store, whose writes can be made to fail.
type faultyStore struct {
	store.Store
	failures atomic.Int32 // how many of the next Records fail
	unsaved  atomic.Int32 // how many of the next AdvanceTasks fail
	advances atomic.Int32 // which of the next AdvanceTasks fails
	records  atomic.Int32 // which of the next Records is the first to fail,
	broken   atomic.Bool  // as all do that follow it
}

func (s *faultyStore) Record(ctx context.Context, r store.Record) ([]posthorn.Attempt, error) {
	if s.records.Add(-1) == 0 {
		s.broken.Store(true)
	}
	if s.failures.Add(-1) >= 0 || s.broken.Load() {
		return nil, errors.New("disk I/O error")
	}
	return s.Store.Record(ctx, r)
}

// starter notes whose workflow is started.
type starter struct {
	mu      sync.Mutex
	started []string
	woken   []string          // messages whose delivery was woken
	tended  []string          // endpoints that are looked after
	begun   map[string]bool   // messages and tasks that have a workflow already
	ended   map[string]string // tasks whose workflow has ended, and how; messages likewise
}

func (s *starter) Start(_ context.Context, m posthorn.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun[m.ID] {
		return posthorn.Errorf(posthorn.Conflict, "begun")
	}
	s.started = append(s.started, m.ID)
	return nil
}

func (s *starter) Running(_ context.Context, messageID string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun[messageID] && s.ended[messageID] == "", nil
}

// Wake, Nudge and Tend note whose turn it is.
func (s *starter) Wake(_ context.Context, ds ...posthorn.Delivery) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range ds {
		s.woken = append(s.woken, d.MessageID)
	}
	return nil
}

func (s *starter) Nudge(ctx context.Context, ds ...posthorn.Delivery) error {
	return s.Wake(ctx, ds...)
}

func (s *starter) CarryOn(ctx context.Context, d posthorn.Delivery) error { return s.Wake(ctx, d) }

func (s *starter) CarriedOn(_ context.Context, messageID, endpointID string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun[messageID+":"+endpointID], nil
}

func (s *starter) Tend(_ context.Context, _, endpointID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tended = append(s.tended, endpointID)
	return nil
}

func (s *starter) tending() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.tended)
}

func setup(t *testing.T, schedule ...time.Duration) *bundle {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "posthorn.db"), Durability: sqlite.Normal})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	sender := egress.New(egress.Options{Timeout: 5 * time.Second, AllowSubnets: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	t.Cleanup(sender.Close)
	b := &bundle{
		t: t, store: &faultyStore{Store: db}, accepted: activities.NewAccepted(),
		starter: &starter{begun: map[string]bool{}}, appID: posthorn.ApplicationID.New(),
	}
	b.Activities = activities.New(activities.Options{
		Store: b.store, Routes: routing.New(db), Egress: sender, Accepted: b.accepted, Starter: b.starter,
		Schedule: schedule, AttemptTimeout: 5 * time.Second,
		FastLaneWait: time.Second, SlowAfter: 900 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	})
	t.Cleanup(func() { b.Close(context.Background()) })
	require.NoError(t, db.CreateApplication(t.Context(), posthorn.Application{
		ID: b.appID, OrgID: posthorn.DefaultOrg, Name: "test", CreatedAt: time.Now(), UpdatedAt: time.Now(),
	}))
	return b
}

func (b *bundle) endpoint(url string) posthorn.Endpoint {
	b.t.Helper()
	ep := posthorn.Endpoint{
		ID: posthorn.EndpointID.New(), AppID: b.appID, URL: url, CreatedAt: time.Now(), UpdatedAt: time.Now(),
		Secrets: []posthorn.Secret{{Key: signing.NewSymmetricKey()}},
	}
	require.NoError(b.t, b.store.CreateEndpoint(b.t.Context(), ep))
	return ep
}

func (b *bundle) message() posthorn.Message {
	b.t.Helper()
	m := posthorn.Message{
		ID: posthorn.MessageID.New(), AppID: b.appID, EventType: "a", Payload: []byte(`{}`),
		CreatedAt: time.Now(), ExpiresAt: time.Now().Add(posthorn.DefaultRetention),
	}
	require.NoError(b.t, b.store.CreateMessage(b.t.Context(), m))
	return m
}

// fastLane runs SendToAll as a worker does that knows nothing of the message yet.
func (b *bundle) fastLane(m posthorn.Message) activities.SendToAllResult {
	b.t.Helper()
	result, err := b.SendToAll(b.t.Context(), activities.SendToAllInput{MessageID: m.ID})
	require.NoError(b.t, err)
	return result
}

// durableLane runs SendToEndpoint once, inside an activity whose earlier runs have reported some attempts.
func (b *bundle) durableLane(m posthorn.Message, ep posthorn.Endpoint, reported int) (activities.SendToEndpointResult, error) {
	b.t.Helper()
	suite := testsuite.WorkflowTestSuite{}
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(b.SendToEndpoint)
	if reported > 0 {
		env.SetHeartbeatDetails(reported)
	}
	value, err := env.ExecuteActivity(b.SendToEndpoint, activities.SendToEndpointInput{MessageID: m.ID, AppID: b.appID, EndpointID: ep.ID})
	var result activities.SendToEndpointResult
	if err == nil {
		require.NoError(b.t, value.Get(&result))
	}
	return result, err
}

func (b *bundle) delivery(m posthorn.Message, ep posthorn.Endpoint) posthorn.Delivery {
	b.t.Helper()
	d, err := b.store.Delivery(b.t.Context(), m.ID, ep.ID)
	require.NoError(b.t, err)
	return d
}

// receiver counts requests and answers with answer's status.
func receiver(t *testing.T, answer func(n int32) int) (url string, count *atomic.Int32) {
	t.Helper()
	count = &atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(answer(count.Add(1)))
	}))
	t.Cleanup(s.Close)
	return s.URL, count
}

func status(code int) func(int32) int { return func(int32) int { return code } }

func appError(t *testing.T, err error) *temporal.ApplicationError {
	t.Helper()
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	require.True(t, ok, "%v", err)
	return app
}

func TestFastLane(t *testing.T) {
	t.Parallel()

	t.Run("posts to every endpoint and records all of it", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Minute)
		url, count := receiver(t, status(200))
		var eps []posthorn.Endpoint
		for range 5 {
			eps = append(eps, b.endpoint(url))
		}
		m := b.message()
		require.Equal(t, activities.SendToAllResult{Endpoints: 5, Delivered: 5}, b.fastLane(m))
		require.EqualValues(t, 5, count.Load())
		for _, ep := range eps {
			require.Equal(t, posthorn.Delivered, b.delivery(m, ep).State)
		}
		undispatched, err := b.store.IsUndispatched(t.Context(), m.ID)
		require.NoError(t, err)
		require.False(t, undispatched)
	})

	t.Run("run again, sends to nobody who has an attempt on record", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Minute)
		good, goods := receiver(t, status(200))
		bad, bads := receiver(t, status(500))
		b.endpoint(good)
		failing := b.endpoint(bad)
		m := b.message()
		first := b.fastLane(m)
		require.Equal(t, first, b.fastLane(m))
		require.Equal(t, []activities.OpenDelivery{{EndpointID: failing.ID, Label: activities.Label(bad)}}, first.Open)
		require.EqualValues(t, 1, goods.Load())
		require.EqualValues(t, 1, bads.Load())
	})

	t.Run("takes a message that was just accepted from memory, once", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		url, count := receiver(t, status(200))
		b.endpoint(url)
		m := b.message()
		require.NoError(t, b.store.ExpungePayload(t.Context(), b.appID, m.ID))
		b.accepted.Put(m)
		require.Equal(t, 1, b.fastLane(m).Delivered, "its payload is not in the database")
		require.EqualValues(t, 1, count.Load())

		removed, err := b.store.RemoveMessages(t.Context(), time.Now().Add(time.Hour), "")
		require.NoError(t, err)
		require.Equal(t, 1, removed.Items)
		_, err = b.SendToAll(t.Context(), activities.SendToAllInput{MessageID: m.ID})
		require.Equal(t, activities.ErrorMissing, appError(t, err).Type())
		require.True(t, appError(t, err).NonRetryable())
	})

	t.Run("hands a slow request on without cutting it off", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Minute)
		release := make(chan struct{})
		slowURL, slows := receiver(t, func(int32) int { <-release; return 200 })
		quickURL, _ := receiver(t, status(200))
		slow, quick := b.endpoint(slowURL), b.endpoint(quickURL)
		m := b.message()
		result := b.fastLane(m)
		require.Equal(t, 1, result.Delivered)
		require.Equal(t, slow.ID, result.Open[0].EndpointID)
		require.Equal(t, posthorn.Delivered, b.delivery(m, quick).State)
		require.Equal(t, posthorn.Pending, b.delivery(m, slow).State)

		adopted := make(chan error, 1)
		go func() {
			sent, err := b.durableLane(m, slow, 0)
			if err == nil && sent.State != posthorn.Delivered {
				err = fmt.Errorf("state is %s", sent.State)
			}
			adopted <- err
		}()
		close(release)
		require.NoError(t, <-adopted)
		require.EqualValues(t, 1, slows.Load())

		t.Run("and skips the fast lane for that endpoint until it is quick again", func(t *testing.T) {
			next := b.message()
			require.Equal(t, slow.ID, b.fastLane(next).Open[0].EndpointID)
			require.EqualValues(t, 1, slows.Load(), "nothing was sent yet")
			_, err := b.durableLane(next, slow, 0)
			require.NoError(t, err)
			require.Empty(t, b.fastLane(b.message()).Open)
		})
	})

	t.Run("tries for a while where the database refuses", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		url, count := receiver(t, status(200))
		b.endpoint(url)
		m := b.message()
		b.store.failures.Store(3)
		require.Equal(t, 1, b.fastLane(m).Delivered)
		require.EqualValues(t, 1, count.Load())
	})

	t.Run("reports a database that goes on refusing, to be run again", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		url, count := receiver(t, status(200))
		b.endpoint(url)
		m := b.message()
		b.store.failures.Store(1000)
		_, err := b.SendToAll(t.Context(), activities.SendToAllInput{MessageID: m.ID})
		require.Equal(t, activities.ErrorStorage, appError(t, err).Type())
		require.False(t, appError(t, err).NonRetryable())
		b.store.failures.Store(0)
		require.Equal(t, 1, b.fastLane(m).Delivered)
		require.EqualValues(t, 2, count.Load(), "at least once: the first request left no record")
	})

	t.Run("without endpoints there is nothing to do", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		m := b.message()
		require.Equal(t, activities.SendToAllResult{}, b.fastLane(m))
	})
}

func TestDurableLane(t *testing.T) {
	t.Parallel()

	t.Run("first reports the failure of the fast lane, then sends when Temporal says so", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Hour, time.Hour)
		url, count := receiver(t, func(n int32) int {
			if n < 3 {
				return 503
			}
			return 200
		})
		ep, m := b.endpoint(url), b.message()
		b.fastLane(m)

		_, err := b.durableLane(m, ep, 0)
		require.Regexp(t, "^503 Service Unavailable after ", appError(t, err).Message())
		require.Equal(t, "http_status", appError(t, err).Type())
		require.InDelta(t, time.Hour, appError(t, err).NextRetryDelay(), float64(15*time.Minute))
		require.EqualValues(t, 1, count.Load())

		_, err = b.durableLane(m, ep, 1)
		require.Error(t, err)
		require.EqualValues(t, 2, count.Load())

		_, err = b.durableLane(m, ep, 1)
		require.Error(t, err)
		require.EqualValues(t, 2, count.Load(), "a run after a crash, before it could tell, only tells")

		sent, err := b.durableLane(m, ep, 2)
		require.NoError(t, err)
		require.Equal(t, activities.SendToEndpointResult{State: posthorn.Delivered, Attempts: 3}, sent)
		sent, err = b.durableLane(m, ep, 2)
		require.NoError(t, err)
		require.Equal(t, posthorn.Delivered, sent.State, "what is delivered is not sent again")
		require.EqualValues(t, 3, count.Load())
	})

	t.Run("ends with the schedule", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Millisecond)
		url, count := receiver(t, status(500))
		ep, m := b.endpoint(url), b.message()
		b.fastLane(m)
		_, err := b.durableLane(m, ep, 1)
		require.True(t, activities.IsExhausted(err))
		require.True(t, appError(t, err).NonRetryable())
		_, err = b.durableLane(m, ep, 1)
		require.True(t, activities.IsExhausted(err))
		require.EqualValues(t, 2, count.Load())
		require.Equal(t, posthorn.Failed, b.delivery(m, ep).State)
	})

	t.Run("holds a delivery while the endpoint is disabled", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Millisecond, time.Millisecond)
		url, count := receiver(t, func(n int32) int { return map[bool]int{true: 500, false: 200}[n == 1] })
		ep, m := b.endpoint(url), b.message()
		b.fastLane(m)
		b.disable(ep, true)
		_, err := b.durableLane(m, ep, 1)
		require.Equal(t, activities.ErrorHeld, appError(t, err).Type())
		require.Equal(t, posthorn.Held, b.delivery(m, ep).State)
		require.Equal(t, "the endpoint is disabled", b.delivery(m, ep).Reason)
		require.EqualValues(t, 1, count.Load())

		b.disable(ep, false)
		sent, err := b.durableLane(m, ep, 1)
		require.NoError(t, err)
		require.Equal(t, posthorn.Delivered, sent.State)
	})

	t.Run("cancels a delivery whose endpoint or payload is gone", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Hour)
		url, _ := receiver(t, status(500))
		kept, gone := b.endpoint(url), b.endpoint(url)
		m := b.message()
		b.fastLane(m)
		require.NoError(t, b.store.DeleteEndpoint(t.Context(), b.appID, gone.ID, time.Now()))
		sent, err := b.durableLane(m, gone, 1)
		require.NoError(t, err)
		require.Equal(t, activities.SendToEndpointResult{State: posthorn.Cancelled, Attempts: 1, Reason: "the endpoint was deleted"}, sent)

		require.NoError(t, b.store.ExpungePayload(t.Context(), b.appID, m.ID))
		sent, err = b.durableLane(m, kept, 1)
		require.NoError(t, err)
		require.Equal(t, posthorn.Cancelled, sent.State)
		require.Equal(t, posthorn.Cancelled, b.delivery(m, kept).State)
	})
}

func (b *bundle) disable(ep posthorn.Endpoint, disabled bool) {
	b.t.Helper()
	_, err := b.store.UpdateEndpoint(b.t.Context(), b.appID, ep.ID, func(ep *posthorn.Endpoint) error {
		ep.SetDisabled(disabled, "")
		return nil
	})
	require.NoError(b.t, err)
}

func TestResend(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url, count := receiver(t, func(n int32) int { return map[bool]int{true: 200, false: 500}[n == 2] })
	ep, m := b.endpoint(url), b.message()
	b.fastLane(m)
	require.Equal(t, posthorn.Failed, b.delivery(m, ep).State)

	in := activities.ResendInput{MessageID: m.ID, AppID: b.appID, EndpointID: ep.ID, AttemptID: posthorn.AttemptID.New()}
	for range 2 {
		result, err := b.Resend(t.Context(), in)
		require.NoError(t, err)
		require.True(t, result.Delivered)
	}
	require.EqualValues(t, 2, count.Load(), "repeated after a crash, it recognises its attempt")
	d := b.delivery(m, ep)
	require.Equal(t, posthorn.Delivered, d.State)
	require.Equal(t, 2, d.Attempts)
	require.Equal(t, 1, d.Scheduled)

	in.AttemptID = posthorn.AttemptID.New()
	result, err := b.Resend(t.Context(), in)
	require.NoError(t, err)
	require.False(t, result.Delivered)
	require.Equal(t, posthorn.Delivered, b.delivery(m, ep).State, "a later failure by hand does not undo it")
}

func TestSweep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	left, running, over, sent := b.message(), b.message(), b.message(), b.message()
	b.starter.begun[running.ID], b.starter.begun[over.ID] = true, true
	b.starter.ended = map[string]string{over.ID: "terminated"}
	b.fastLane(sent)

	result, err := b.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, result.Started, "what was accepted just now is left in peace")
	result, err = b.StartUndispatched(t.Context(), time.Now().Add(time.Second))
	require.NoError(t, err)
	require.Equal(t, 1, result.Started)
	require.Equal(t, []string{left.ID}, b.starter.started)
	remaining, err := b.store.Undispatched(t.Context(), "", time.Now().Add(time.Second), 10)
	require.NoError(t, err)
	require.Len(t, remaining, 2, "a message whose workflow has ended is not looked at again")
	require.Equal(t, []string{left.ID, running.ID}, []string{remaining[0].ID, remaining[1].ID}, "others have to know of one whose first round is not over")
}

func TestCloseWaitsForRequestsInFlight(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Minute)
	release := make(chan struct{})
	url, _ := receiver(t, func(int32) int { <-release; return 200 })
	ep, m := b.endpoint(url), b.message()
	b.fastLane(m)

	closed := make(chan struct{})
	go func() {
		b.Close(context.Background())
		close(closed)
	}()
	select {
	case <-closed:
		require.Fail(t, "it did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	<-closed
	require.Equal(t, posthorn.Delivered, b.delivery(m, ep).State)
}
