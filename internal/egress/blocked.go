package egress

import "net/netip"

// globalUnicast6 is all of IPv6 that has been given out for use on the Internet. What lies outside can't be a receiver:
// loopback ::1, unspecified ::, IPv4-compatible ::/96, the NAT64 prefixes 64:ff9b::/96 and 64:ff9b:1::/48 (which reach
// any IPv4 address), discard-only 100::/64, segment routing 5f00::/16, unique local fc00::/7, link-local fe80::/10,
// site-local fec0::/10, multicast ff00::/8.
func globalUnicast6() netip.Prefix { return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20}), 3) }

// blockedPrefixes are the special-purpose networks of IPv4, and those of IPv6 that lie within globalUnicast6.
func blockedPrefixes() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),        // this network; 0.0.0.0 reaches the local host
		netip.MustParsePrefix("10.0.0.0/8"),       // private
		netip.MustParsePrefix("100.64.0.0/10"),    // shared by carrier-grade NAT
		netip.MustParsePrefix("127.0.0.0/8"),      // loopback
		netip.MustParsePrefix("168.63.129.16/32"), // the Azure host that serves the virtual machine it runs
		netip.MustParsePrefix("169.254.0.0/16"),   // link-local, and with it the metadata services of clouds
		netip.MustParsePrefix("172.16.0.0/12"),    // private
		netip.MustParsePrefix("192.0.0.0/24"),     // protocol assignments
		netip.MustParsePrefix("192.0.2.0/24"),     // documentation
		netip.MustParsePrefix("192.88.99.0/24"),   // 6to4 relays
		netip.MustParsePrefix("192.168.0.0/16"),   // private
		netip.MustParsePrefix("198.18.0.0/15"),    // benchmarking
		netip.MustParsePrefix("198.51.100.0/24"),  // documentation
		netip.MustParsePrefix("203.0.113.0/24"),   // documentation
		netip.MustParsePrefix("224.0.0.0/4"),      // multicast
		netip.MustParsePrefix("240.0.0.0/4"),      // reserved, and broadcast
		netip.MustParsePrefix("2001::/23"),        // protocol assignments; 2001::/32 in it is Teredo
		netip.MustParsePrefix("2001:db8::/32"),    // documentation
		netip.MustParsePrefix("2002::/16"),        // 6to4, which reaches any IPv4 address
		netip.MustParsePrefix("3fff::/20"),        // documentation
	}
}
