package api

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// raw is a connection on which a test says what it likes, at its own speed.
type raw struct {
	net.Conn
	t *testing.T
}

func (b *bundle) dial(t *testing.T) raw {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	return raw{conn, t}
}

// send sends the head of a request, without its body.
func (c raw) send(method, path, token string, headers ...string) {
	c.t.Helper()
	_, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n\r\n", method, basePath+path, token, strings.Join(headers, "\r\n"))
	require.NoError(c.t, err)
}

func (c raw) answer() reply {
	c.t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	require.NoError(c.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(c.t, err)
	return reply{status: response.StatusCode, header: response.Header, body: string(body)}
}

func TestBodiesThatAreTooLong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	ep := b.endpoint(app, `{"url":"https://example.com"}`)
	fill := strings.NewReplacer("{app_id}", app, "{endpoint_id}", ep)

	for _, r := range (&Server{}).routes() {
		if r.method == get || r.method == head || r.method == remove {
			continue
		}
		t.Run(r.method+" "+r.path+" refuses one that says so before it is sent", func(t *testing.T) {
			c := b.dial(t)
			c.send(r.method, somewhere(fill.Replace(r.path), app), b.org, "Content-Length: 1099511627776", "Content-Type: application/json")
			got := c.answer() // although not a byte of the body was sent
			require.Equal(t, http.StatusRequestEntityTooLarge, got.status, got.body)
			require.Equal(t, "payload_too_large", got.field(t, "code"))
			require.Regexp(t, `^The body may have \d+ bytes at most$`, got.field(t, "detail"))
			_, err := c.Read(make([]byte, 1))
			require.ErrorIs(t, err, io.EOF, "the rest of the body is not waited for")
		})
	}
	t.Run("one that says nothing of its length is read up to the limit", func(t *testing.T) {
		for path, limit := range map[string]int{"/app/" + app + "/msg": maxMessageBody, "/app/" + app + "/endpoint": maxBody} {
			c := b.dial(t)
			c.send("POST", path, b.org, "Transfer-Encoding: chunked")
			go func() {
				chunk := fmt.Sprintf("%x\r\n%s\r\n", 1<<16, strings.Repeat(" ", 1<<16))
				for range limit>>16 + 16 {
					if _, err := io.WriteString(c, chunk); err != nil {
						return
					}
				}
			}()
			got := c.answer()
			require.Equal(t, http.StatusRequestEntityTooLarge, got.status, got.body)
			require.Equal(t, "payload_too_large", got.field(t, "code"))
		}
	})
	t.Run("whoever has no token is told that first", func(t *testing.T) {
		c := b.dial(t)
		c.send("POST", "/app", "garbage", "Content-Length: 1099511627776")
		require.Equal(t, http.StatusUnauthorized, c.answer().status)
	})
	t.Run("the longest is accepted", func(t *testing.T) {
		body := `{"eventType":"e","payload":{"a":""}}`
		body = strings.Replace(body, `""`, `"`+strings.Repeat("x", maxMessageBody-len(body))+`"`, 1)
		require.Len(t, body, maxMessageBody)
		b.message(app, body)
		r := b.do("POST", "/app/"+app+"/msg", body+" ")
		r.requireRefused(t, http.StatusRequestEntityTooLarge, "payload_too_large", "The body may have 1048576 bytes at most")
	})
}

func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	const patience = time.Second
	b := setup(t)
	server, err := New(Options{Store: b.store, Dispatcher: b.dispatcher, Tokens: b.tokens, BodyTimeout: patience})
	require.NoError(t, err)
	listener := httptest.NewUnstartedServer(nil)
	listener.Config = HTTPServer(server.Handler(), Connections{HeaderTimeout: patience, IdleTimeout: patience, MaxHeader: 8 << 10}, newLogger(b.log))
	listener.Start()
	t.Cleanup(listener.Close)
	b.url = listener.URL
	closed := func(t *testing.T, c raw) {
		_, err := io.Copy(io.Discard, c)
		require.NoError(t, err, "the server closes the connection, not the deadline of the test")
	}

	t.Run("who doesn't end the headers", func(t *testing.T) {
		t.Parallel()
		c := b.dial(t)
		_, err := io.WriteString(c, "GET /api/v1/app HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		require.NoError(t, err)
		closed(t, c)
	})
	t.Run("who says nothing", func(t *testing.T) {
		t.Parallel()
		closed(t, b.dial(t))
	})
	t.Run("who keeps a connection without using it", func(t *testing.T) {
		t.Parallel()
		c := b.dial(t)
		c.send("GET", "/health/ping", "")
		closed(t, c)
	})
	t.Run("who doesn't end the body", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"/app", "/app/x/msg"} {
			c := b.dial(t)
			c.send("POST", path, b.org, "Content-Length: 100", "Connection: close")
			_, err := io.WriteString(c, `{"name":`)
			require.NoError(t, err)
			got := c.answer()
			require.Equal(t, http.StatusRequestTimeout, got.status, got.body)
			require.Equal(t, "generic_error", got.field(t, "code"))
			closed(t, c)
		}
	})
	t.Run("who drips the body", func(t *testing.T) {
		t.Parallel()
		c := b.dial(t)
		c.send("POST", "/app", b.org, "Content-Length: 1000000", "Connection: close")
		done := make(chan struct{})
		defer close(done)
		go func() {
			drip := time.NewTicker(10 * time.Millisecond)
			defer drip.Stop()
			for {
				select {
				case <-done:
					return
				case <-drip.C:
					_, _ = io.WriteString(c, " ") // fails once the server has closed
				}
			}
		}()
		got := c.answer()
		require.Equal(t, http.StatusRequestTimeout, got.status, got.body)
	})
	t.Run("who sends headers without end", func(t *testing.T) {
		t.Parallel()
		c := b.dial(t)
		_, err := io.WriteString(c, "GET /api/v1/app HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("x", 12<<10))
		require.NoError(t, err)
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, c.answer().status)
	})
}

func TestConnectionsHaveLimitsUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	server := HTTPServer(http.NotFoundHandler(), Connections{}, newLogger(io.Discard))
	require.Positive(t, server.ReadHeaderTimeout)
	require.Positive(t, server.ReadTimeout)
	require.Positive(t, server.WriteTimeout)
	require.Positive(t, server.IdleTimeout)
	require.Positive(t, server.MaxHeaderBytes)
}
