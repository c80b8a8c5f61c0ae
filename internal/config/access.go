package config

import (
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// JWTAlgorithms are what can sign and verify tokens.
var JWTAlgorithms = []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "EdDSA"}

// JWT says what signs and verifies the tokens of the API.
type JWT struct {
	// Algorithm is one of JWTAlgorithms; tokens of any other are refused. Default: HS256.
	Algorithm string
	// KeyFile holds the keys: for HS… secrets, one a line; for RS… and EdDSA keys in PEM, where public ones alone verify
	// only. The first that can sign does, all verify. Default: the file jwt-secret in the data folder, for HS… only.
	KeyFile string
}

// Access is whom the API answers, and how often.
type Access struct {
	// PublicURL is where browsers find the API, for links that it gives out. Default: http:// and the address of Listen.
	PublicURL string
	// AllowClients are the networks whose requests are answered. Default: all.
	AllowClients []netip.Prefix
	// TrustedProxies are the networks whose X-Forwarded-For header is believed. Default: none.
	TrustedProxies []netip.Prefix
	// RateLimitToken limits the requests with one token. Default: no limit.
	RateLimitToken Rate
	// RateLimitAddress limits all requests of one IPv4 address or IPv6 /64 network. Default: no limit.
	RateLimitAddress Rate
}

// Rate is a number of requests per second in the long run, and how many may come at once. The zero value is no limit.
type Rate struct {
	PerSecond float64
	Burst     int
}

func (j JWT) validate(add func(format string, args ...any)) {
	switch {
	case !slices.Contains(JWTAlgorithms, j.Algorithm):
		add("--jwt-algorithm must be one of %s, not %q", strings.Join(JWTAlgorithms, ", "), j.Algorithm)
	case j.KeyFile == "" && !strings.HasPrefix(j.Algorithm, "HS"):
		add("--jwt-key-file must name a file with a private or a public key for --jwt-algorithm %s", j.Algorithm)
	}
}

func (a Access) validate(add func(format string, args ...any)) {
	if a.PublicURL != "" {
		if err := checkPublicURL(a.PublicURL); err != nil {
			add("--public-url %w", err)
		}
	}
	for _, list := range []struct {
		flag     string
		networks []netip.Prefix
	}{{"--allow-clients", a.AllowClients}, {"--trusted-proxies", a.TrustedProxies}} {
		if slices.ContainsFunc(list.networks, func(p netip.Prefix) bool { return !p.IsValid() }) {
			add("%s must be networks such as 10.0.0.0/8", list.flag)
		}
	}
	for _, limit := range []struct {
		flag string
		rate Rate
	}{{"--rate-limit-token", a.RateLimitToken}, {"--rate-limit-address", a.RateLimitAddress}} {
		if limit.rate != (Rate{}) && !(limit.rate.PerSecond > 0 && limit.rate.PerSecond <= math.MaxInt32 && limit.rate.Burst >= 1) {
			add("%s must be above 0 requests per second, with at least 1 at once", limit.flag)
		}
	}
}

func checkPublicURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("must be a URL such as https://hooks.example.com, not %q", raw)
	}
	return nil
}
