package activities_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/internal/store"
)

// tend looks after an endpoint until there is nothing left to do.
func (b *bundle) tend(ep posthorn.Endpoint) {
	b.t.Helper()
	for range 100 {
		suite := testsuite.WorkflowTestSuite{}
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(b.Tend)
		value, err := env.ExecuteActivity(b.Tend, activities.TendInput{AppID: b.appID, EndpointID: ep.ID})
		require.NoError(b.t, err)
		var result activities.TendResult
		require.NoError(b.t, value.Get(&result))
		if result.Done {
			return
		}
	}
	b.t.Fatal("it never comes to an end")
}

func (s *starter) takeWoken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	woken := s.woken
	s.woken = nil
	return woken
}

func TestChangeOfScheduleForWhatWaits(t *testing.T) {
	t.Parallel()

	t.Run("of an endpoint", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Hour, time.Hour)
		url, count := receiver(t, status(500))
		ep, other := b.endpoint(url), b.endpoint(url)
		m := b.message()
		b.fastLane(m)
		elsewhere := b.delivery(m, other)

		b.endpointSchedule(ep, &posthorn.Schedule{10 * time.Hour})
		b.tend(ep)
		require.InDelta(t, 10*time.Hour, time.Until(b.delivery(m, ep).NextAt), float64(125*time.Minute))
		require.Equal(t, []string{m.ID}, b.starter.takeWoken())
		_, err := b.durableLane(m, ep, 0)
		require.InDelta(t, 10*time.Hour, appError(t, err).NextRetryDelay(), float64(125*time.Minute), "Temporal hears of it when it is woken")

		b.endpointSchedule(ep, &posthorn.Schedule{10 * time.Hour, time.Minute})
		b.tend(ep)
		require.Empty(t, b.starter.takeWoken(), "the wait that it is in is the same")

		b.endpointSchedule(ep, &posthorn.Schedule{time.Nanosecond})
		b.tend(ep)
		require.False(t, b.delivery(m, ep).NextAt.After(time.Now()))
		require.Equal(t, []string{m.ID}, b.starter.takeWoken())

		b.endpointSchedule(ep, &posthorn.Schedule{})
		b.tend(ep)
		d := b.delivery(m, ep)
		require.Equal(t, posthorn.Failed, d.State)
		require.Equal(t, "the retry schedule was shortened: no attempt is left", d.Reason)
		require.Equal(t, []string{m.ID}, b.starter.takeWoken(), "its activity hears that it has ended")
		_, err = b.durableLane(m, ep, 1)
		require.Equal(t, activities.ErrorExhausted, appError(t, err).Type())
		require.Equal(t, elsewhere, b.delivery(m, other))
		require.EqualValues(t, 2, count.Load())
	})

	t.Run("of an event type, where the endpoint has none of its own", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Hour)
		url, _ := receiver(t, status(500))
		inherits, own := b.endpoint(url), b.endpoint(url)
		b.endpointSchedule(own, &posthorn.Schedule{2 * time.Hour})
		m := b.message()
		b.fastLane(m)
		before := b.delivery(m, own)
		b.typeSchedule(&posthorn.Schedule{10 * time.Hour})
		b.tend(inherits)
		b.tend(own)
		require.InDelta(t, 10*time.Hour, time.Until(b.delivery(m, inherits).NextAt), float64(125*time.Minute))
		require.Equal(t, before, b.delivery(m, own))
	})

	t.Run("does not undercut what the receiver asked for", func(t *testing.T) {
		t.Parallel()
		b := setup(t, 20*time.Hour)
		for name, c := range map[string]struct {
			status int
			header string
			least  time.Duration
		}{
			"seconds":                              {http.StatusServiceUnavailable, "7200", 2 * time.Hour},
			"a date":                               {http.StatusServiceUnavailable, time.Now().Add(3 * time.Hour).UTC().Format(http.TimeFormat), 3 * time.Hour},
			"a minute after having too much to do": {http.StatusTooManyRequests, "", time.Minute},
		} {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if c.header != "" {
					w.Header().Set("Retry-After", c.header)
				}
				w.WriteHeader(c.status)
			}))
			t.Cleanup(s.Close)
			ep := b.endpoint(s.URL)
			m := b.message()
			b.fastLane(m)
			b.endpointSchedule(ep, &posthorn.Schedule{time.Second})
			b.tend(ep)
			require.InDelta(t, c.least, time.Until(b.delivery(m, ep).NextAt), float64(20*time.Second), name)
			require.NoError(t, b.store.DeleteEndpoint(t.Context(), b.appID, ep.ID, time.Now()))
		}
	})

	t.Run("goes through all that wait, page by page, and leaves alone what waits for something else", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Hour)
		url, _ := receiver(t, status(500))
		ep := b.endpoint(url)
		const n = 250
		var all []posthorn.Message
		for range n {
			m := b.message()
			all = append(all, m)
			_, err := b.store.Record(t.Context(), store.Record{MessageID: m.ID, AppID: b.appID, Dispatched: true, Attempts: []posthorn.Attempt{{
				ID: posthorn.AttemptID.New(), MessageID: m.ID, AppID: b.appID, EndpointID: ep.ID, EventType: m.EventType, Trigger: posthorn.Automatic,
				StartedAt: time.Now(), Status: 500, ErrorClass: "http_status", NextAt: time.Now().Add(time.Hour),
			}}})
			require.NoError(t, err)
		}
		throttled := posthorn.Delivery{MessageID: all[7].ID, AppID: b.appID, EndpointID: ep.ID, Waits: posthorn.WaitThrottle, NextAt: time.Now().Add(time.Minute)}
		_, err := b.store.Record(t.Context(), store.Record{MessageID: all[7].ID, AppID: b.appID, Waiting: []posthorn.Delivery{throttled}})
		require.NoError(t, err)
		b.endpointSchedule(ep, &posthorn.Schedule{10 * time.Hour})
		b.tend(ep)
		require.Len(t, b.starter.takeWoken(), n-1)
		for i, m := range all {
			require.Equal(t, i != 7, time.Until(b.delivery(m, ep).NextAt) > 7*time.Hour)
		}
		_, err = b.store.AttentionFor(t.Context(), ep.ID)
		require.Equal(t, posthorn.NotFound, posthorn.CodeOf(err))
	})
}
