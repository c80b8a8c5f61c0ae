package main_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestScheduledMessagesSurviveCrashes kills the program while messages wait for their time: each is sent then, once, and
// what was cancelled stays so.
func TestScheduledMessagesSurviveCrashes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.createApp(t)
	r := newReceiver(t, nil)
	s.createEndpoint(t, r.URL)
	when := time.Now().Add(15 * time.Second)
	schedule := func() string {
		var made struct{ ID string }
		s.do(t, http.MethodPost, "/app/acme/msg", fmt.Sprintf(
			`{"eventType":"a","payload":{},"deliverAt":%q}`, when.UTC().Format(time.RFC3339Nano)), &made)
		return made.ID
	}
	const messages = 20
	for range messages {
		schedule()
	}
	cancelled := schedule()
	s.do(t, http.MethodPost, "/app/acme/msg/"+cancelled+"/cancel", "", nil)
	s.Kill()
	s.restart()
	s.waitReady()
	for _, got := range r.wait(t, messages) {
		require.False(t, got.at.Before(when))
		require.NotEqual(t, cancelled, got.header.Get("webhook-id"))
	}
	for _, message := range s.messages(t) {
		if message == cancelled {
			s.waitDelivery(t, message, "cancelled")
		} else {
			require.Equal(t, 1, s.waitDelivery(t, message, "delivered").Attempts)
		}
	}
	require.Len(t, r.all(), messages)
}
