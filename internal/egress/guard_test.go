package egress

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGuard(t *testing.T) {
	t.Parallel()
	guard := NewGuard()

	blocked := map[string][]string{
		"this network":             {"0.0.0.0", "0.255.255.255"},
		"private":                  {"10.0.0.1", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"},
		"carrier-grade NAT":        {"100.64.0.0", "100.100.100.200", "100.127.255.255"},
		"loopback":                 {"127.0.0.1", "127.255.255.255", "::1"},
		"link-local":               {"169.254.0.0", "169.254.169.254", "169.254.255.255", "fe80::1", "febf:ffff::", "fe80::1%eth0"},
		"cloud platform":           {"168.63.129.16", "192.0.0.192", "fd00:ec2::254"},
		"protocol assignments":     {"192.0.0.0", "192.0.0.255", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:1ff::"},
		"documentation":            {"192.0.2.0", "192.0.2.255", "198.51.100.7", "203.0.113.7", "2001:db8::", "2001:db8:ffff::", "3fff::", "3fff:fff::"},
		"6to4":                     {"192.88.99.0", "192.88.99.255", "2002::", "2002:7f00:1::", "2002:ffff::"},
		"benchmarking":             {"198.18.0.0", "198.19.255.255"},
		"multicast":                {"224.0.0.1", "239.255.255.255", "ff00::", "ff02::1"},
		"reserved and broadcast":   {"240.0.0.0", "255.255.255.254", "255.255.255.255"},
		"unspecified":              {"::"},
		"IPv4 inside IPv6":         {"::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::ffff:0:127.0.0.1"},
		"NAT64":                    {"64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::", "64:ff9b:1:ffff::"},
		"discard":                  {"100::", "100::ffff:ffff:ffff:ffff"},
		"segment routing":          {"5f00::", "5f00:ffff::"},
		"unique local, site-local": {"fc00::", "fdff:ffff::", "fec0::", "feff::"},
		"not assigned":             {"1fff::", "4000::"},
	}
	for kind, addrs := range blocked {
		t.Run(kind+" is blocked", func(t *testing.T) {
			t.Parallel()
			for _, text := range addrs {
				addr := netip.MustParseAddr(text)
				err := guard.Allowed(addr)
				e, ok := errors.AsType[*BlockedError](err)
				require.True(t, ok, "%s: %v", text, err)
				require.Equal(t, addr.Unmap().WithZone(""), e.Addr)
			}
		})
	}

	t.Run("neighbours of blocked networks and other public addresses are allowed", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{
			"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
			"168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
			"191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0",
			"198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255",
			"8.8.8.8", "::ffff:8.8.8.8", "2000::1", "2001:200::", "2001:db7:ffff::", "2001:db9::", "2001:4860:4860::8888",
			"2003::", "2606:4700::1111", "3ffe:ffff::", "3fff:1000::",
		} {
			require.NoError(t, guard.Allowed(netip.MustParseAddr(text)), text)
		}
	})

	t.Run("no address at all is blocked", func(t *testing.T) {
		t.Parallel()
		require.Error(t, guard.Allowed(netip.Addr{}))
		require.Error(t, NewGuard(netip.Prefix{}).Allowed(netip.Addr{}))
	})

	t.Run("exempt subnets are allowed in whatever form subnet and address are written", func(t *testing.T) {
		t.Parallel()
		guard := NewGuard(
			netip.MustParsePrefix("10.1.2.3/16"),
			netip.MustParsePrefix("::ffff:192.168.7.0/120"),
			netip.MustParsePrefix("fd00:1::/32"),
			netip.MustParsePrefix("fe80::/64"),
		)
		for _, text := range []string{"10.1.0.0", "::ffff:10.1.255.255", "192.168.7.9", "::ffff:192.168.7.9", "fd00:1::5", "fe80::1%eth0"} {
			require.NoError(t, guard.Allowed(netip.MustParseAddr(text)), text)
		}
		for _, text := range []string{"10.2.0.0", "::ffff:10.0.255.255", "192.168.8.0", "fd00:2::", "127.0.0.1", "::1"} {
			require.Error(t, guard.Allowed(netip.MustParseAddr(text)), text)
		}
	})

	t.Run("what the dialer passes and can't be read is not connected to", func(t *testing.T) {
		t.Parallel()
		require.Error(t, guard.control(t.Context(), "tcp", "nonsense", nil))
		require.Error(t, guard.control(t.Context(), "tcp6", "[fe80::1%eth0]:80", nil))
		require.NoError(t, guard.control(t.Context(), "tcp4", "8.8.8.8:80", nil))
	})
}

func TestPostToBlockedAddress(t *testing.T) {
	t.Parallel()

	t.Run("no connection is made, neither to a literal address nor to a name that points there", func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { _ = listener.Close() })
		_, port, err := net.SplitHostPort(listener.Addr().String())
		require.NoError(t, err)
		resolver := fakeDNS(map[string][]netip.Addr{
			"inside.test": {netip.MustParseAddr("127.0.0.1")},
			"mapped.test": {netip.MustParseAddr("::ffff:127.0.0.1")},
		})
		c := newGuardedClient(t, Options{Resolver: resolver})

		for _, host := range []string{"127.0.0.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "inside.test", "mapped.test"} {
			result := post(t, c, "http://"+host+":"+port)
			require.Equal(t, Blocked, result.Class, "%s: %s", host, result.Message)
			require.Equal(t, "address 127.0.0.1 is blocked by the network policy", result.Message)
			require.Zero(t, result.Status)
			require.Empty(t, result.RemoteAddr)
			require.False(t, result.Success())
		}

		ours, err := net.Dial("tcp", listener.Addr().String())
		require.NoError(t, err)
		defer ours.Close()
		first, err := listener.Accept()
		require.NoError(t, err)
		defer first.Close()
		require.Equal(t, ours.LocalAddr().String(), first.RemoteAddr().String(), "somebody connected before us")
	})

	t.Run("a name with a blocked and an allowed address reaches the allowed one", func(t *testing.T) {
		t.Parallel()
		server := newServer(t, func(http.ResponseWriter, *http.Request) {})
		c := newGuardedClient(t, Options{
			AllowSubnets: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
			Resolver: fakeDNS(map[string][]netip.Addr{
				"both.test": {netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("127.0.0.1")},
			}),
		})
		result := post(t, c, strings.Replace(server.URL, "127.0.0.1", "both.test", 1))
		require.True(t, result.Success(), result.Message)
	})

	t.Run("a mapped address in an exempt subnet is reached", func(t *testing.T) {
		t.Parallel()
		server := newServer(t, func(http.ResponseWriter, *http.Request) {})
		result := post(t, newClient(t, Options{}), strings.Replace(server.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1))
		require.True(t, result.Success(), result.Message)
	})

	t.Run("the loopback of IPv6 is blocked, and reached if exempt", func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp6", "[::1]:0")
		if err != nil {
			return // this machine has no IPv6; TestGuard covers the decision
		}
		server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
		served := make(chan error, 1)
		go func() { served <- server.Serve(listener) }()
		t.Cleanup(func() {
			_ = server.Close()
			<-served
		})
		url := "http://" + listener.Addr().String()
		require.Equal(t, "address ::1 is blocked by the network policy", post(t, newGuardedClient(t, Options{}), url).Message)
		result := post(t, newClient(t, Options{}), url)
		require.True(t, result.Success(), result.Message)
	})
}
