package cli

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/posthorn/posthorn/internal/config"
)

// jwtFlags say what signs tokens. They are the same for the server and for the commands that make tokens for it.
type jwtFlags struct {
	JWTAlgorithm string `name:"jwt-algorithm" enum:"HS256,HS384,HS512,RS256,RS384,RS512,EdDSA" placeholder:"ALG" default:"${jwt_algorithm}" help:"What signs tokens: HS256, HS384, HS512, RS256, RS384, RS512 or EdDSA. Tokens of any other algorithm are refused."`
	JWTKeyFile   string `name:"jwt-key-file" placeholder:"FILE" help:"File with what signs and verifies tokens: secrets, one a line, for HS…; keys in PEM for RS… and EdDSA, where a public key alone verifies only. The first signs, all verify. For HS… the data folder has one."`
}

func (f *jwtFlags) jwt() config.JWT {
	return config.JWT{Algorithm: f.JWTAlgorithm, KeyFile: f.JWTKeyFile}
}

// accessFlags say whom the API answers.
type accessFlags struct {
	PublicURL        string   `name:"public-url" placeholder:"URL" help:"Where browsers find the API, for links to an application's page. Default: the address of --listen."`
	AllowClients     []subnet `sep:"," placeholder:"CIDR" help:"Networks that may use the API, separated by commas; health checks are answered everywhere. All, unless set."`
	TrustedProxies   []subnet `sep:"," placeholder:"CIDR" help:"Networks of your proxies, separated by commas, whose X-Forwarded-For says where a request comes from. Nobody's is believed unless set."`
	RateLimitToken   rate     `placeholder:"RATE" default:"off" help:"Requests per second with the same token, such as 50, or 50:200 to allow 200 at once; \"off\" for no limit."`
	RateLimitAddress rate     `placeholder:"RATE" default:"off" help:"Requests per second from the same IPv4 address or IPv6 /64 network, whatever their token; failed ones count too. \"off\" for no limit."`
}

func (f *accessFlags) access() config.Access {
	return config.Access{
		PublicURL:        f.PublicURL,
		AllowClients:     prefixes(f.AllowClients),
		TrustedProxies:   prefixes(f.TrustedProxies),
		RateLimitToken:   config.Rate(f.RateLimitToken),
		RateLimitAddress: config.Rate(f.RateLimitAddress),
	}
}

func prefixes(subnets []subnet) (all []netip.Prefix) {
	for _, s := range subnets {
		all = append(all, netip.Prefix(s))
	}
	return all
}

// rate is requests per second and, behind a colon, how many at once: by default those of one second.
type rate config.Rate

func (r *rate) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*r = rate{}
		return nil
	}
	perSecond, burst, hasBurst := strings.Cut(string(text), ":")
	n, err := strconv.ParseFloat(perSecond, 64)
	if err != nil || !(n > 0 && n <= math.MaxInt32) {
		return fmt.Errorf("%q is not a rate such as 50, 0.5 or 50:200", text)
	}
	*r = rate{PerSecond: n, Burst: int(math.Ceil(n))}
	if hasBurst {
		if r.Burst, err = strconv.Atoi(burst); err != nil || r.Burst < 1 {
			return fmt.Errorf("%q is not a rate such as 50, 0.5 or 50:200", text)
		}
	}
	return nil
}

// lifetime is a duration that may be given in days.
type lifetime time.Duration

func (l *lifetime) UnmarshalText(text []byte) error {
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("%q is not a time such as 30m, 24h or 7d", text)
		}
		*l = lifetime(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	parsed, err := time.ParseDuration(string(text))
	if err != nil || parsed < time.Second {
		return fmt.Errorf("%q is not a time such as 30m, 24h or 7d", text)
	}
	*l = lifetime(parsed)
	return nil
}
