package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/disktest"
)

// TestDiskFull fills the disk below the data folder while events are posted and makes room again later: what can't be kept is
// refused with 503 and Retry-After, what was accepted is delivered, and nobody has to restart anything.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	disk := disktest.New(t, 96<<20)
	s := newServer(t, "--data-dir", disk+"/data", "--retry-schedule", "1s,2s,2s,5s,5s,5s,5s,10s,10s,10s", "--breaker-failures", "0")
	s.createApp(t)
	customers := []*customer{newCustomer(t, s, "steady", steady), newCustomer(t, s, "stubborn", stubborn)}
	posters := newPosters(t, s, 4)
	counted := func() (accepted, refused int) {
		posters.mu.Lock()
		defer posters.mu.Unlock()
		return len(posters.accepted), posters.unanswered
	}
	more := func(what string, count func() int) {
		before := count()
		require.Eventually(t, func() bool { return count() > before+20 }, patience, 50*time.Millisecond, "waiting for more %s events", what)
	}
	acceptedMore := func() { more("accepted", func() int { a, _ := counted(); return a }) }
	acceptedMore()

	ballast := filepath.Join(disk, "ballast")
	began := time.Now()
	disktest.Fill(t, ballast)
	more("refused", func() int { _, r := counted(); return r })
	<-time.After(3 * time.Second) // for retries and Temporal's timers to come due
	require.Regexp(t, "^[1-5]$", retryAfter(t, s))
	require.NoError(t, os.Remove(ballast))
	ended := time.Now()

	acceptedMore()
	acceptedMore()
	accepted := posters.stop()
	require.Eventually(t, func() bool {
		return customers[0].missing(accepted)+customers[1].missing(accepted) == 0
	}, recovery, 100*time.Millisecond, "waiting for %d accepted messages: %s", len(accepted), lazily(func() string { return shortfall(customers, accepted) }))
	t.Logf("all that was accepted was delivered %s after there was room again", time.Since(ended).Round(time.Millisecond))
	for message := range accepted {
		require.Eventually(t, func() bool { return delivered(s.deliveries(t, message), len(customers)) }, recovery, 100*time.Millisecond, message)
	}
	status, _, err := s.call(t.Context(), http.MethodGet, "/health", "")
	require.NoError(t, err)
	assert.Equal(t, http.StatusNoContent, status)
	_, refused := counted()
	t.Logf("full for %s; %d accepted, %d refused", ended.Sub(began).Round(time.Millisecond), len(accepted), refused)
	require.Zero(t, s.Stop(t), "%s", s.Stderr)
}

// retryAfter is the header of that name with which an event is refused.
func retryAfter(t *testing.T, s *server) string {
	t.Helper()
	body := strings.NewReader(`{"eventType":"order.created","payload":{}}`)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/app/acme/msg", body)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Content-Type", "application/json")
	answer, err := s.http.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusServiceUnavailable, answer.StatusCode)
	return answer.Header.Get("Retry-After")
}
