package activities_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
)

func TestReceiverThatHasTooMuchToDo(t *testing.T) {
	t.Parallel()
	for code, least := range map[int]time.Duration{
		http.StatusTooManyRequests:    posthorn.MinBusyWait,
		http.StatusBadGateway:         posthorn.MinBusyWait,
		http.StatusGatewayTimeout:     posthorn.MinBusyWait,
		http.StatusServiceUnavailable: 0,
		http.StatusNotFound:           0,
	} {
		t.Run(http.StatusText(code), func(t *testing.T) {
			t.Parallel()
			b := setup(t, time.Second)
			url, _ := receiver(t, status(code))
			ep, m := b.endpoint(url), b.message()
			b.fastLane(m)
			_, err := b.durableLane(m, ep, 0)
			wait := appError(t, err).NextRetryDelay()
			require.InDelta(t, max(time.Second, least), wait, float64(time.Second))
		})
	}

	t.Run("a timeout", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Second)
		release := make(chan struct{})
		url, _ := receiver(t, func(int32) int { <-release; return 200 })
		t.Cleanup(func() { close(release) })
		ep, m := b.endpoint(url), b.message()
		b.fastLane(m)
		_, err := b.durableLane(m, ep, 0)
		require.Equal(t, "timeout", appError(t, err).Type())
		require.InDelta(t, posthorn.MinBusyWait, appError(t, err).NextRetryDelay(), float64(time.Second))
	})

	t.Run("it may ask for more than a minute, and gets it", func(t *testing.T) {
		t.Parallel()
		b := setup(t, time.Second)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7200.5")
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		t.Cleanup(s.Close)
		ep, m := b.endpoint(s.URL), b.message()
		b.fastLane(m)
		_, err := b.durableLane(m, ep, 0)
		require.InDelta(t, 2*time.Hour, appError(t, err).NextRetryDelay(), float64(2*time.Second))
	})
}

func TestReceiverThatIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Millisecond, time.Millisecond)
	url, count := receiver(t, func(n int32) int { return map[bool]int{true: http.StatusGone, false: 200}[n == 1] })
	ep, m := b.endpoint(url), b.message()
	b.fastLane(m)

	stored, err := b.store.Endpoint(t.Context(), b.appID, ep.ID)
	require.NoError(t, err)
	require.True(t, stored.Disabled)
	require.Equal(t, "it answered 410 Gone", stored.DisabledReason)

	_, err = b.durableLane(m, ep, 1)
	require.Equal(t, activities.ErrorHeld, appError(t, err).Type())
	require.Equal(t, posthorn.Held, b.delivery(m, ep).State)
	require.Equal(t, activities.SendToAllResult{Endpoints: 1, Held: 1}, b.fastLane(b.message()), "later messages don't go there")
	require.EqualValues(t, 1, count.Load())

	b.disable(ep, false)
	sent, err := b.durableLane(m, ep, 1)
	require.NoError(t, err)
	require.Equal(t, posthorn.Delivered, sent.State)
	stored, err = b.store.Endpoint(t.Context(), b.appID, ep.ID)
	require.NoError(t, err)
	require.Empty(t, stored.DisabledReason)
}
