package egress

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/nettest"
)

// received returns a server that passes on the heads of the requests it gets, exactly as they were sent.
func received(t *testing.T) (url string, heads <-chan string) {
	t.Helper()
	sent := make(chan string, 1)
	url = nettest.Serve(t, func(conn *net.TCPConn, _ int) {
		var head strings.Builder
		if err := nettest.ReadRequest(bufio.NewReader(io.TeeReader(conn, &head))); err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
		sent <- head.String()
	})
	return url, sent
}

func TestPostSends(t *testing.T) {
	t.Parallel()

	t.Run("method, path, query, body and default headers", func(t *testing.T) {
		t.Parallel()
		url, heads := received(t)
		c := newClient(t, Options{UserAgent: "Posthorn/1.2.3"})
		result := c.Post(t.Context(), Request{URL: url + "/a/b?c=d#e", Body: []byte("hello")})
		require.True(t, result.Success(), result.Message)
		head := <-heads
		require.True(t, strings.HasPrefix(head, "POST /a/b?c=d HTTP/1.1\r\nHost: "+strings.TrimPrefix(url, "http://")+"\r\n"), head)
		require.True(t, strings.HasSuffix(head, "\r\n\r\nhello"), head)
		require.Contains(t, head, "\r\nUser-Agent: Posthorn/1.2.3\r\n")
		require.Contains(t, head, "\r\nAccept: */*\r\n")
		require.Contains(t, head, "\r\nContent-Length: 5\r\n")
		for _, absent := range []string{"Accept-Encoding", "Idempotency-Key", "Authorization", "Cookie"} {
			require.NotContains(t, head, absent)
		}
	})

	t.Run("the caller's headers, spelled as given and in place of its own", func(t *testing.T) {
		t.Parallel()
		url, heads := received(t)
		given := http.Header{
			"x-lower": {"1"}, "X-UPPER": {"2", "3"}, "webhook-id": {"msg_1"},
			"user-agent": {"mine"}, "accept": {"text/plain"}, "idempotency-key": {"k"},
		}
		before := given.Clone()
		result := newClient(t, Options{}).Post(t.Context(), Request{URL: url, Header: given})
		require.True(t, result.Success(), result.Message)
		require.Equal(t, before, given)
		head := <-heads
		for _, line := range []string{
			"x-lower: 1", "X-UPPER: 2", "X-UPPER: 3", "webhook-id: msg_1", "User-Agent: mine", "accept: text/plain", "idempotency-key: k",
		} {
			require.Contains(t, head, "\r\n"+line+"\r\n")
		}
		for _, absent := range []string{"Posthorn", "Go-http-client", "*/*"} {
			require.NotContains(t, head, absent)
		}
	})

	t.Run("none of the headers that govern the connection", func(t *testing.T) {
		t.Parallel()
		url, heads := received(t)
		result := newClient(t, Options{}).Post(t.Context(), Request{URL: url, Body: []byte("hello"), Header: http.Header{
			"host": {"evil"}, "Host": {"evil"}, "content-length": {"666"}, "transfer-encoding": {"evil"}, "connection": {"evil"},
			"te": {"evil"}, "Upgrade": {"evil"}, "expect": {"evil"}, "trailer": {"evil"},
		}})
		require.True(t, result.Success(), result.Message)
		head := <-heads
		require.NotContains(t, head, "evil")
		require.NotContains(t, head, "666")
		require.Equal(t, 1, strings.Count(strings.ToLower(head), "content-length"))
	})

	t.Run("user name and password of the URL as basic authentication", func(t *testing.T) {
		t.Parallel()
		url, heads := received(t)
		url = strings.Replace(url, "http://", "http://user:pass%21@", 1)
		result := post(t, newClient(t, Options{}), url)
		require.True(t, result.Success(), result.Message)
		head := <-heads
		require.Contains(t, head, "\r\nAuthorization: Basic dXNlcjpwYXNzIQ==\r\n")
		require.NotContains(t, head, "user:")
	})

	t.Run("an explicit authorization rather than that of the URL", func(t *testing.T) {
		t.Parallel()
		url, heads := received(t)
		url = strings.Replace(url, "http://", "http://user:pass@", 1)
		result := newClient(t, Options{}).Post(t.Context(), Request{URL: url, Header: http.Header{"authorization": {"Bearer x"}}})
		require.True(t, result.Success(), result.Message)
		head := <-heads
		require.Contains(t, head, "\r\nauthorization: Bearer x\r\n")
		require.NotContains(t, head, "Basic")
	})

	t.Run("nothing if a header is not valid, and does not repeat its value", func(t *testing.T) {
		t.Parallel()
		result := newClient(t, Options{}).Post(t.Context(), Request{
			URL: "http://127.0.0.1:1", Header: http.Header{"X-Key": {"hunter2\r\nHost: evil"}},
		})
		require.Equal(t, Other, result.Class)
		require.Equal(t, `not sent: invalid header field value for "X-Key"`, result.Message)
	})
}

func TestPostReportsStatus(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status  int
		class   ErrorClass
		message string
	}{
		{200, None, "200 OK after "},
		{202, None, "202 Accepted after "},
		{204, None, "204 No Content after "},
		{299, None, "299 after "},
		{304, Redirect, "304 Not Modified after "},
		{400, HTTPStatus, "400 Bad Request after "},
		{403, HTTPStatus, "403 Forbidden after "},
		{410, HTTPStatus, "410 Gone after "},
		{429, HTTPStatus, "429 Too Many Requests after "},
		{500, HTTPStatus, "500 Internal Server Error after "},
		{503, HTTPStatus, "503 Service Unavailable after "},
		{599, HTTPStatus, "599 after "},
	} {
		t.Run(fmt.Sprint(tc.status), func(t *testing.T) {
			t.Parallel()
			server := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Answer", "yes")
				w.Header().Set("Retry-After", "1.5")
				w.WriteHeader(tc.status)
			})
			before := time.Now()
			result := post(t, newClient(t, Options{}), server.URL)
			require.Equal(t, tc.status, result.Status)
			require.Equal(t, tc.class, result.Class)
			require.Equal(t, tc.class == None, result.Success())
			require.True(t, strings.HasPrefix(result.Message, tc.message), result.Message)
			require.Equal(t, "yes", result.Header.Get("X-Answer"))
			require.Equal(t, server.Listener.Addr().String(), result.RemoteAddr)
			require.WithinRange(t, result.StartedAt, before, time.Now())
			require.Positive(t, result.Timings.Connect)
			require.Positive(t, result.Timings.FirstByte)
			require.GreaterOrEqual(t, result.Duration, result.Timings.FirstByte)
			require.Zero(t, result.Timings.TLS)
			if tc.class == None {
				require.Zero(t, result.RetryAfter)
			} else {
				require.Equal(t, 2*time.Second, result.RetryAfter)
			}
		})
	}
}

func TestPostDoesNotFollowRedirects(t *testing.T) {
	t.Parallel()
	var visits atomic.Int32
	target := newServer(t, func(http.ResponseWriter, *http.Request) { visits.Add(1) })
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, location := range []string{target.URL, "", "http://[malformed"} {
			server := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
				if location != "" {
					w.Header().Set("Location", location)
				}
				w.WriteHeader(status)
			})
			result := post(t, newClient(t, Options{}), server.URL)
			require.Equal(t, status, result.Status, result.Message)
			require.Equal(t, Redirect, result.Class)
			require.Contains(t, result.Message, "redirects are not followed")
			require.Equal(t, location, result.Header.Get("Location"))
		}
	}
	require.Zero(t, visits.Load())
}

func TestPostIgnoresProxyOfEnvironment(t *testing.T) {
	var visits atomic.Int32
	proxy := newServer(t, func(http.ResponseWriter, *http.Request) { visits.Add(1) })
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	result := post(t, newGuardedClient(t, Options{}), "http://10.0.0.1/")
	require.Equal(t, Blocked, result.Class, result.Message)
	require.Zero(t, visits.Load())
}

func TestPostKeepsNoCookies(t *testing.T) {
	t.Parallel()
	var cookies atomic.Int32
	server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		cookies.Add(int32(len(r.Cookies())))
		http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
	})
	c := newClient(t, Options{})
	for range 2 {
		result := post(t, c, server.URL)
		require.True(t, result.Success(), result.Message)
	}
	require.Zero(t, cookies.Load())
}

func TestPostCapsHeaders(t *testing.T) {
	t.Parallel()

	t.Run("what exceeds 16 KiB is dropped, yet Retry-After is heeded", func(t *testing.T) {
		t.Parallel()
		server := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			for i := range 40 {
				w.Header().Set(fmt.Sprintf("A-%02d", i), strings.Repeat("v", 1000))
			}
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		result := post(t, newClient(t, Options{}), server.URL)
		size := 0
		for name, values := range result.Header {
			size += headerSize(name, values)
		}
		require.LessOrEqual(t, size, 16<<10)
		require.Greater(t, size, 15<<10)
		require.Contains(t, result.Header, "A-00")
		require.NotContains(t, result.Header, "Retry-After")
		require.Equal(t, 7*time.Second, result.RetryAfter)
	})

	t.Run("more than 64 KiB is no response", func(t *testing.T) {
		t.Parallel()
		server := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("A", strings.Repeat("v", 80<<10))
		})
		result := post(t, newClient(t, Options{}), server.URL)
		require.Equal(t, Protocol, result.Class, result.Message)
		require.Zero(t, result.Status)
	})
}

func TestConnections(t *testing.T) {
	t.Parallel()

	t.Run("two posts share a connection if the body was read to its end", func(t *testing.T) {
		t.Parallel()
		for _, size := range []int{0, 10, defaultMaxBody, defaultMaxBody + 1, defaultMaxBody + maxBodyDrain - 1} {
			require.Len(t, clientPorts(t, size), 1, "size %d", size)
		}
	})

	t.Run("a body too long to read costs the connection", func(t *testing.T) {
		t.Parallel()
		require.Len(t, clientPorts(t, 4*(defaultMaxBody+maxBodyDrain)), 2)
	})

	t.Run("a post put on a dead connection is sent again on a fresh one", func(t *testing.T) {
		t.Parallel()
		url := nettest.Serve(t, func(conn *net.TCPConn, number int) {
			from := bufio.NewReader(conn)
			if nettest.ReadRequest(from) != nil {
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			if number == 1 {
				_ = nettest.ReadRequest(from) // and hang up
			}
		})
		c := newClient(t, Options{})
		first, second := post(t, c, url), post(t, c, url)
		require.True(t, first.Success(), first.Message)
		require.True(t, second.Success(), second.Message)
	})

	t.Run("many posts at once all succeed", func(t *testing.T) {
		t.Parallel()
		server := newServer(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
		c := newClient(t, Options{})
		var senders sync.WaitGroup
		var failures atomic.Int32
		for sender := range 16 {
			senders.Go(func() {
				body := []byte(strings.Repeat("x", sender+1))
				for range 25 {
					result := c.Post(t.Context(), Request{URL: server.URL, Body: body})
					if !result.Success() || string(result.Body) != string(body) {
						failures.Add(1)
					}
				}
			})
		}
		senders.Wait()
		require.Zero(t, failures.Load())
	})
}

// clientPorts posts twice to a server that answers with size bytes, and returns the ports the posts came from.
func clientPorts(t *testing.T, size int) map[string]bool {
	t.Helper()
	ports := make(chan string, 2)
	server := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		ports <- r.RemoteAddr
		_, _ = w.Write(make([]byte, size))
	})
	c := newClient(t, Options{})
	for range 2 {
		result := post(t, c, server.URL)
		require.True(t, result.Success(), result.Message)
	}
	return map[string]bool{<-ports: true, <-ports: true}
}
