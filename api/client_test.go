package api

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

func networks(cidrs ...string) (all []netip.Prefix) {
	for _, cidr := range cidrs {
		all = append(all, netip.MustParsePrefix(cidr))
	}
	return all
}

func TestWhereARequestComesFrom(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		trusted   []netip.Prefix
		peer      string
		forwarded []string
		want      string
	}{
		"the peer": {nil, "192.0.2.1:5", nil, "192.0.2.1"},
		"the peer, whatever it says, if it is not trusted":  {nil, "192.0.2.1:5", []string{"10.0.0.1"}, "192.0.2.1"},
		"the peer, if others are trusted":                   {networks("10.0.0.0/8"), "192.0.2.1:5", []string{"10.0.0.1"}, "192.0.2.1"},
		"who the proxy says":                                {networks("10.0.0.0/8"), "10.0.0.9:5", []string{"192.0.2.7"}, "192.0.2.7"},
		"not who the client says that it is":                {networks("10.0.0.0/8"), "10.0.0.9:5", []string{"10.1.1.1, 127.0.0.1, 192.0.2.7"}, "192.0.2.7"},
		"through several proxies":                           {networks("10.0.0.0/8", "172.16.0.0/12"), "10.0.0.9:5", []string{"6.6.6.6", "192.0.2.7,172.16.0.1", " 10.0.0.3 "}, "192.0.2.7"},
		"the furthest proxy, if all are trusted":            {networks("10.0.0.0/8"), "10.0.0.9:5", []string{"10.0.0.1, 10.0.0.2"}, "10.0.0.1"},
		"the proxy, if it says nothing":                     {networks("10.0.0.0/8"), "10.0.0.9:5", nil, "10.0.0.9"},
		"the last that can be read":                         {networks("10.0.0.0/8"), "10.0.0.9:5", []string{"192.0.2.7, unknown, 10.0.0.2"}, "10.0.0.2"},
		"an address with a port":                            {networks("10.0.0.0/8"), "10.0.0.9:5", []string{"192.0.2.7:4711"}, "192.0.2.7"},
		"IPv6 in brackets, with a port":                     {networks("10.0.0.0/8"), "10.0.0.9:5", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		"IPv6 in brackets":                                  {networks("10.0.0.0/8"), "10.0.0.9:5", []string{"[2001:db8::1]"}, "2001:db8::1"},
		"an IPv4 address in IPv6, of peer and proxy":        {networks("10.0.0.0/8"), "[::ffff:10.0.0.9]:5", []string{"::ffff:192.0.2.7"}, "192.0.2.7"},
		"a link-local address without its zone":             {nil, "[fe80::1%eth0]:5", nil, "fe80::1"},
		"nowhere, if the peer has no address that is known": {networks("0.0.0.0/0"), "@", []string{"192.0.2.7"}, "invalid IP"},
	} {
		got := Clients{TrustedProxies: c.trusted}.locate(&http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.forwarded}})
		require.Equal(t, c.want, got.String(), name)
	}
}

func TestAllowedClients(t *testing.T) {
	t.Parallel()
	b := setup(t)
	local := networks("127.0.0.0/8", "::1/128")
	from := func(b *bundle, client, token, path string) reply {
		return b.with(http.Header{"X-Forwarded-For": {client}, "Authorization": {"Bearer " + token}}, "GET", path, "")
	}

	t.Run("are served, others are not, whatever their token", func(t *testing.T) {
		b := b.serve(t, func(o *Options) {
			o.Clients = Clients{Allow: networks("10.0.0.0/8", "2001:db8::/32"), TrustedProxies: local}
		})
		require.Equal(t, http.StatusOK, from(b, "10.1.2.3", b.org, "/app").status)
		require.Equal(t, http.StatusOK, from(b, "2001:db8::1", b.org, "/app").status)
		require.Equal(t, http.StatusUnauthorized, from(b, "10.1.2.3", "garbage", "/app").status)
		for _, token := range []string{b.org, "garbage", string(testTokenSecret)} {
			from(b, "192.0.2.1", token, "/app").requireRefused(t, http.StatusForbidden, "insufficient access", "Requests from this address are not allowed")
		}
		require.Equal(t, http.StatusForbidden, from(b, "10.1.2.3, 192.0.2.1", b.org, "/app").status, "what a client adds is not believed")
		require.Equal(t, http.StatusNoContent, from(b, "192.0.2.1", "", "/health").status)
	})
	t.Run("can't be pretended to be without a trusted proxy", func(t *testing.T) {
		b := b.serve(t, func(o *Options) { o.Clients.Allow = networks("10.0.0.0/8") })
		require.Equal(t, http.StatusForbidden, from(b, "10.1.2.3", b.org, "/app").status)
		b = b.serve(t, func(o *Options) { o.Clients.Allow = local })
		require.Equal(t, http.StatusOK, from(b, "192.0.2.1", b.org, "/app").status)
	})
	t.Run("of one token are those that it names", func(t *testing.T) {
		b := b.serve(t, func(o *Options) { o.Clients.TrustedProxies = local })
		token := b.issue(Grant{Networks: networks("10.0.0.0/8")})
		require.Equal(t, http.StatusOK, from(b, "10.1.2.3", token, "/app").status)
		from(b, "192.0.2.1", token, "/app").requireRefused(t, http.StatusForbidden, "insufficient access", "The token may not be used from this address")
		require.Equal(t, http.StatusOK, from(b, "192.0.2.1", b.org, "/app").status)
	})
}
