// Package egress holds the only HTTP client through which webhooks leave.
//
// The URLs it posts to were written by strangers, and so are the servers behind them. The client therefore connects to
// public addresses only, follows no redirects, uses no proxy but the operator's, keeps no cookies, bounds the whole
// exchange by one deadline, and keeps a bounded part of what comes back. What happened is always told as a Result, never
// as an error.
package egress

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"time"
)

const (
	defaultTimeout = 15 * time.Second
	defaultMaxBody = 16 << 10

	maxHeaderRead = 64 << 10 // bytes of response headers read before the response counts as malformed
	maxHeaderKept = 16 << 10 // bytes of response headers kept in a Result
	maxBodyDrain  = 64 << 10 // bytes of a body read beyond what is kept, so that the connection can be used again
)

// Options configure a Client. The zero value is ready for production.
type Options struct {
	// Timeout bounds a whole exchange: resolving, connecting, TLS, sending, response headers and body. Default 15 s.
	Timeout time.Duration
	// MaxBody is how many bytes of a response body are kept; negative keeps none. Default 16 KiB.
	MaxBody int
	// AllowSubnets are exempt from the network policy (see Guard). Default none.
	AllowSubnets []netip.Prefix
	// UserAgent is sent unless the request has its own. Default "Posthorn".
	UserAgent string
	// Resolver looks up host names. Its own connections are not subject to the network policy. Default the system's.
	Resolver *net.Resolver
	// RootCAs are the certificate authorities to trust. Default the system's.
	RootCAs *x509.CertPool
	// SkipTLSVerify accepts any certificate. It lets whoever sits on the way read and answer webhooks. Default false.
	SkipTLSVerify bool
	// Proxy is the way to all receivers but those in NoProxy: scheme, host and port of an HTTP or a SOCKS proxy. With
	// socks5 host names are resolved here; with http, https and socks5h by the proxy, which then has to enforce the
	// network policy for names. Default none; the variables that other programs heed are not read.
	Proxy *url.URL
	// NoProxy are hosts that are reached directly, and then under the network policy: names, which include all names
	// below them, addresses, networks, each but the last perhaps with a port. Loopback is never reached through a proxy.
	NoProxy []string
}

// Client posts webhooks. It is safe for concurrent use.
type Client struct {
	timeout   time.Duration
	maxBody   int
	userAgent []string
	accept    []string
	direct    *http.Transport
	proxy     *proxyRoute // nil without a proxy
	scratch   sync.Pool   // of *[]byte, what bodies are read into
}

// New returns a Client. Close releases its connections.
func New(o Options) *Client {
	c := &Client{
		timeout:   cmp.Or(o.Timeout, defaultTimeout),
		maxBody:   max(cmp.Or(o.MaxBody, defaultMaxBody), 0),
		userAgent: []string{cmp.Or(o.UserAgent, "Posthorn")},
		accept:    []string{"*/*"},
	}
	c.scratch.New = func() any {
		buf := make([]byte, max(c.maxBody, 4<<10))
		return &buf
	}
	guard := NewGuard(o.AllowSubnets...)
	guarded := c.dialer(o.Resolver)
	guarded.ControlContext = guard.control
	c.direct = c.newTransport(o, guarded.DialContext)
	if o.Proxy != nil {
		c.proxy = c.newProxyRoute(o, guard)
	}
	return c
}

func (c *Client) dialer(r *net.Resolver) *net.Dialer {
	return &net.Dialer{
		// A dial is not under the deadline of the request that caused it, as another request may come to use the
		// connection. The timeout also makes the dialer share the time out among the addresses of a host.
		Timeout:  c.timeout,
		Resolver: r,
	}
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

func (c *Client) newTransport(o Options, dial dialFunc) *http.Transport {
	return &http.Transport{
		// Proxy stays nil: a proxy connects on our behalf, past the guard. See proxyRoute.
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dial(traceDial(ctx), network, address)
		},
		TLSClientConfig: &tls.Config{
			MinVersion:         tls.VersionTLS12,
			RootCAs:            o.RootCAs,
			InsecureSkipVerify: o.SkipTLSVerify,
			ClientSessionCache: tls.NewLRUClientSessionCache(1024),
		},
		TLSHandshakeTimeout:    c.timeout,
		DisableCompression:     true, // bodies are recorded as they were sent
		MaxIdleConns:           2048,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxHeaderRead,
		ForceAttemptHTTP2:      true,
		HTTP2: &http.HTTP2Config{
			// What a receiver may send ahead of our reading; the defaults allow megabytes for each request.
			MaxReceiveBufferPerStream:     128 << 10,
			MaxReceiveBufferPerConnection: 1 << 20,
			// Without pings a connection that died silently would go on failing every request put on it.
			SendPingTimeout: 30 * time.Second,
			PingTimeout:     10 * time.Second,
		},
	}
}

// Close closes idle connections. Those in use are closed when their exchange ends.
func (c *Client) Close() {
	c.direct.CloseIdleConnections()
	if c.proxy != nil {
		c.proxy.transport.CloseIdleConnections()
	}
}
