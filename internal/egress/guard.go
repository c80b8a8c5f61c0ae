package egress

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"
)

// BlockedError says that the network policy forbids an address.
type BlockedError struct{ Addr netip.Addr }

func (e *BlockedError) Error() string {
	return fmt.Sprintf("address %s is blocked by the network policy", e.Addr)
}

// Guard is the network policy: webhooks go to public unicast addresses and to the exempt subnets, nowhere else. Without
// it, whoever may enter an endpoint URL could reach the networks behind the sender. There are no exempt host names,
// because whoever owns a name decides where it points.
type Guard struct {
	exempt  []netip.Prefix
	blocked []netip.Prefix
}

// NewGuard returns the policy with some subnets exempt. An IPv4 subnet may also be given in its IPv6-mapped form.
func NewGuard(exempt ...netip.Prefix) *Guard {
	g := &Guard{blocked: blockedPrefixes()}
	for _, p := range exempt {
		g.exempt = append(g.exempt, unmapPrefix(p))
	}
	return g
}

// Allowed returns nil or a *BlockedError. IPv4 addresses mapped into IPv6 count as what they stand for.
func (g *Guard) Allowed(addr netip.Addr) error {
	addr = addr.Unmap().WithZone("") // a prefix never contains an address with a zone
	if contains(g.exempt, addr) {
		return nil
	}
	if !addr.IsValid() || addr.Is6() && !globalUnicast6().Contains(addr) || contains(g.blocked, addr) {
		return &BlockedError{Addr: addr}
	}
	return nil
}

// control is a net.Dialer's ControlContext. The dialer calls it for each address that it is about to connect to, when
// nothing can change any more where the connection goes. Checking a host name earlier would leave time to change it.
func (g *Guard) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	target, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("checking address %q against the network policy: %w", address, err)
	}
	return g.Allowed(target.Addr())
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// unmapPrefix turns ::ffff:10.0.0.0/104 into 10.0.0.0/8.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked()
	}
	return p.Masked()
}
