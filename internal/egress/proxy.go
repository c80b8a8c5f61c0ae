package egress

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"
	"golang.org/x/net/idna"
	"golang.org/x/net/proxy"
)

// proxyRoute is the way through the operator's proxy. It has a transport of its own: whether a dial is guarded is never
// decided by looking at an address, as a receiver may have that of the proxy.
type proxyRoute struct {
	transport *http.Transport
	choose    func(*url.URL) (*url.URL, error) // returns nil for what is reached directly
	guard     *Guard
}

func (c *Client) newProxyRoute(o Options, guard *Guard) *proxyRoute {
	choice := httpproxy.Config{HTTPProxy: "http://proxy", HTTPSProxy: "http://proxy", NoProxy: strings.Join(o.NoProxy, ",")}
	r := &proxyRoute{choose: choice.ProxyFunc(), guard: guard}
	if strings.HasPrefix(o.Proxy.Scheme, "socks") {
		r.transport = c.newTransport(o, c.dialSOCKS(o, guard))
		return r
	}
	r.transport = c.newTransport(o, c.dialer(o.Resolver).DialContext) // dials the proxy only
	target := *o.Proxy
	if target.Scheme == "https" {
		// Left to net/http, the proxy might be offered HTTP/2, and net/http does not speak that to proxies.
		r.transport.DialContext = (&tls.Dialer{
			NetDialer: c.dialer(o.Resolver),
			Config:    &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs, InsecureSkipVerify: o.SkipTLSVerify},
		}).DialContext
		target.Scheme, target.Host = "http", net.JoinHostPort(target.Hostname(), cmp.Or(target.Port(), "443"))
	}
	r.transport.Proxy = http.ProxyURL(&target)
	r.transport.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, res *http.Response) error {
		if res.StatusCode != http.StatusOK {
			return &proxyStatusError{res.StatusCode}
		}
		return nil
	}
	return r
}

// proxyStatusError is a proxy's refusal to connect to a receiver.
type proxyStatusError struct{ status int }

func (e *proxyStatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("the proxy answers %d %s", e.status, http.StatusText(e.status)))
}

// dialSOCKS returns a dialer that goes through a SOCKS proxy. If the names are resolved here, the proxy gets addresses
// that the guard allows and no names.
func (c *Client) dialSOCKS(o Options, guard *Guard) dialFunc {
	var auth *proxy.Auth
	if user := o.Proxy.User; user != nil {
		password, _ := user.Password()
		auth = &proxy.Auth{User: user.Username(), Password: password}
	}
	address := net.JoinHostPort(o.Proxy.Hostname(), cmp.Or(o.Proxy.Port(), "1080"))
	made, err := proxy.SOCKS5("tcp", address, auth, c.dialer(o.Resolver))
	if err != nil {
		return func(context.Context, string, string) (net.Conn, error) { return nil, err }
	}
	socks := made.(proxy.ContextDialer)
	resolver := cmp.Or(o.Resolver, net.DefaultResolver)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		if o.Proxy.Scheme == "socks5h" {
			return socks.DialContext(ctx, network, address)
		}
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		addrs, err := guard.resolve(ctx, resolver, host)
		if err != nil {
			return nil, err
		}
		var conn net.Conn
		for _, addr := range addrs {
			conn, err = socks.DialContext(ctx, network, net.JoinHostPort(addr.String(), port))
			if err == nil {
				return conn, nil
			}
		}
		return nil, err
	}
}

// resolve returns the allowed addresses of a host, IPv4 first; an error if there are none.
func (g *Guard) resolve(ctx context.Context, r *net.Resolver, host string) ([]netip.Addr, error) {
	addrs, err := r.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var allowed []netip.Addr
	for _, addr := range addrs {
		if err = g.Allowed(addr); err == nil {
			allowed = append(allowed, addr.Unmap())
		}
	}
	if len(allowed) == 0 {
		return nil, err
	}
	slices.SortStableFunc(allowed, func(a, b netip.Addr) int { return cmp.Compare(a.BitLen(), b.BitLen()) })
	return allowed, nil
}

// route chooses how a request gets to its receiver. Where a proxy will resolve the host, this is where the guard looks
// at it: what it stands for is known of addresses and of localhost, not of other names.
func (c *Client) route(x *exchange, req *http.Request) (*http.Transport, error) {
	if c.proxy == nil {
		return c.direct, nil
	}
	host := req.URL.Hostname()
	if !isASCII(host) {
		// A proxy gets the plain form, so that it can't read "１２７.0.0.1" in another way than the guard.
		if ascii, err := idna.Lookup.ToASCII(host); err == nil {
			req.URL.Host = strings.Replace(req.URL.Host, host, ascii, 1)
			req.Host, host = req.URL.Host, ascii
		}
	}
	if via, err := c.proxy.choose(req.URL); err != nil || via == nil {
		return c.direct, err
	}
	x.proxied = true
	return c.proxy.transport, c.proxy.guard.allowedHost(host)
}

// dropProxyAuthorization removes what would reach the proxy in the name of whoever has made the endpoint.
func dropProxyAuthorization(h http.Header) {
	for name := range h {
		if strings.EqualFold(name, "Proxy-Authorization") {
			delete(h, name)
		}
	}
}

// allowedHost decides about a host that somebody else is going to resolve.
func (g *Guard) allowedHost(host string) error {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	addr, err := netip.ParseAddr(host)
	switch {
	case err == nil:
		return g.Allowed(addr)
	case !isASCII(host) || endsInNumber(host):
		return errURLName
	case host == "localhost" || strings.HasSuffix(host, ".localhost"):
		return g.Allowed(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	return nil
}

// endsInNumber reports whether a host may be taken for an IPv4 address in an unusual form, such as 127.1, 0x7f.1 or
// 2130706433. No name ends so.
func endsInNumber(host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// describeProxy tells whether the proxy is to blame, and of what.
func (f *failure) describeProxy() (string, bool) {
	if !f.proxied || f.timedOut() {
		return "", false
	}
	if e, ok := errors.AsType[*proxyStatusError](f.err); ok {
		return e.Error(), true
	}
	op, ok := errors.AsType[*net.OpError](f.err)
	if !ok || op.Op != "proxyconnect" && op.Op != "socks connect" {
		_, name := errors.AsType[*net.DNSError](f.err) // of the receiver, resolved here
		return "the proxy gives no usable answer", f.phase == connecting && !name
	}
	if reply, ok := strings.CutPrefix(op.Err.Error(), "unknown error "); ok { // one of the nine replies of SOCKS
		return "the proxy cannot connect: " + reply, true
	}
	hop := failure{err: op.Err, phase: f.phase}
	_, reason := hop.describe()
	if _, network := errors.AsType[*net.OpError](op.Err); op.Op == "socks connect" && !network && !hop.broken() {
		reason = op.Err.Error() // what the SOCKS client thinks of the answer
	}
	return "the proxy cannot be used: " + strings.ReplaceAll(reason, "the receiver", "it"), true
}
