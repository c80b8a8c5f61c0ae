package egress

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/nettest"
)

// silent reads until the client hangs up and says nothing.
func silent(conn *net.TCPConn, _ int) { _, _ = io.Copy(io.Discard, conn) }

func TestPostMeetsUnresolvableName(t *testing.T) {
	t.Parallel()

	t.Run("no such host", func(t *testing.T) {
		t.Parallel()
		result := post(t, newClient(t, Options{Resolver: fakeDNS(nil)}), "http://user:hunter2@nowhere.test/?hunter2")
		require.Equal(t, DNS, result.Class)
		require.Equal(t, "DNS: no such host", result.Message)
		require.Positive(t, result.Timings.DNS)
		require.Zero(t, result.Timings.Connect)
	})

	t.Run("name servers that hang up", func(t *testing.T) {
		t.Parallel()
		resolver := resolverOver(func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)) })
		result := post(t, newClient(t, Options{Resolver: resolver}), "http://somewhere.test/")
		require.Equal(t, DNS, result.Class)
		require.Equal(t, "DNS: the name servers report a failure", result.Message)
	})

	t.Run("name servers that stay silent until the deadline", func(t *testing.T) {
		t.Parallel()
		release := make(chan struct{})
		defer close(release)
		resolver := resolverOver(func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 512))
			<-release
		})
		result := post(t, newClient(t, Options{Resolver: resolver, Timeout: 2 * time.Second}), "http://somewhere.test/")
		require.Equal(t, Timeout, result.Class)
		require.Regexp(t, `^timeout after \S+ m?s resolving the host name$`, result.Message)
	})

	t.Run("a name that resolves is connected to", func(t *testing.T) {
		t.Parallel()
		server := newServer(t, func(http.ResponseWriter, *http.Request) {})
		resolver := fakeDNS(map[string][]netip.Addr{"here.test": {netip.MustParseAddr("127.0.0.1")}})
		result := post(t, newClient(t, Options{Resolver: resolver}), strings.Replace(server.URL, "127.0.0.1", "here.test", 1))
		require.True(t, result.Success(), result.Message)
		require.Positive(t, result.Timings.DNS)
		require.Positive(t, result.Timings.Connect)
	})
}

func TestPostMeetsBrokenReceiver(t *testing.T) {
	t.Parallel()

	t.Run("nothing listens", func(t *testing.T) {
		t.Parallel()
		// The local port of a connection stays taken, and nothing listens on it.
		server := newServer(t, func(http.ResponseWriter, *http.Request) {})
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		addr := conn.LocalAddr().String()
		result := post(t, newClient(t, Options{}), "http://user:hunter2@"+addr+"/path?token=hunter2")
		require.Equal(t, Refused, result.Class)
		require.Equal(t, "connection refused by "+addr, result.Message)
		require.Zero(t, result.Status)
	})

	t.Run("the connection is reset before a response", func(t *testing.T) {
		t.Parallel()
		url := nettest.Serve(t, func(conn *net.TCPConn, _ int) {
			_ = nettest.ReadRequest(bufio.NewReader(conn))
			_ = conn.SetLinger(0)
		})
		result := post(t, newClient(t, Options{}), url)
		require.Equal(t, Reset, result.Class)
		require.Contains(t, result.Message, "connection reset ")
		require.Zero(t, result.Status)
	})

	for name, response := range map[string]string{
		"the connection is closed before a response":          "",
		"the connection is closed amid headers":               "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n",
		"the connection is closed amid a body":                "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart",
		"the connection is closed amid a body without length": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result := post(t, newClient(t, Options{}), nettest.Serve(t, nettest.Answer(response)))
			require.Equal(t, Reset, result.Class, result.Message)
			require.Contains(t, result.Message, "connection closed by the receiver ")
			require.False(t, result.Success())
			if strings.Contains(response, "part") {
				require.Equal(t, http.StatusOK, result.Status)
				require.Equal(t, "part", string(result.Body))
				require.True(t, result.BodyTruncated)
			} else {
				require.Zero(t, result.Status)
			}
		})
	}

	for name, response := range map[string]string{
		"another protocol":      "SSH-2.0-OpenSSH_9.6\r\n",
		"a malformed status":    "HTTP/1.1 abc\r\n\r\n",
		"a malformed header":    "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
		"contradictory lengths": "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"a malformed body":      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n",
	} {
		t.Run("it answers with "+name, func(t *testing.T) {
			t.Parallel()
			result := post(t, newClient(t, Options{}), nettest.Serve(t, nettest.Answer(response)))
			require.Equal(t, Protocol, result.Class, result.Message)
			require.False(t, result.Success())
			require.NotContains(t, result.Message, "SSH")
		})
	}

	t.Run("it switches protocols and then stays silent", func(t *testing.T) {
		t.Parallel()
		url := nettest.Serve(t, func(conn *net.TCPConn, _ int) {
			_ = nettest.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			silent(conn, 0)
		})
		result := post(t, newClient(t, Options{}), url)
		require.Equal(t, HTTPStatus, result.Class, result.Message)
		require.Equal(t, http.StatusSwitchingProtocols, result.Status)
	})

	t.Run("it accepts the request and stays silent", func(t *testing.T) {
		t.Parallel()
		result := post(t, newClient(t, Options{Timeout: 2 * time.Second}), nettest.Serve(t, silent))
		require.Equal(t, Timeout, result.Class)
		require.Regexp(t, `^timeout after \S+ m?s waiting for response headers$`, result.Message)
		require.Less(t, result.Duration, 10*time.Second)
	})

	t.Run("it does not read the request", func(t *testing.T) {
		t.Parallel()
		hold := make(chan struct{})
		url := nettest.Serve(t, func(conn *net.TCPConn, _ int) { <-hold })
		c := newClient(t, Options{Timeout: 2 * time.Second})
		result := c.Post(t.Context(), Request{URL: url, Body: make([]byte, 64<<20)})
		close(hold)
		require.Equal(t, Timeout, result.Class)
		require.Regexp(t, `^timeout after \S+ m?s sending the request$`, result.Message)
	})
}

func TestPostHeedsCallersContext(t *testing.T) {
	t.Parallel()

	t.Run("cancelled beforehand", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		result := newClient(t, Options{}).Post(ctx, Request{URL: "http://127.0.0.1:1"})
		require.Equal(t, Cancelled, result.Class)
		require.Regexp(t, `^cancelled after .+ before connecting$`, result.Message)
	})

	t.Run("cancelled while waiting", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		server := newServer(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			cancel()
			<-r.Context().Done()
		})
		result := newClient(t, Options{}).Post(ctx, Request{URL: server.URL})
		require.Equal(t, Cancelled, result.Class, result.Message)
		require.Zero(t, result.Status)
	})

	t.Run("a shorter deadline of the caller counts", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		result := newClient(t, Options{}).Post(ctx, Request{URL: nettest.Serve(t, silent)})
		require.Equal(t, Timeout, result.Class, result.Message)
		require.Less(t, result.Duration, 10*time.Second)
	})
}

func TestFailureDescribe(t *testing.T) {
	t.Parallel()
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}, Err: err}
	}
	for _, tc := range []struct {
		name    string
		failure failure
		class   ErrorClass
		message string
	}{
		{
			"the deadline passes while connecting",
			failure{expired: true, err: context.DeadlineExceeded, phase: connecting, after: 15*time.Second + 4*time.Millisecond},
			Timeout, "timeout after 15 s connecting",
		},
		{
			"the dialer runs out of time just before the deadline",
			failure{err: dial(os.ErrDeadlineExceeded), phase: connecting, after: 1234 * time.Millisecond},
			Timeout, "timeout after 1.2 s connecting",
		},
		{
			"name servers time out with the deadline",
			failure{expired: true, err: dial(&net.DNSError{IsTimeout: true}), phase: resolving, after: 15 * time.Second},
			Timeout, "timeout after 15 s resolving the host name",
		},
		{
			"name servers time out before the deadline",
			failure{err: dial(&net.DNSError{IsTimeout: true}), phase: resolving, after: time.Second},
			DNS, "DNS: the name servers do not answer",
		},
		{
			"the network is unreachable",
			failure{err: dial(os.NewSyscallError("connect", syscall.ENETUNREACH)), phase: connecting},
			Other, "cannot connect: network is unreachable",
		},
		{
			"no address fits",
			failure{err: dial(&net.AddrError{Err: "no suitable address", Addr: "secret.test"}), phase: resolving},
			Other, "cannot connect",
		},
		{
			"TLS fails in an unknown way",
			failure{err: errors.New("tls: anything"), phase: handshaking},
			TLS, "TLS: handshake failed",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			class, message := tc.failure.describe()
			require.Equal(t, tc.class, class)
			require.Equal(t, tc.message, message)
		})
	}
}

func TestShortDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		300 * time.Microsecond:    "under 1 ms",
		time.Millisecond:          "1 ms",
		999900 * time.Microsecond: "999 ms",
		time.Second:               "1 s",
		1260 * time.Millisecond:   "1.3 s",
		9990 * time.Millisecond:   "10 s",
		15004 * time.Millisecond:  "15 s",
		90 * time.Second:          "90 s",
	} {
		require.Equal(t, want, shortDuration(d))
	}
}
