// Package config holds the settings of a Posthorn server: what there is to set, the defaults, and what is allowed.
// It reads neither flags nor the environment; package cli does.
package config

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/posthorn/posthorn"
)

// Durability says what an accepted message survives.
type Durability string

// The durabilities.
const (
	Full   Durability = "full"   // a 202 survives the loss of power
	Normal Durability = "normal" // a 202 survives a crash of the process; the loss of power may undo the last ones
)

// LogFormat is the form of the log lines.
type LogFormat string

// The log formats.
const (
	Text LogFormat = "text" // key=value, for people
	JSON LogFormat = "json" // one object per line, for log collectors
)

// SignatureType is a kind of signature.
type SignatureType string

// The kinds of signature.
const (
	HMAC256 SignatureType = "hmac256" // a secret that both sides share
	Ed25519 SignatureType = "ed25519" // a key pair, of which the receiver has the public one
)

// MinMainSecret is the shortest main secret, in bytes.
const MinMainSecret = 16

// Limits that Validate enforces.
const (
	MinAttemptTimeout = time.Second
	MaxAttemptTimeout = time.Minute
)

// Config is everything that a server can be told. Start from Default; the zero value is not valid.
type Config struct {
	// Listen is where the API is served, as host:port. Port 0 takes a free one; an empty host means every interface.
	// Default: 127.0.0.1:8071.
	Listen string

	// DataDir is the folder that holds everything that lasts: databases and secrets. It is made if it is missing.
	// Default: ./posthorn-data.
	DataDir string

	// TemporalListen is where the embedded Temporal server takes gRPC calls, as host:port. Port 0 takes a free one.
	// Default: 127.0.0.1:7233.
	TemporalListen string

	// TemporalUIListen is where the Temporal Web UI is served, as host:port. Port 0 takes a free one; empty means no
	// Web UI. Default: 127.0.0.1:8233.
	TemporalUIListen string

	// RetrySchedule lists the waits between the attempts of a delivery, each up to 30 days, at most 50 of them. Empty
	// means a single attempt. Default: ten attempts over 75 hours (posthorn.DefaultSchedule).
	RetrySchedule posthorn.Schedule

	// AttemptTimeout bounds one HTTP request to a receiver, from dialling to the end of the answer; between 1 second
	// and 1 minute. Default: 15 seconds.
	AttemptTimeout time.Duration

	// Health is what follows when an endpoint fails for everybody.
	Health Health

	// EndpointHTTPSOnly refuses endpoints whose URL is http. Those that exist stay. Default: false.
	EndpointHTTPSOnly bool

	// DefaultSignatureType is the kind of signing key that an endpoint gets unless it brings its own. Default: HMAC256.
	DefaultSignatureType SignatureType

	// MainSecret encrypts signing secrets and custom headers in the database; at least 16 bytes, better 32 random ones.
	// Once set it can't be changed or left out. Default: none, they are kept in the clear.
	MainSecret string

	// MainSecretFile names the file that holds the main secret, without the white space around it. Default: none.
	MainSecretFile string

	// AllowSubnets are the networks that deliveries may go to although they are private, loopback or otherwise
	// reserved. Default: none.
	AllowSubnets []netip.Prefix

	// Outgoing is how deliveries reach their receivers.
	Outgoing Outgoing

	// JWT is what signs and verifies the tokens of the API.
	JWT JWT

	// Access is whom the API answers, and how often.
	Access Access

	// Retention is how long what happened is kept.
	Retention Retention

	// Durability is what an accepted message survives. Default: Full.
	Durability Durability

	// LogFormat is the form of the log lines. Default: Text.
	LogFormat LogFormat

	// LogLevel is the least severe level that is logged. Default: info.
	LogLevel slog.Level

	// Cluster is for processes that are not alone.
	Cluster Cluster
}

// Default returns the settings of a server that nobody has told anything.
func Default() Config {
	return Config{
		Listen:           "127.0.0.1:8071",
		DataDir:          "./posthorn-data",
		TemporalListen:   "127.0.0.1:7233",
		TemporalUIListen: "127.0.0.1:8233",
		RetrySchedule:    posthorn.DefaultSchedule(),
		AttemptTimeout:   15 * time.Second,
		Health:           defaultHealth(),
		JWT:              JWT{Algorithm: "HS256"},
		Retention:        Retention{Messages: posthorn.DefaultRetention, Attempts: posthorn.DefaultRetention},
		Durability:       Full,
		LogFormat:        Text,
		LogLevel:         slog.LevelInfo,
		Cluster:          defaultCluster(),

		DefaultSignatureType: HMAC256,
	}
}
