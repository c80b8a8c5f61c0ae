package egress

import (
	"context"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elazarl/goproxy"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/nettest"
)

// publicAddr is an address that the network policy allows. Nothing is ever sent there: proxies of tests lead to a
// server of the test, whatever they are asked for.
var publicAddr = netip.MustParseAddr("93.184.216.34")

// httpProxy is a proxy that takes all requests to one server.
type httpProxy struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string // methods and hosts
	auth  []string
}

func newHTTPProxy(t *testing.T, target string) *httpProxy {
	t.Helper()
	p := goproxy.NewProxyHttpServer()
	p.Logger = log.New(io.Discard, "", 0)
	p.Tr = &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, target)
	}}
	p.ConnectDial = func(network, _ string) (net.Conn, error) { return net.Dial(network, target) }
	s := &httpProxy{}
	s.Server = newServer(t, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r.Method+" "+r.Host)
		s.auth = append(s.auth, r.Header.Get("Proxy-Authorization"))
		s.mu.Unlock()
		p.ServeHTTP(w, r)
	})
	t.Cleanup(p.Tr.CloseIdleConnections)
	return s
}

func (p *httpProxy) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

func parse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u
}

func TestPostThroughProxy(t *testing.T) {
	t.Parallel()
	ca := nettest.NewAuthority(t)
	heads := make(chan http.Header, 1)
	answer := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Met", r.Proto+" "+r.Host)
		heads <- r.Header
	}
	plain := newServer(t, answer).Listener.Addr().String()
	secure := nettest.TLS(t, ca.Issue(t, func(c *x509.Certificate) { c.DNSNames = []string{"hook.test"} }), answer).Listener.Addr().String()
	client := func(t *testing.T, proxy string) *Client {
		return newGuardedClient(t, Options{
			Proxy: parse(t, proxy), RootCAs: ca.Pool(), Resolver: fakeDNS(map[string][]netip.Addr{"hook.test": {publicAddr}}),
		})
	}

	t.Run("an HTTP proxy passes on requests in the clear", func(t *testing.T) {
		proxy := newHTTPProxy(t, plain)
		c := client(t, strings.Replace(proxy.URL, "http://", "http://user:hunter2@", 1))
		result := c.Post(t.Context(), Request{
			URL: "http://hook.test:8080/path", Body: []byte("{}"),
			Header: http.Header{"proxy-authorization": {"Basic by-whoever-made-the-endpoint"}},
		})
		require.True(t, result.Success(), result.Message)
		require.Equal(t, "HTTP/1.1 hook.test:8080", result.Header.Get("X-Met"))
		require.Equal(t, []string{"POST hook.test:8080"}, proxy.requests())
		require.Equal(t, []string{"Basic dXNlcjpodW50ZXIy"}, proxy.auth)
		require.NotContains(t, <-heads, "Proxy-Authorization")
		for name := range result.Sent {
			require.NotEqual(t, "proxy-authorization", strings.ToLower(name), "nor is it on record")
		}
	})

	t.Run("an HTTP proxy connects requests over TLS, and the receiver's certificate counts", func(t *testing.T) {
		proxy := newHTTPProxy(t, secure)
		c := client(t, proxy.URL)
		result := post(t, c, "https://hook.test/path")
		require.True(t, result.Success(), result.Message)
		require.Equal(t, "HTTP/2.0 hook.test", result.Header.Get("X-Met"))
		<-heads
		require.Equal(t, []string{"CONNECT hook.test:443"}, proxy.requests())

		result = post(t, c, "https://other.test/path")
		require.Equal(t, TLS, result.Class)
		require.Equal(t, "TLS: certificate is not valid for host", result.Message)
	})

	t.Run("a proxy that itself speaks TLS", func(t *testing.T) {
		inner := newHTTPProxy(t, plain)
		proxy := nettest.TLS(t, ca.Issue(t, nil), inner.Config.Handler.ServeHTTP)
		result := post(t, client(t, proxy.URL), "http://hook.test/path")
		require.True(t, result.Success(), result.Message)
		<-heads
		require.Equal(t, []string{"POST hook.test"}, inner.requests())
	})

	t.Run("a SOCKS proxy gets the address, or the name if it is to resolve", func(t *testing.T) {
		for scheme, host := range map[string]string{"socks5": publicAddr.String(), "socks5h": "hook.test"} {
			proxy := nettest.NewSOCKS(t, plain, "user", "hunter2")
			result := post(t, client(t, scheme+"://user:hunter2@"+proxy.Address), "http://hook.test:8080/path")
			require.True(t, result.Success(), result.Message)
			require.Equal(t, "HTTP/1.1 hook.test:8080", result.Header.Get("X-Met"))
			<-heads
			require.Equal(t, []string{host + ":8080"}, proxy.Asked())

			proxy = nettest.NewSOCKS(t, secure, "", "")
			result = post(t, client(t, scheme+"://"+proxy.Address), "https://hook.test/path")
			require.True(t, result.Success(), result.Message)
			<-heads
			require.Equal(t, []string{host + ":443"}, proxy.Asked())
		}
	})
}

func TestNetworkPolicyHoldsWithProxy(t *testing.T) {
	t.Parallel()
	target := newServer(t, func(http.ResponseWriter, *http.Request) {}).Listener.Addr().String()
	resolver := fakeDNS(map[string][]netip.Addr{
		"inside.test": {netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")},
		"mapped.test": {netip.MustParseAddr("::ffff:169.254.169.254")},
		"mixed.test":  {netip.MustParseAddr("10.0.0.1"), publicAddr},
		"near.test":   {netip.MustParseAddr("127.0.0.1")},
	})
	web, socks := newHTTPProxy(t, target), nettest.NewSOCKS(t, target, "", "")
	proxies := map[string]string{"http": web.URL, "socks5": "socks5://" + socks.Address, "socks5h": "socks5h://" + socks.Address}

	for name, proxy := range proxies {
		t.Run(name+" is asked for no address that is blocked, however it is written", func(t *testing.T) {
			c := newGuardedClient(t, Options{Proxy: parse(t, proxy), Resolver: resolver})
			for _, host := range []string{
				"10.0.0.1", "169.254.169.254", "169.254.169.254.", "[::ffff:10.0.0.1]", "[fd00::1]", "[fe80::1%25eth0]", "0.0.0.0",
				"127.0.0.1", "127.0.0.1.", "[::1]", "[::ffff:7f00:1]", "localhost.", "LOCALHOST", "any.localhost", "any.localhost.",
				"１０.0.0.1", "10。0。0。1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ.",
			} {
				result := post(t, c, "http://"+host+":8080/")
				if host == "LOCALHOST" && result.Class == DNS { // reached directly, and no name of this resolver
					continue
				}
				require.Equal(t, Blocked, result.Class, "%s: %s", host, result.Message)
				require.False(t, result.Success())
			}
			for _, host := range []string{"2130706433", "127.1", "0x7f.1", "0x7F000001", "0177.0.0.1", "10.0.0.01", "0x.", "hook.1"} {
				result := post(t, c, "http://"+host+":8080/")
				require.Equal(t, InvalidURL, result.Class, "%s: %s", host, result.Message)
				require.Equal(t, "the URL has a host that is neither a name nor an address", result.Message)
			}
			require.Empty(t, web.requests())
			require.Empty(t, socks.Asked())
		})
	}

	t.Run("names that we resolve are held to it", func(t *testing.T) {
		c := newGuardedClient(t, Options{Proxy: parse(t, proxies["socks5"]), Resolver: resolver})
		for host, addr := range map[string]string{"inside.test": "fd00::1", "mapped.test": "169.254.169.254", "near.test": "127.0.0.1"} {
			result := post(t, c, "http://"+host+"/")
			require.Equal(t, Blocked, result.Class, result.Message)
			if host != "inside.test" { // of several, any may be named
				require.Equal(t, "address "+addr+" is blocked by the network policy", result.Message)
			}
		}
		require.Empty(t, socks.Asked())
		result := post(t, c, "http://nowhere.test/")
		require.Equal(t, DNS, result.Class, result.Message)

		result = post(t, c, "http://mixed.test/")
		require.True(t, result.Success(), result.Message)
		require.Equal(t, []string{publicAddr.String() + ":80"}, socks.Asked())
	})

	t.Run("what is reached without the proxy is held to it, be it at the proxy's own address", func(t *testing.T) {
		for _, proxy := range proxies {
			c := newGuardedClient(t, Options{
				Proxy: parse(t, proxy), Resolver: resolver, NoProxy: []string{"inside.test", "near.test", "10.0.0.0/8"},
			})
			for _, url := range []string{"http://inside.test/", "http://below.near.test/", "http://near.test/", "http://10.0.0.1/", "http://" + parse(t, proxy).Host} {
				result := post(t, c, url)
				if url == "http://below.near.test/" {
					require.Equal(t, DNS, result.Class, result.Message)
					continue
				}
				require.Equal(t, Blocked, result.Class, "%s: %s", url, result.Message)
			}
			c = newClient(t, Options{Proxy: parse(t, proxy), Resolver: resolver, NoProxy: []string{"near.test"}})
			result := post(t, c, "http://near.test:"+parse(t, "http://"+target).Port())
			require.True(t, result.Success(), result.Message)
			require.Equal(t, target, result.RemoteAddr)
		}
		require.Empty(t, web.requests())
	})
}

func TestProxyThatFails(t *testing.T) {
	t.Parallel()
	const receiver = "https://hook.test/path?token=hunter2"
	ca := nettest.NewAuthority(t)
	through := func(t *testing.T, proxy string) Result {
		t.Helper()
		c := newGuardedClient(t, Options{
			Proxy: parse(t, proxy), Timeout: 2 * time.Second, Resolver: fakeDNS(map[string][]netip.Addr{"hook.test": {publicAddr}}),
		})
		result := post(t, c, receiver)
		require.False(t, result.Success())
		require.Zero(t, result.Status)
		require.NotContains(t, result.Message, "hunter2")
		return result
	}

	// The local port of a connection stays taken, and nothing listens on it.
	conn, err := net.Dial("tcp", newServer(t, func(http.ResponseWriter, *http.Request) {}).Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	nobody := conn.LocalAddr().String()
	hangsUp := strings.TrimPrefix(nettest.Serve(t, func(*net.TCPConn, int) {}), "http://")
	quiet := strings.TrimPrefix(nettest.Serve(t, silent), "http://")
	web := strings.TrimPrefix(nettest.Serve(t, func(conn *net.TCPConn, _ int) {
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
		silent(conn, 0)
	}), "http://")

	for name, tc := range map[string]struct{ proxy, message string }{
		"nothing listens, HTTP":  {"http://" + nobody, "the proxy cannot be used: connection refused by " + nobody},
		"nothing listens, SOCKS": {"socks5://user:hunter2@" + nobody, "the proxy cannot be used: connection refused by " + nobody},
		"its name is unknown":    {"http://proxy.test:3128", "the proxy cannot be used: DNS: no such host"},
		"its name is unknown to SOCKS": {
			"socks5h://proxy.test", "the proxy cannot be used: DNS: no such host",
		},
		"it refuses": {
			nettest.Serve(t, nettest.Answer("HTTP/1.1 403 You hunter2\r\nContent-Length: 0\r\n\r\n")), "the proxy answers 403 Forbidden",
		},
		"it wants to know who is there": {
			nettest.Serve(t, nettest.Answer("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")), "the proxy answers 407 Proxy Authentication Required",
		},
		"it is no HTTP proxy":           {nettest.Serve(t, nettest.Answer("SSH-2.0-hunter2\r\n")), "the proxy gives no usable answer"},
		"it hangs up":                   {"http://" + hangsUp, "the proxy gives no usable answer"},
		"it speaks no TLS":              {"https://" + web, "the proxy cannot be used: TLS: it does not speak TLS"},
		"its certificate is unknown":    {nettest.TLS(t, ca.Issue(t, nil), nil).URL, "the proxy cannot be used: TLS: certificate signed by unknown authority"},
		"SOCKS does not reach the host": {"socks5://" + nettest.NewSOCKS(t, "", "", "").Address, "the proxy cannot connect: host unreachable"},
		"SOCKS knows no such user": {
			"socks5://user:hunter2@" + nettest.NewSOCKS(t, nobody, "user", "other").Address,
			"the proxy cannot be used: username/password authentication failed",
		},
		"SOCKS wants a user": {
			"socks5h://" + nettest.NewSOCKS(t, nobody, "user", "other").Address, "the proxy cannot be used: no acceptable authentication methods",
		},
		"it is no SOCKS proxy": {"socks5://" + web, "the proxy cannot be used: unexpected protocol version 72"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result := through(t, tc.proxy)
			require.Equal(t, Proxy, result.Class, result.Message)
			require.Equal(t, tc.message, result.Message)
		})
	}

	t.Run("it stays silent", func(t *testing.T) {
		t.Parallel()
		for _, scheme := range []string{"http", "socks5", "socks5h"} {
			result := through(t, scheme+"://"+quiet)
			require.Equal(t, Timeout, result.Class, result.Message)
			require.Regexp(t, `^timeout after \S+ m?s connecting$`, result.Message)
		}
	})

	t.Run("a receiver's own failure is told from it", func(t *testing.T) {
		t.Parallel()
		busy := newServer(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
		proxy := newHTTPProxy(t, busy.Listener.Addr().String())
		result := post(t, newGuardedClient(t, Options{Proxy: parse(t, proxy.URL)}), "http://hook.test/")
		require.Equal(t, HTTPStatus, result.Class, result.Message)
	})
}
