package activities_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
)

// typeSchedule gives the event type of the test's messages a schedule.
func (b *bundle) typeSchedule(schedule *posthorn.Schedule) {
	b.t.Helper()
	set := func(et *posthorn.EventType) error {
		et.RetrySchedule = schedule
		return nil
	}
	_, err := b.store.UpdateEventType(b.t.Context(), posthorn.DefaultOrg, "a", set)
	if posthorn.CodeOf(err) == posthorn.NotFound {
		err = b.store.CreateEventType(b.t.Context(), posthorn.EventType{Name: "a", OrgID: posthorn.DefaultOrg, RetrySchedule: schedule})
	}
	require.NoError(b.t, err)
}

func (b *bundle) endpointSchedule(ep posthorn.Endpoint, schedule *posthorn.Schedule) {
	b.t.Helper()
	_, err := b.store.UpdateEndpoint(b.t.Context(), b.appID, ep.ID, func(e *posthorn.Endpoint) error {
		e.RetrySchedule = schedule
		return nil
	})
	require.NoError(b.t, err)
}

func TestWhoseScheduleItIs(t *testing.T) {
	t.Parallel()
	const server, ofType, ofEndpoint = time.Hour, 2 * time.Hour, 3 * time.Hour
	for name, c := range map[string]struct {
		ofType, ofEndpoint *posthorn.Schedule
		want               time.Duration // 0 for no further attempt
	}{
		"the server's":                            {nil, nil, server},
		"the event type's before the server's":    {&posthorn.Schedule{ofType}, nil, ofType},
		"the endpoint's before the event type's":  {&posthorn.Schedule{ofType}, &posthorn.Schedule{ofEndpoint}, ofEndpoint},
		"the endpoint's before the server's":      {nil, &posthorn.Schedule{ofEndpoint}, ofEndpoint},
		"an event type's that is empty":           {&posthorn.Schedule{}, nil, 0},
		"an endpoint's that is empty":             {&posthorn.Schedule{ofType}, &posthorn.Schedule{}, 0},
		"an endpoint's where the type's is empty": {&posthorn.Schedule{}, &posthorn.Schedule{ofEndpoint}, ofEndpoint},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, server)
			url, _ := receiver(t, status(500))
			ep := b.endpoint(url)
			b.typeSchedule(c.ofType)
			b.endpointSchedule(ep, c.ofEndpoint)
			m := b.message()
			result := b.fastLane(m)
			require.Len(t, result.Open, 1)
			d := b.delivery(m, ep)
			_, err := b.durableLane(m, ep, 0)
			if c.want == 0 {
				require.Equal(t, posthorn.Failed, d.State)
				require.Equal(t, activities.ErrorExhausted, appError(t, err).Type())
				return
			}
			require.Equal(t, posthorn.Retrying, d.State)
			require.InDelta(t, c.want, time.Until(d.NextAt), 0.21*float64(c.want))
			require.InDelta(t, c.want, appError(t, err).NextRetryDelay(), 0.21*float64(c.want))
			require.InDelta(t, activities.Patience(&m), result.Window, float64(time.Millisecond), "the payload is not there for longer")
		})
	}
}

func TestWindowOfTheLongestSchedule(t *testing.T) {
	t.Parallel()
	const month = 30 * 24 * time.Hour
	long := posthorn.Schedule{month, month, month, month}
	b := setup(t, time.Minute)
	good, _ := receiver(t, status(200))
	bad, _ := receiver(t, status(500))
	delivered, patient, plain := b.endpoint(good), b.endpoint(bad), b.endpoint(bad)
	b.endpointSchedule(delivered, &posthorn.Schedule{month, month, month, month, month})
	b.endpointSchedule(patient, &long)
	m := b.message()
	require.Equal(t, long.Window(b.AttemptTimeout), b.fastLane(m).Window, "of those that are open")
	b.endpointSchedule(patient, nil)
	b.typeSchedule(&long)
	require.Equal(t, long.Window(b.AttemptTimeout), b.fastLane(b.message()).Window, "by the event type, too")
	b.endpointSchedule(patient, &posthorn.Schedule{})
	b.endpointSchedule(plain, &posthorn.Schedule{time.Minute})
	m = b.message()
	require.InDelta(t, activities.Patience(&m), b.fastLane(m).Window, float64(time.Millisecond), "but not less than the payload is there")
}

func TestScheduleThatIsChanged(t *testing.T) {
	t.Parallel()

	t.Run("to a shorter one, ends a delivery that has used it up", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Nanosecond, time.Nanosecond, time.Nanosecond)
		url, count := receiver(t, status(500))
		ep, m := b.endpoint(url), b.message()
		b.fastLane(m)
		_, err := b.durableLane(m, ep, 1)
		require.Equal(t, "http_status", appError(t, err).Type())
		b.endpointSchedule(ep, &posthorn.Schedule{time.Nanosecond})
		for run := range 2 { // the second as after a crash before the first could tell
			_, err := b.durableLane(m, ep, 2)
			require.Equal(t, activities.ErrorExhausted, appError(t, err).Type(), "run %d", run)
			require.True(t, appError(t, err).NonRetryable())
			d := b.delivery(m, ep)
			require.Equal(t, posthorn.Failed, d.State)
			require.Equal(t, "the retry schedule was shortened: no attempt is left", d.Reason)
			require.Equal(t, 2, d.Attempts)
		}
		require.EqualValues(t, 2, count.Load())
	})

	t.Run("of the event type, holds for the next attempt", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Nanosecond)
		url, _ := receiver(t, status(500))
		ep, m := b.endpoint(url), b.message()
		b.fastLane(m)
		b.typeSchedule(&posthorn.Schedule{time.Nanosecond, 5 * time.Hour})
		_, err := b.durableLane(m, ep, 1)
		require.InDelta(t, 5*time.Hour, appError(t, err).NextRetryDelay(), float64(62*time.Minute))
	})

	t.Run("is noticed by the next message, and unset again", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Hour)
		url, _ := receiver(t, status(500))
		ep := b.endpoint(url)
		for _, c := range []struct {
			schedule *posthorn.Schedule
			want     posthorn.DeliveryState
		}{{nil, posthorn.Retrying}, {&posthorn.Schedule{}, posthorn.Failed}, {nil, posthorn.Retrying}} {
			b.typeSchedule(c.schedule)
			m := b.message()
			b.fastLane(m)
			require.Equal(t, c.want, b.delivery(m, ep).State)
		}
	})
}

// What the receiver asks for holds whatever the schedule is.
func TestRetryAfterWithAScheduleOfItsOwn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url, _ := receiver(t, status(http.StatusTooManyRequests))
	ep := b.endpoint(url)
	b.endpointSchedule(ep, &posthorn.Schedule{time.Millisecond})
	m := b.message()
	b.fastLane(m)
	_, err := b.durableLane(m, ep, 0)
	require.InDelta(t, posthorn.MinBusyWait, appError(t, err).NextRetryDelay(), float64(10*time.Second))
}
