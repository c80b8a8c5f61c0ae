package cli

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/config"
)

// settings are the flags of the command that runs everything in one process.
type settings struct {
	commonSettings
	DataDir          string `placeholder:"DIR" default:"${data_dir}" help:"Folder for everything that lasts: databases and secrets. Made if missing."`
	TemporalListen   string `placeholder:"ADDR" default:"${temporal_listen}" help:"Where the embedded Temporal takes gRPC calls, for the temporal CLI and your own workers."`
	TemporalUIListen string `name:"temporal-ui-listen" placeholder:"ADDR" default:"${temporal_ui_listen}" help:"Where to serve the Temporal Web UI; \"off\" for none."`
	Durability       string `enum:"full,normal" placeholder:"HOW" default:"${durability}" help:"What an accepted event survives: \"full\" the loss of power, \"normal\" a crash of this process, at a higher rate."`
}

// commonSettings are the flags of all commands that run a server.
type commonSettings struct {
	Listen         string            `placeholder:"ADDR" default:"${listen}" help:"Where to serve the API, as host:port. Port 0 takes a free one."`
	RetrySchedule  posthorn.Schedule `blank:"" sep:"none" placeholder:"WAITS" default:"${retry_schedule}" help:"Waits between the attempts of a delivery, separated by commas: up to 50, each up to 720h, spread by 20%. Empty for a single attempt."`
	AttemptTimeout duration          `placeholder:"TIME" default:"${attempt_timeout}" help:"How long a receiver may take to answer, 1s to 1m."`
	AllowSubnets   []subnet          `sep:"," placeholder:"CIDR" help:"Private networks that deliveries may go to, separated by commas, such as 10.0.0.0/8,192.168.1.7. Others are refused, so that a customer's URL cannot reach your internal services."`
	LogFormat      string            `enum:"text,json" placeholder:"FORM" default:"${log_format}" help:"Form of the log lines on stderr: text or json."`
	LogLevel       level             `placeholder:"LEVEL" default:"${log_level}" help:"Least severe level to log: debug, info, warn or error."`
	outgoingFlags
	jwtFlags
	accessFlags
	retentionFlags
	safety
	healthFlags
}

// defaults gives the help text and the flags the defaults of package config.
func defaults() kong.Vars {
	d := config.Default()
	return kong.Vars{
		"listen":             d.Listen,
		"server":             "http://" + d.Listen,
		"data_dir":           d.DataDir,
		"temporal_listen":    d.TemporalListen,
		"temporal_ui_listen": d.TemporalUIListen,
		"retry_schedule":     d.RetrySchedule.String(),
		"attempt_timeout":    d.AttemptTimeout.String(),
		"durability":         string(d.Durability),
		"log_format":         string(d.LogFormat),
		"jwt_algorithm":      d.JWT.Algorithm,
		"log_level":          strings.ToLower(d.LogLevel.String()),
		"message_retention":  kept(d.Retention.Messages).String(),
		"attempt_retention":  kept(d.Retention.Attempts).String(),

		"breaker_failures":        strconv.Itoa(d.Health.BreakerFailures),
		"breaker_probe_interval":  d.Health.BreakerProbeInterval.String(),
		"disable_endpoints_after": d.Health.DisableAfter.String(),

		"default_signature_type": string(d.DefaultSignatureType),

		"database_connections": strconv.Itoa(d.Cluster.Database.Connections),
		"drain_delay":          d.Cluster.DrainDelay.String(),
	}
}

// config returns the settings as package config has them; they still need to be validated.
func (s *settings) config() config.Config {
	cfg := s.commonSettings.config()
	cfg.DataDir, cfg.Durability = s.DataDir, config.Durability(s.Durability)
	cfg.TemporalListen, cfg.TemporalUIListen = s.TemporalListen, s.TemporalUIListen
	if s.TemporalUIListen == "off" {
		cfg.TemporalUIListen = ""
	}
	return cfg
}

func (s *commonSettings) config() config.Config {
	cfg := config.Default()
	cfg.Listen = s.Listen
	cfg.RetrySchedule = s.RetrySchedule
	cfg.AttemptTimeout = time.Duration(s.AttemptTimeout)
	cfg.LogFormat, cfg.LogLevel = config.LogFormat(s.LogFormat), slog.Level(s.LogLevel)
	cfg.Outgoing, cfg.JWT, cfg.Access, cfg.Retention = s.outgoing(), s.jwt(), s.access(), s.retention()
	cfg.AllowSubnets = prefixes(s.AllowSubnets)
	s.safety.apply(&cfg)
	s.healthFlags.apply(&cfg)
	return cfg
}

// duration is a time.Duration with an error message for people.
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 500ms, 15s or 1m", text)
	}
	*d = duration(parsed)
	return nil
}

// subnet is a network, or an address as the network of itself.
type subnet netip.Prefix

func (s *subnet) UnmarshalText(text []byte) error {
	trimmed := strings.TrimSpace(string(text))
	if prefix, err := netip.ParsePrefix(trimmed); err == nil {
		*s = subnet(prefix.Masked())
		return nil
	}
	if addr, err := netip.ParseAddr(trimmed); err == nil && addr.Zone() == "" {
		*s = subnet(netip.PrefixFrom(addr, addr.BitLen()))
		return nil
	}
	return fmt.Errorf("%q is not a network such as 10.0.0.0/8", trimmed)
}

// level is a slog.Level by its plain name.
type level slog.Level

func (l *level) UnmarshalText(text []byte) error {
	for _, known := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(known.String(), string(text)) {
			*l = level(known)
			return nil
		}
	}
	return fmt.Errorf("must be debug, info, warn or error, not %q", text)
}
