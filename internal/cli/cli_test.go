package cli

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/config"
)

func TestMisuseIsOneLineAndCode2(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		env  map[string]string
		want string
	}{
		"an unknown command": {
			args: []string{"frobnicate"},
			want: `unexpected argument frobnicate (run "posthorn --help")`,
		},
		"an unknown flag": {
			args: []string{"dev", "--listn", "127.0.0.1:1"},
			want: `unknown flag --listn, did you mean "--listen"? (run "posthorn dev --help")`,
		},
		"a flag without its value": {
			args: []string{"dev", "--data-dir"},
			want: `--data-dir needs a value (run "posthorn dev --help")`,
		},
		"an argument too few": {
			args: []string{"send", "demo"},
			want: `expected "<event-type>" (run "posthorn send --help")`,
		},
		"an address without a port": {
			args: []string{"dev", "--listen", "localhost"},
			want: `--listen must be host:port such as 127.0.0.1:8071, not "localhost" (run "posthorn dev --help")`,
		},
		"a Temporal address without a port": {
			args: []string{"dev", "--temporal-listen", "localhost"},
			want: `--temporal-listen must be host:port such as 127.0.0.1:8071, not "localhost" (run "posthorn dev --help")`,
		},
		"a Web UI address without a port": {
			args: []string{"dev", "--temporal-ui-listen", "on"},
			want: `--temporal-ui-listen must be host:port such as 127.0.0.1:8071, not "on" (run "posthorn dev --help")`,
		},
		"no data folder": {
			args: []string{"dev", "--data-dir", ""},
			want: `--data-dir must name a folder (run "posthorn dev --help")`,
		},
		"a wait that is no duration": {
			args: []string{"dev", "--retry-schedule", "5s,soon"},
			want: `--retry-schedule: "soon" is not a duration such as 30s, 5m or 2h (run "posthorn dev --help")`,
		},
		"a wait that is too long": {
			args: []string{"dev", "--retry-schedule", "721h"},
			want: `--retry-schedule must have waits above 0 and up to 30 days (720h), not 721h0m0s (run "posthorn dev --help")`,
		},
		"a timeout that is no duration": {
			args: []string{"dev", "--attempt-timeout", "15"},
			want: `--attempt-timeout: "15" is not a duration such as 500ms, 15s or 1m (run "posthorn dev --help")`,
		},
		"a timeout out of bounds": {
			args: []string{"dev", "--attempt-timeout", "2m"},
			want: `--attempt-timeout must be between 1s and 1m0s, not 2m0s (run "posthorn dev --help")`,
		},
		"a subnet that is none": {
			args: []string{"dev", "--allow-subnets", "10.0.0.0/8,intranet"},
			want: `--allow-subnets: "intranet" is not a network such as 10.0.0.0/8 (run "posthorn dev --help")`,
		},
		"a retention that is no time": {
			args: []string{"dev", "--message-retention", "for ever"},
			want: `--message-retention: "for ever" is not a time such as 30m, 24h or 7d (run "posthorn dev --help")`,
		},
		"a retention that is too short": {
			args: []string{"dev", "--attempt-retention", "1d"},
			want: `--attempt-retention must be 0, which means for ever, or at least 48 hours, not 24h0m0s (run "posthorn dev --help")`,
		},
		"a proxy that is no URL, whose password is not repeated": {
			args: []string{"dev"},
			env:  map[string]string{"POSTHORN_PROXY": "user:hunter2@proxy:3128"},
			want: `--proxy must be a URL with http, https, socks5 or socks5h, such as http://proxy.example.com:3128 or socks5://10.0.0.7:1080 (set by POSTHORN_PROXY) (run "posthorn dev --help")`,
		},
		"a hole in a wall that there is not": {
			args: []string{"dev", "--no-proxy", "10.0.0.0/8"},
			want: `--no-proxy needs --proxy (run "posthorn dev --help")`,
		},
		"authorities for nothing": {
			args: []string{"dev", "--ca-file", "ca.pem", "--dangerous-skip-tls-verify"},
			want: `--ca-file and --dangerous-skip-tls-verify exclude each other (run "posthorn dev --help")`,
		},
		"an unknown durability": {
			args: []string{"dev", "--durability", "some"},
			want: `--durability must be one of "full","normal" but got "some" (run "posthorn dev --help")`,
		},
		"an unknown log format": {
			args: []string{"dev", "--log-format", "xml"},
			want: `--log-format must be one of "text","json" but got "xml" (run "posthorn dev --help")`,
		},
		"an unknown log level": {
			args: []string{"dev", "--log-level", "loud"},
			want: `--log-level: must be debug, info, warn or error, not "loud" (run "posthorn dev --help")`,
		},
		"several problems at once, one from a variable": {
			args: []string{"dev", "--attempt-timeout", "2m"},
			env:  map[string]string{"POSTHORN_LISTEN": "localhost"},
			want: `--listen must be host:port such as 127.0.0.1:8071, not "localhost"; --attempt-timeout must be between 1s and 1m0s, not 2m0s (set by POSTHORN_LISTEN) (run "posthorn dev --help")`,
		},
		"a bad variable is named": {
			args: []string{"dev"},
			env:  map[string]string{"POSTHORN_LOG_LEVEL": "loud"},
			want: `--log-level: must be debug, info, warn or error, not "loud" (set by POSTHORN_LOG_LEVEL) (run "posthorn dev --help")`,
		},
		"a server that is no URL": {
			args: []string{"healthcheck", "--server", "localhost:8071"},
			want: `--server must be a URL such as http://127.0.0.1:8071, not "localhost:8071" (run "posthorn healthcheck --help")`,
		},
		"a name that no application has": {
			args: []string{"send", "..", "order.created"},
			want: `an application is named with letters, digits, hyphens, full stops and underscores, not ".." (run "posthorn send --help")`,
		},
		"an id that is none": {
			args: []string{"token", "--app", "app_1"},
			want: `--app app_1 is not an id: ids are app_ and 26 characters (run "posthorn token --help")`,
		},
		"a status that is none": {
			args: []string{"listen", "--status", "99"},
			want: `--status must be between 200 and 599, not 99 (run "posthorn listen --help")`,
		},
		"two ways to answer": {
			args: []string{"listen", "--status", "500", "--forward", "http://localhost:3000"},
			want: `--status and --forward exclude each other: what is forwarded gets the answer from there (run "posthorn listen --help")`,
		},
		"a forward address that is no URL": {
			args: []string{"listen", "--forward", "localhost:3000"},
			want: `--forward must be a URL such as http://localhost:3000/webhooks, not "localhost:3000" (run "posthorn listen --help")`,
		},
		"an address that cannot be sent to": {
			args: []string{"listen", "--address", "0.0.0.0:4000"},
			want: `--address must name the host that the server is to send to, not "0.0.0.0:4000" (run "posthorn listen --help")`,
		},
		"no token and no data folder": {
			args: []string{"listen", "--data-dir", "/nowhere"},
			want: `no token: give one with --token, or --data-dir: /nowhere is not the data folder of a server (run "posthorn listen --help")`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			env := func(name string) (string, bool) {
				value, ok := tc.env[name]
				return value, ok
			}

			code := Main(t.Context(), tc.args, strings.NewReader(""), &stdout, &stderr, env)

			require.Equal(t, 2, code)
			require.Equal(t, "posthorn: "+tc.want+"\n", stderr.String())
			require.Empty(t, stdout.String())
		})
	}
}

func TestHelpTellsEveryFlagWithItsVariableAndDefault(t *testing.T) {
	t.Parallel()
	for command, flags := range map[string][]struct{ flag, note string }{
		"dev": {
			{"--listen=", "[default 127.0.0.1:8071; $POSTHORN_LISTEN]"},
			{"--data-dir=", "[default ./posthorn-data; $POSTHORN_DATA_DIR]"},
			{"--temporal-listen=", "[default 127.0.0.1:7233; $POSTHORN_TEMPORAL_LISTEN]"},
			{"--temporal-ui-listen=", "[default 127.0.0.1:8233; $POSTHORN_TEMPORAL_UI_LISTEN]"},
			{"--retry-schedule=", "[default 5s,5m,30m,2h,5h,10h,14h,20h,24h; $POSTHORN_RETRY_SCHEDULE]"},
			{"--attempt-timeout=", "[default 15s; $POSTHORN_ATTEMPT_TIMEOUT]"},
			{"--message-retention=", "[default 90d; $POSTHORN_MESSAGE_RETENTION]"},
			{"--attempt-retention=", "[default 90d; $POSTHORN_ATTEMPT_RETENTION]"},
			{"--allow-subnets=", "[$POSTHORN_ALLOW_SUBNETS]"},
			{"--proxy=", "[$POSTHORN_PROXY]"},
			{"--no-proxy=", "[$POSTHORN_NO_PROXY]"},
			{"--ca-file=", "[$POSTHORN_CA_FILE]"},
			{"--dangerous-skip-tls-verify", "[$POSTHORN_DANGEROUS_SKIP_TLS_VERIFY]"},
			{"--durability=", "[default full; $POSTHORN_DURABILITY]"},
			{"--log-format=", "[default text; $POSTHORN_LOG_FORMAT]"},
			{"--log-level=", "[default info; $POSTHORN_LOG_LEVEL]"},
		},
		"send": {
			{"--server=", "[default http://127.0.0.1:8071; $POSTHORN_SERVER]"},
			{"--token=", "[$POSTHORN_TOKEN]"},
			{"--data-dir=", "[default ./posthorn-data; $POSTHORN_DATA_DIR]"},
			{"--data=", "[default {}; $POSTHORN_DATA]"},
			{"--event-id=", "[$POSTHORN_EVENT_ID]"},
			{"--channels=", "[$POSTHORN_CHANNELS]"},
			{"--create", "[$POSTHORN_CREATE]"},
			{"--wait=", "[default 3s; $POSTHORN_WAIT]"},
		},
		"listen": {
			{"--app=", "[default demo; $POSTHORN_APP]"},
			{"--event-types=", "[$POSTHORN_EVENT_TYPES]"},
			{"--forward=", "[$POSTHORN_FORWARD]"},
			{"--status=", "[default 200; $POSTHORN_STATUS]"},
			{"--address=", "[default 127.0.0.1:0; $POSTHORN_ADDRESS]"},
			{"--json", "[$POSTHORN_JSON]"},
		},
		"token": {
			{"--app=", "[$POSTHORN_APP]"},
			{"--data-dir=", "[default ./posthorn-data; $POSTHORN_DATA_DIR]"},
			{"--server=", "[default http://127.0.0.1:8071; $POSTHORN_SERVER]"},
		},
		"healthcheck": {{"--server=", "[default http://127.0.0.1:8071; $POSTHORN_SERVER]"}},
	} {
		for _, spelling := range [][]string{{command, "--help"}, {"help", command}} {
			t.Run(strings.Join(spelling, " "), func(t *testing.T) {
				t.Parallel()
				b := setup(t)

				require.Equal(t, 0, b.run(t, spelling...))

				require.Empty(t, b.stderr.String())
				text := strings.Join(strings.Fields(b.stdout.String()), " ") // as it is wrapped does not matter
				for _, f := range flags {
					require.Contains(t, text, " "+f.flag)
					require.Contains(t, text, f.note)
				}
			})
		}
	}
}

func TestWithoutACommandTheHelpTextListsThem(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.Equal(t, 0, b.run(t))
	for _, command := range []string{"dev", "backup", "restore", "send", "listen", "token", "revoke", "healthcheck", "version"} {
		require.Contains(t, b.stdout.String(), "\n  "+command+" ")
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	want := config.Config{
		Listen:           "127.0.0.1:1",
		DataDir:          "/data",
		TemporalListen:   "127.0.0.1:2",
		TemporalUIListen: "",
		RetrySchedule:    posthorn.Schedule{time.Second, time.Minute},
		AttemptTimeout:   3 * time.Second,
		AllowSubnets: []netip.Prefix{
			netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.168.1.7/32"),
			netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
		},
		Outgoing: config.Outgoing{
			Proxy: "socks5://user:hunter2@10.0.0.7:1080", NoProxy: []string{"internal.test", "10.0.0.0/8"}, CAFile: "/ca.pem",
		},
		JWT: config.JWT{Algorithm: "EdDSA", KeyFile: "/key.pem"},
		Access: config.Access{
			PublicURL:        "https://hooks.example.com",
			AllowClients:     []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")},
			TrustedProxies:   []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")},
			RateLimitToken:   config.Rate{PerSecond: 50, Burst: 200},
			RateLimitAddress: config.Rate{PerSecond: 0.5, Burst: 1},
		},
		Retention:  config.Retention{Messages: 30 * 24 * time.Hour},
		Durability: config.Normal,
		LogFormat:  config.JSON,
		LogLevel:   slog.LevelWarn,
		Cluster:    config.Default().Cluster,

		Health: config.Health{BreakerFailures: 3, BreakerProbeInterval: 5 * time.Second, DisableAfter: time.Hour},

		EndpointHTTPSOnly:    true,
		DefaultSignatureType: config.Ed25519,
		MainSecret:           "a main secret of tests",
	}
	given := map[string]string{
		"listen": "127.0.0.1:1", "data-dir": "/data", "temporal-listen": "127.0.0.1:2", "temporal-ui-listen": "off",
		"retry-schedule": "1s,1m", "attempt-timeout": "3s", "allow-subnets": "10.1.2.3/8,192.168.1.7",
		"proxy": "socks5://user:hunter2@10.0.0.7:1080", "no-proxy": "internal.test, 10.0.0.0/8", "ca-file": "/ca.pem",
		"jwt-algorithm": "EdDSA", "jwt-key-file": "/key.pem", "public-url": "https://hooks.example.com",
		"allow-clients": "10.0.0.0/8,2001:db8::/32", "trusted-proxies": "10.0.0.1", "rate-limit-token": "50:200", "rate-limit-address": "0.5",
		"durability": "normal", "log-format": "json", "log-level": "WARN",
		"breaker-failures": "3", "breaker-probe-interval": "5s", "disable-endpoints-after": "1h",
		"message-retention": "30d", "attempt-retention": "0",
		"endpoint-https-only": "true", "default-signature-type": "ed25519", "main-secret": "a main secret of tests",
	}

	t.Run("come from flags", func(t *testing.T) {
		t.Parallel()
		args := []string{"dev"}
		for flag, value := range given {
			args = append(args, "--"+flag+"="+value)
		}
		require.Equal(t, want, configured(t, setup(t), args...))
	})
	t.Run("come from variables of the same name", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for flag, value := range given {
			b.env["POSTHORN_"+strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))] = value
		}
		require.Equal(t, want, configured(t, b, "dev"))
	})
	t.Run("are the defaults and the loopback networks otherwise", func(t *testing.T) {
		t.Parallel()
		plain := config.Default()
		plain.AllowSubnets = want.AllowSubnets[2:]
		require.Equal(t, plain, configured(t, setup(t), "dev"))
	})
	t.Run("prefer the flag to the variable", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.env["POSTHORN_LISTEN"] = "nonsense"
		require.Equal(t, "127.0.0.1:9", configured(t, b, "dev", "--listen", "127.0.0.1:9").Listen)
	})
	t.Run("take an empty schedule as a single attempt", func(t *testing.T) {
		t.Parallel()
		require.Empty(t, configured(t, setup(t), "dev", "--retry-schedule=").RetrySchedule)
		b := setup(t)
		b.env["POSTHORN_RETRY_SCHEDULE"] = ""
		require.Empty(t, configured(t, b, "dev").RetrySchedule)
	})
	t.Run("take other empty variables as not set", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.env["POSTHORN_LISTEN"] = ""
		require.Equal(t, config.Default().Listen, configured(t, b, "dev").Listen)
	})
}

// configured returns what a server would run with.
func configured(t *testing.T, b *bundle, args ...string) config.Config {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // it ends as soon as it has started
	require.Equal(t, 0, b.program.main(ctx, args), b.stderr)
	return b.configured
}
