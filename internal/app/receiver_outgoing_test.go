package app_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/elazarl/goproxy"
	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/nettest"
	"github.com/posthorn/posthorn/internal/tooltest"
)

// logged is a log that a test reads.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// TestCertificates: who trusts an authority of its own gets its receivers by HTTP/2, and every fault of a certificate
// is an attempt with its own words.
func TestCertificates(t *testing.T) {
	t.Parallel()
	ca, stranger := nettest.NewAuthority(t), nettest.NewAuthority(t)
	file := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(file, ca.PEM(), 0o600))
	spoken := make(chan string, 100)
	answer := func(_ http.ResponseWriter, r *http.Request) { spoken <- r.Proto }
	type server struct {
		url, message string
	}
	plain := strings.Replace(newReceiver(t, nil).URL, "http://", "https://", 1)
	servers := []server{
		{nettest.TLS(t, ca.Issue(t, nil), answer).URL, ""},
		{nettest.TLS(t, ca.Issue(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), answer).URL, "TLS: certificate has expired"},
		{nettest.TLS(t, stranger.Issue(t, nil), answer).URL, "TLS: certificate signed by unknown authority"},
		{nettest.TLS(t, ca.Issue(t, func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"other.test"} }), answer).URL, "TLS: certificate is not valid for host"},
		{plain, "TLS: the receiver does not speak TLS"},
	}
	send := func(b *bundle, s server) attempt {
		ep := b.endpoint(svix.EndpointIn{Url: s.url})
		id := b.send("a", `{}`)
		b.first(id)
		require.NoError(t, b.svix.Endpoint.Delete(b.ctx, b.appID, ep.Id))
		made := b.attempts(id)
		require.NotEmpty(t, made)
		return made[0]
	}
	single := func(c *config.Config) { c.RetrySchedule = posthorn.Schedule{} }

	t.Run("of an authority that the operator trusts", func(t *testing.T) {
		var log logged
		b := ownWith(t, t.TempDir(), log.logger(), func(c *config.Config) { single(c); c.Outgoing.CAFile = file })
		for _, s := range servers {
			a := send(b, s)
			if s.message == "" {
				require.Equal(t, 0, a.Status, "%+v", a)
				require.Equal(t, "HTTP/2.0", <-spoken)
				continue
			}
			require.Equal(t, "tls", a.ErrorClass, "%+v", a)
			require.Equal(t, s.message, a.Message)
			require.Equal(t, s.message, a.Response)
			require.Zero(t, a.ResponseStatusCode)
		}
		require.NotContains(t, log.String(), "skip-tls")
	})

	t.Run("of nobody in particular, by default", func(t *testing.T) {
		a := send(setup(t).in(t), servers[0])
		require.Equal(t, "TLS: certificate signed by unknown authority", a.Message)
	})

	t.Run("of anybody, with the dangerous flag, which the log tells of", func(t *testing.T) {
		var log logged
		b := ownWith(t, t.TempDir(), log.logger(), func(c *config.Config) { single(c); c.Outgoing.SkipTLSVerify = true })
		require.Regexp(t, `level=WARN msg="--dangerous-skip-tls-verify is set: .* NOT verified`, log.String())
		for _, s := range servers[:4] {
			a := send(b, s)
			require.Equal(t, 0, a.Status, "%+v", a)
			require.Equal(t, "HTTP/2.0", <-spoken)
		}
		require.Equal(t, "TLS: the receiver does not speak TLS", send(b, servers[4]).Message)
	})
}

func TestAuthoritiesThatAreRefused(t *testing.T) {
	t.Parallel()
	nothing := filepath.Join(t.TempDir(), "nothing.pem")
	require.NoError(t, os.WriteFile(nothing, []byte("no certificate"), 0o600))
	for file, why := range map[string]string{
		nothing:               "there is no certificate in PEM in it",
		nothing + ".gone":     "no such file or directory",
		filepath.Dir(nothing): "is a directory",
	} {
		cfg := testConfig(filepath.Join(t.TempDir(), "data"))
		cfg.Outgoing.CAFile = file
		a, err := app.New(cfg, "", quiet())
		require.NoError(t, err)
		require.EqualError(t, a.Start(t.Context()), "--ca-file "+file+": "+why)
		require.NoDirExists(t, cfg.DataDir)
	}
}

// TestOutgoingProxy: names that only the proxy knows are reached through it; what the network policy blocks is not.
func TestOutgoingProxy(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	secure := nettest.TLS(t, nettest.NewAuthority(t).Issue(t, nil), func(http.ResponseWriter, *http.Request) {})
	targets := map[string]string{"hook.test:80": r.Listener.Addr().String(), "hook.test:443": secure.Listener.Addr().String()}
	p := goproxy.NewProxyHttpServer()
	p.Logger = log.New(io.Discard, "", 0)
	p.Tr = &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, targets[address])
	}}
	p.ConnectDial = func(network, address string) (net.Conn, error) { return net.Dial(network, targets[address]) }
	asked := make(chan string, 100)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		asked <- req.Method + " " + req.Host
		if user, password, ok := (&http.Request{Header: http.Header{"Authorization": req.Header["Proxy-Authorization"]}}).BasicAuth(); !ok || user+password != "userhunter2" {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		p.ServeHTTP(w, req)
	}))
	t.Cleanup(proxy.Close)
	var log logged
	b := ownWith(t, t.TempDir(), log.logger(), func(c *config.Config) {
		c.RetrySchedule, c.AllowSubnets = posthorn.Schedule{}, nil
		c.Outgoing = config.Outgoing{
			Proxy:   strings.Replace(proxy.URL, "http://", "http://user:hunter2@", 1),
			NoProxy: []string{"localhost", "10.0.0.0/8"}, SkipTLSVerify: true,
		}
	})

	for _, tc := range []struct {
		url, class, asked string
	}{
		{"http://hook.test/path", "", "POST hook.test"},
		{"https://hook.test/path", "", "CONNECT hook.test:443"},
		{"http://172.16.0.1/", "blocked", ""}, // through the proxy
		{"http://10.0.0.1/", "blocked", ""},   // not through the proxy
		{r.URL, "blocked", ""},
		{strings.Replace(r.URL, "127.0.0.1", "localhost", 1), "blocked", ""}, // a name that points to this machine
		{"http://0x7f.1/", "invalid_url", ""},
	} {
		ep := b.endpoint(svix.EndpointIn{Url: tc.url})
		id := b.send("a", `{"x":1}`)
		a := b.first(id)
		require.Equal(t, tc.class, a.ErrorClass, "%s %+v", tc.url, a)
		require.Len(t, b.attempts(id), 1)
		if tc.asked != "" {
			require.Equal(t, tc.asked, <-asked)
		}
		if tc.url == "http://hook.test/path" {
			verify(t, b.secret(ep.Id), r.all()[0])
			require.Empty(t, r.all()[0].header.Get("Proxy-Authorization"))
		}
		require.NoError(t, b.svix.Endpoint.Delete(b.ctx, b.appID, ep.Id))
	}
	require.Empty(t, asked)
	require.Len(t, r.all(), 1)
	require.NotContains(t, log.String(), "hunter2")
}

func TestReceiverWithIPv6(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		tooltest.Absent(t, "there is no IPv6: %v", err)
	}
	r := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	require.NoError(t, r.Listener.Close())
	r.Listener = listener
	r.Start()
	t.Cleanup(r.Close)
	b := setup(t)
	a := b.sent(r.URL)
	require.Equal(t, 0, a.Status, "%+v", a)
	require.Equal(t, r.URL, a.URL)
}

func TestReceiverWhoseNameIsUnknown(t *testing.T) {
	t.Parallel()
	a := setup(t).sent("http://posthorn.invalid/hook")
	require.Equal(t, 2, a.Status)
	// What name servers make of such a name is not in our hands, nor whether there are any.
	require.Contains(t, []string{"dns", "timeout"}, a.ErrorClass, "%+v", a)
	require.Regexp(t, `^DNS: |^timeout after 8 s resolving the host name$`, a.Message)
	require.NotNil(t, a.NextAttempt)
}
