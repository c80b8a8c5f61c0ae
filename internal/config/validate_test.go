package config_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/config"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*config.Config)
		want   []string // the problems, in order; none = valid
	}{
		"the defaults are valid":               {change: func(*config.Config) {}},
		"no Web UI is valid":                   {change: func(c *config.Config) { c.TemporalUIListen = "" }},
		"an empty schedule is a single try":    {change: func(c *config.Config) { c.RetrySchedule = posthorn.Schedule{} }},
		"an empty host is every interface":     {change: func(c *config.Config) { c.Listen = ":8071" }},
		"an IPv6 host needs its brackets":      {change: func(c *config.Config) { c.Listen = "[::1]:8071" }},
		"free ports may be asked for together": {change: func(c *config.Config) { c.Listen, c.TemporalListen = "127.0.0.1:0", "127.0.0.1:0" }},
		"the bounds themselves are allowed": {change: func(c *config.Config) {
			c.AttemptTimeout = time.Minute
			c.RetrySchedule = slices.Repeat(posthorn.Schedule{30 * 24 * time.Hour}, 50)
		}},
		"an address has a port": {
			change: func(c *config.Config) { c.Listen = "localhost" },
			want:   []string{`--listen must be host:port such as 127.0.0.1:8071, not "localhost"`},
		},
		"a port is a number": {
			change: func(c *config.Config) { c.TemporalListen = "127.0.0.1:grpc" },
			want:   []string{`--temporal-listen must have a port between 0 and 65535, not "127.0.0.1:grpc"`},
		},
		"two services cannot share a port": {
			change: func(c *config.Config) { c.TemporalUIListen = c.Listen },
			want:   []string{`--temporal-ui-listen must differ from --listen, both are 127.0.0.1:8071`},
		},
		"the timeout has a lower bound": {
			change: func(c *config.Config) { c.AttemptTimeout = time.Millisecond },
			want:   []string{`--attempt-timeout must be between 1s and 1m0s, not 1ms`},
		},
		"the schedule has an end": {
			change: func(c *config.Config) { c.RetrySchedule = slices.Repeat(posthorn.Schedule{time.Second}, 51) },
			want:   []string{`--retry-schedule must have at most 50 waits, not 51`},
		},
		"a signature has a kind": {
			change: func(c *config.Config) { c.DefaultSignatureType = "rsa" },
			want:   []string{`--default-signature-type must be hmac256 or ed25519, not "rsa"`},
		},
		"a main secret has a length, and is not repeated": {
			change: func(c *config.Config) { c.MainSecret = "too short" },
			want:   []string{`--main-secret must have at least 16 bytes, not 9`},
		},
		"a main secret comes from one place": {
			change: func(c *config.Config) { c.MainSecret, c.MainSecretFile = "0123456789abcdef", "/secret" },
			want:   []string{`--main-secret and --main-secret-file exclude each other`},
		},
		"a subnet left out is noticed": {
			change: func(c *config.Config) { c.AllowSubnets = []netip.Prefix{{}} },
			want:   []string{`--allow-subnets must be networks such as 10.0.0.0/8`},
		},
		"a proxy is a URL, whose password is not repeated": {
			change: func(c *config.Config) { c.Outgoing.Proxy = "http://user:hunter2@proxy:99999" },
			want:   []string{`--proxy must be a URL with host and port alone, such as http://proxy.example.com:3128 or socks5://10.0.0.7:1080`},
		},
		"a proxy speaks a protocol that is known": {
			change: func(c *config.Config) { c.Outgoing.Proxy = "ftp://proxy" },
			want:   []string{`--proxy must be a URL with http, https, socks5 or socks5h, such as http://proxy.example.com:3128 or socks5://10.0.0.7:1080`},
		},
		"a proxy has no path": {
			change: func(c *config.Config) { c.Outgoing.Proxy = "http://proxy/path" },
			want:   []string{`--proxy must be a URL with host and port alone, such as http://proxy.example.com:3128 or socks5://10.0.0.7:1080`},
		},
		"all that can be said of a proxy is valid": {change: func(c *config.Config) {
			c.Outgoing.Proxy = "socks5h://user:hunter2@[2001:db8::1]:1080/"
			c.Outgoing.NoProxy = []string{"internal.test", ".below.test", "*.star.test", "a.test:8080", "10.0.0.0/8", "10.0.0.1:80", "[fd00::1]:80", "fd00::/8", "fd00::1", "*"}
		}},
		"exceptions are hosts, and need a proxy": {
			change: func(c *config.Config) { c.Outgoing.NoProxy = []string{"10.0.0.0/33", "http://a.test", "", "a b"} },
			want: []string{
				`--no-proxy must have names, addresses and networks such as internal.example.com,10.0.0.0/8, not "10.0.0.0/33"`,
				`--no-proxy must have names, addresses and networks such as internal.example.com,10.0.0.0/8, not "http://a.test"`,
				`--no-proxy must have names, addresses and networks such as internal.example.com,10.0.0.0/8, not ""`,
				`--no-proxy must have names, addresses and networks such as internal.example.com,10.0.0.0/8, not "a b"`,
				`--no-proxy needs --proxy`,
			},
		},
		"who trusts everybody needs no authorities": {
			change: func(c *config.Config) { c.Outgoing.CAFile, c.Outgoing.SkipTLSVerify = "ca.pem", true },
			want:   []string{`--ca-file and --dangerous-skip-tls-verify exclude each other`},
		},
		"an algorithm with a key pair needs a file": {
			change: func(c *config.Config) { c.JWT.Algorithm = "EdDSA" },
			want:   []string{`--jwt-key-file must name a file with a private or a public key for --jwt-algorithm EdDSA`},
		},
		"a file makes it valid": {change: func(c *config.Config) { c.JWT = config.JWT{Algorithm: "RS512", KeyFile: "key.pem"} }},
		"unsigned tokens are not to be had": {
			change: func(c *config.Config) { c.JWT.Algorithm = "none" },
			want:   []string{`--jwt-algorithm must be one of HS256, HS384, HS512, RS256, RS384, RS512, EdDSA, not "none"`},
		},
		"rates, networks and the public address are checked": {
			change: func(c *config.Config) {
				c.Access = config.Access{
					PublicURL: "hooks.example.com", AllowClients: []netip.Prefix{{}}, TrustedProxies: []netip.Prefix{{}},
					RateLimitToken: config.Rate{PerSecond: -1, Burst: 1}, RateLimitAddress: config.Rate{PerSecond: 1},
				}
			},
			want: []string{
				`--public-url must be a URL such as https://hooks.example.com, not "hooks.example.com"`,
				`--allow-clients must be networks such as 10.0.0.0/8`,
				`--trusted-proxies must be networks such as 10.0.0.0/8`,
				`--rate-limit-token must be above 0 requests per second, with at least 1 at once`,
				`--rate-limit-address must be above 0 requests per second, with at least 1 at once`,
			},
		},
		"health has bounds": {
			change: func(c *config.Config) {
				c.Health = config.Health{BreakerFailures: -1, BreakerProbeInterval: time.Millisecond, DisableAfter: time.Second}
			},
			want: []string{
				`--breaker-failures must be between 0 and 10000, not -1`,
				`--breaker-probe-interval must be between 1s and 24h0m0s, not 1ms`,
				`--disable-endpoints-after must be 0 or at least 1m0s, not 1s`,
			},
		},
		"health can be nobody's concern": {change: func(c *config.Config) { c.Health.BreakerFailures, c.Health.DisableAfter = 0, 0 }},
		"what is kept for ever, or for the least time, is valid": {change: func(c *config.Config) {
			c.Retention = config.Retention{Attempts: 48 * time.Hour}
		}},
		"what is kept shorter or negative is not": {
			change: func(c *config.Config) { c.Retention = config.Retention{Messages: 47 * time.Hour, Attempts: -1} },
			want: []string{
				`--message-retention must be 0, which means for ever, or at least 48 hours, not 47h0m0s`,
				`--attempt-retention must be 0, which means for ever, or at least 48 hours, not -1ns`,
			},
		},
		"all problems are told at once": {
			change: func(c *config.Config) {
				c.DataDir = " "
				c.RetrySchedule = posthorn.Schedule{time.Second, 31 * 24 * time.Hour}
				c.AttemptTimeout = time.Hour
				c.Durability = "some"
				c.LogFormat = "xml"
			},
			want: []string{
				`--data-dir must name a folder`,
				`--retry-schedule must have waits above 0 and up to 30 days (720h), not 744h0m0s`,
				`--attempt-timeout must be between 1s and 1m0s, not 1h0m0s`,
				`--durability must be full or normal, not "some"`,
				`--log-format must be text or json, not "xml"`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config.Default()
			tc.change(&cfg)

			err := cfg.Validate()

			if tc.want == nil {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, strings.Join(tc.want, "\n"))
		})
	}
}
