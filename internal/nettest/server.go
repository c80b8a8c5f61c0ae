// Package nettest has what tests need of a network that net/http/httptest can't play: receivers that speak as they like
// on a bare connection, certificates with whatever is wrong with them, and a SOCKS proxy.
package nettest

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// Serve hands each connection, with its number counted from 1, to serve, and closes it afterwards. It returns the URL.
func Serve(t testing.TB, serve func(conn *net.TCPConn, number int)) (url string) {
	t.Helper()
	return "http://" + listen(t, serve)
}

// listen is Serve with an address. Connections that are open at the end of the test are closed.
func listen(t testing.TB, serve func(conn *net.TCPConn, number int)) (address string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{open: make(map[net.Conn]bool)}
	s.running.Go(func() {
		for number := 1; ; number++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.running.Go(func() {
				defer func() { _ = conn.Close() }()
				if s.begin(conn) {
					serve(conn.(*net.TCPConn), number)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		s.end()
		s.running.Wait()
	})
	return listener.Addr().String()
}

type server struct {
	running sync.WaitGroup
	mu      sync.Mutex
	ended   bool
	open    map[net.Conn]bool
}

func (s *server) begin(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[conn] = true
	return !s.ended
}

func (s *server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for conn := range s.open {
		_ = conn.Close()
	}
}

// Answer reads a request and answers with the given bytes.
func Answer(text string) func(*net.TCPConn, int) {
	return func(conn *net.TCPConn, _ int) {
		if ReadRequest(bufio.NewReader(conn)) == nil {
			_, _ = io.WriteString(conn, text)
		}
	}
}

// ReadRequest reads a request to its end.
func ReadRequest(from *bufio.Reader) error {
	request, err := http.ReadRequest(from)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, request.Body)
	return err
}
