package main_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/nettest"
)

// TestLogHasNoWordsOfReceivers: what a receiver sends without being asked is nobody's to print.
func TestLogHasNoWordsOfReceivers(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.createApp(t)
	url := nettest.Serve(t, func(conn *net.TCPConn, _ int) {
		nettest.Answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 hunter2\r\n\r\n")(conn, 0)
		_, _ = conn.Read(make([]byte, 1)) // until the other side has seen that
	})
	s.createEndpoint(t, url)
	for range 5 {
		s.waitDelivery(t, s.send(t, `{"number":1}`), "delivered")
	}
	require.Zero(t, s.Stop(t), "%s", s.Stderr)
	require.NotContains(t, s.Stderr.String(), "hunter2")
}
