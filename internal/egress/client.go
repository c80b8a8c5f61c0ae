// Package egress holds the only HTTP client through which webhooks leave.
//
// The URLs it posts to were written by strangers, and so are the servers behind them. The client therefore connects to
// public addresses only, follows no redirects, uses no proxy, keeps no cookies, bounds the whole exchange by one
// deadline, and keeps a bounded part of what comes back. What happened is always told as a Result, never as an error.
package egress

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
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
}

// Client posts webhooks. It is safe for concurrent use.
type Client struct {
	timeout   time.Duration
	maxBody   int
	userAgent []string
	accept    []string
	transport *http.Transport
	scratch   sync.Pool // of *[]byte, what bodies are read into
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
	dialer := &net.Dialer{
		// A dial is not under the deadline of the request that caused it, as another request may come to use the
		// connection. The timeout also makes the dialer share the time out among the addresses of a host.
		Timeout:        c.timeout,
		Resolver:       o.Resolver,
		ControlContext: NewGuard(o.AllowSubnets...).control,
	}
	c.transport = &http.Transport{
		// Proxy stays nil: a proxy would connect on our behalf, past the guard.
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.DialContext(traceDial(ctx), network, address)
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
	return c
}

// Close closes idle connections. Those in use are closed when their exchange ends.
func (c *Client) Close() { c.transport.CloseIdleConnections() }
