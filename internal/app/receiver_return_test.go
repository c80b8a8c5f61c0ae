package app_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/nettest"
)

// TestReceiverThatDiesAndReturns: a receiver whose port is closed between two attempts gets the message when it is back.
func TestReceiverThatDiesAndReturns(t *testing.T) {
	t.Parallel()
	b := ownWith(t, t.TempDir(), quiet(), func(c *config.Config) {
		c.RetrySchedule = slices.Repeat(posthorn.Schedule{500 * time.Millisecond}, 50)
	})
	var back atomic.Bool
	answers := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !back.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	r := httptest.NewServer(answers)
	address := r.Listener.Addr().String()
	b.endpoint(svix.EndpointIn{Url: r.URL})
	id := b.send("a", `{}`)
	b.first(id)
	r.CloseClientConnections()
	r.Close()
	classes := func() (all []string) {
		for _, a := range b.attempts(id) {
			all = append(all, a.ErrorClass)
		}
		return all
	}
	require.Eventually(t, func() bool { return slices.Contains(classes(), "refused") }, patience, 20*time.Millisecond)

	back.Store(true)
	again := httptest.NewUnstartedServer(answers)
	require.NoError(t, again.Listener.Close())
	var err error
	again.Listener, err = net.Listen("tcp", address)
	require.NoError(t, err)
	again.Start()
	t.Cleanup(again.Close)
	b.waitState(id, posthorn.Delivered)
	seen := classes()
	require.Equal(t, "http_status", seen[0])
	require.Empty(t, seen[len(seen)-1])
	for i, a := range b.attempts(id) {
		require.Equal(t, i+1, a.AttemptNumber)
		if a.ErrorClass == "refused" {
			require.Equal(t, "connection refused by "+address, a.Message)
		}
	}
}

// TestConnectionThatDiesBetweenAttempts: a kept-alive connection that the receiver has closed meanwhile costs no attempt.
func TestConnectionThatDiesBetweenAttempts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var connections atomic.Int32
	url := nettest.Serve(t, func(conn *net.TCPConn, n int) {
		connections.Store(int32(n))
		from := bufio.NewReader(conn)
		if nettest.ReadRequest(from) != nil {
			return
		}
		if n > 1 {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
		_ = nettest.ReadRequest(from) // the next attempt, which gets no answer here
	})
	b.endpoint(svix.EndpointIn{Url: url})
	id := b.send("a", `{}`)
	b.waitState(id, posthorn.Delivered)
	made := b.attempts(id)
	require.Len(t, made, 2)
	require.Equal(t, 503, made[0].ResponseStatusCode)
	require.Equal(t, 200, made[1].ResponseStatusCode)
	require.EqualValues(t, 2, connections.Load())
}

// TestEmptySchedule: without waits there is one attempt, whatever comes of it.
func TestEmptySchedule(t *testing.T) {
	t.Parallel()
	b := ownWith(t, t.TempDir(), quiet(), func(c *config.Config) { c.RetrySchedule = posthorn.Schedule{} })
	closed := newReceiver(t, nil)
	closed.Close()
	for url, state := range map[string]posthorn.DeliveryState{
		newReceiver(t, always(200)).URL: posthorn.Delivered,
		newReceiver(t, always(403)).URL: posthorn.Failed,
		newReceiver(t, always(500)).URL: posthorn.Failed,
		closed.URL:                      posthorn.Failed,
	} {
		ep := b.endpoint(svix.EndpointIn{Url: url})
		id := b.send("a", `{}`)
		b.waitState(id, state)
		made := b.attempts(id)
		require.Len(t, made, 1)
		require.Nil(t, made[0].NextAttempt)
		require.NoError(t, b.svix.Endpoint.Delete(b.ctx, b.appID, ep.Id))
	}
}

// TestReceiverThatIsGone: 410 takes the endpoint out of service; enabled again, it gets what came meanwhile.
func TestReceiverThatIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	gone := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n == 1 {
			w.WriteHeader(http.StatusGone)
		}
	})
	ep := b.endpoint(svix.EndpointIn{Url: gone.URL})
	first := b.send("a", `{"n":1}`)
	require.Eventually(t, func() bool {
		stored, err := b.svix.Endpoint.Get(b.ctx, b.appID, ep.Id)
		return err == nil && stored.Disabled != nil && *stored.Disabled
	}, patience, 20*time.Millisecond)
	b.waitState(first, posthorn.Held)
	second := b.send("a", `{"n":2}`)
	b.waitState(second, posthorn.Held)
	require.Len(t, gone.all(), 1)

	status, body := b.request(http.MethodPatch, "/endpoint/"+ep.Id, `{"disabled":false}`)
	require.Equal(t, http.StatusOK, status, "%s", body)
	b.waitState(first, posthorn.Delivered)
	b.waitState(second, posthorn.Delivered)
	require.Len(t, gone.all(), 3)
}

// TestDeletedApplication: nothing is accepted for it, and nothing is sent any more.
func TestDeletedApplication(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newReceiver(t, nil)
	b.endpoint(svix.EndpointIn{Url: r.URL})
	require.NoError(t, b.svix.Application.Delete(b.ctx, b.appID))
	status, body := b.request(http.MethodPost, "/msg", `{"eventType":"a","payload":{}}`)
	require.Equal(t, http.StatusNotFound, status, "%s", body)
	require.Empty(t, r.all())
}
