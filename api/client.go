package api

import (
	"context"
	"net/http"
	"net/netip"
	"strings"

	"github.com/gin-gonic/gin"
)

// Clients says which clients are served, and whose word on a client's address is taken.
type Clients struct {
	// Allow are the networks whose requests are answered; health checks are answered everywhere. None = all.
	Allow []netip.Prefix
	// TrustedProxies are the networks whose X-Forwarded-For header is believed. None = nobody's.
	TrustedProxies []netip.Prefix
}

type clientKey struct{}

// clientOf is the address that a request comes from, as far as it is known; the zero Addr if it is not.
func clientOf(ctx context.Context) netip.Addr {
	addr, _ := ctx.Value(clientKey{}).(netip.Addr)
	return addr
}

// locate notes where each request comes from.
func (s *Server) locate(c *gin.Context) {
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), clientKey{}, s.clients.locate(c.Request)))
	c.Next()
}

// locate follows X-Forwarded-For from its end, which the nearest proxy has written, for as long as the addresses are
// those of trusted proxies. What an untrusted client has put there is never reached.
func (o Clients) locate(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	client := plain(peer.Addr())
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && inside(o.TrustedProxies, client); i-- {
		hop, ok := parseHop(hops[i])
		if !ok {
			break
		}
		client = hop
	}
	return client
}

// parseHop reads an address, which some proxies write with a port.
func parseHop(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if addr, err := netip.ParseAddr(strings.Trim(hop, "[]")); err == nil {
		return plain(addr), true
	}
	if withPort, err := netip.ParseAddrPort(hop); err == nil {
		return plain(withPort.Addr()), true
	}
	return netip.Addr{}, false
}

// plain gives an address one spelling: an IPv4 address in IPv6 is an IPv4 address.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

func (o Clients) admits(client netip.Addr) bool { return len(o.Allow) == 0 || inside(o.Allow, client) }

func inside(networks []netip.Prefix, addr netip.Addr) bool {
	for _, network := range networks {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}
