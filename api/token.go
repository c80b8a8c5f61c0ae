package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/posthorn/posthorn"
)

// How long tokens are good for.
const (
	OrganisationTokenLife = 10 * 365 * 24 * time.Hour // unless asked otherwise
	ApplicationTokenLife  = 28 * 24 * time.Hour       // unless asked otherwise
	MaxTokenLife          = OrganisationTokenLife
)

const tokenIssuer = "posthorn"

// endOfTime is the last moment that can be written in an answer. A token may say that it lasts longer.
var endOfTime = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// ErrCannotSign means that a server knows public keys only.
var ErrCannotSign = errors.New("only a public key is set, which verifies tokens but can't make them")

// Tokens makes and verifies the bearer tokens of the API: JSON Web Tokens. It knows nothing of revocations.
type Tokens struct {
	keys   *tokenKeys
	now    func() time.Time
	parser *jwt.Parser
}

// NewTokens returns tokens signed with a secret of at least 32 bytes, by HMAC-SHA256.
func NewTokens(secret []byte) (*Tokens, error) {
	return newTokens(DefaultAlgorithm, secret, time.Now)
}

// ParseTokens returns tokens of an algorithm (HS256, HS384, HS512, RS256, RS384, RS512 or EdDSA). Material is what a key
// file holds: secrets, one a line, or PEM keys. The first that can sign does, and all verify.
func ParseTokens(algorithm string, material []byte) (*Tokens, error) {
	return newTokens(algorithm, material, time.Now)
}

func newTokens(algorithm string, material []byte, now func() time.Time) (*Tokens, error) {
	keys, err := parseTokenKeys(algorithm, material)
	if err != nil {
		return nil, err
	}
	return &Tokens{
		keys: keys,
		now:  now,
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{keys.method.Alg()}),
			jwt.WithExpirationRequired(),
			jwt.WithStrictDecoding(),
			jwt.WithTimeFunc(now),
		),
	}, nil
}

// CanSign reports whether tokens can be made, not only verified.
func (t *Tokens) CanSign() bool { return t.keys.sign != nil }

// claims are what a token says. The subject is an organisation, or an application of the organisation in Org.
type claims struct {
	jwt.RegisteredClaims
	Org          string         `json:"org,omitempty"`
	FeatureFlags []string       `json:"feature_flags,omitempty"`
	ReadOnly     bool           `json:"read_only,omitempty"`
	Capabilities []Capability   `json:"capabilities,omitzero"` // nil = all
	Session      string         `json:"session_id,omitempty"`
	Networks     []netip.Prefix `json:"networks,omitempty"`
}

// Grant is what a new token is for.
type Grant struct {
	Org          string
	App          string         // ID of the one application it is limited to; empty = the organisation's
	Life         time.Duration  // default: OrganisationTokenLife or ApplicationTokenLife
	ReadOnly     bool           // it may read, signing secrets excepted
	Capabilities []Capability   // nil = all
	FeatureFlags []string       // it sees event types with these flags; for applications only
	Session      string         // a name under which tokens of an application can be revoked together
	Networks     []netip.Prefix // where it may be used from; none = anywhere
}

func (g Grant) validate() error {
	switch {
	case !validOrg(g.Org):
		return fmt.Errorf("%q is not the id of an organisation", g.Org)
	case g.App != "" && !posthorn.ApplicationID.Valid(g.App):
		return fmt.Errorf("%q is not the id of an application", g.App)
	case g.Life < 0 || g.Life > MaxTokenLife:
		return fmt.Errorf("a token can't be good for %s", g.Life)
	case g.Session != "" && !presentable(g.Session):
		return fmt.Errorf("a session can't be called %q", g.Session)
	default:
		return nil
	}
}

// Organisation returns a token that may do everything in an organisation.
func (t *Tokens) Organisation(org string) (string, error) { return t.Issue(Grant{Org: org}) }

// Application returns a token for one application, given by its ID. It may see and change the application's endpoints
// and see its messages.
func (t *Tokens) Application(org, appID string) (string, error) {
	if appID == "" {
		return "", errors.New("the id of the application is missing")
	}
	return t.Issue(Grant{Org: org, App: appID})
}

// Issue returns a new token. ErrCannotSign.
func (t *Tokens) Issue(g Grant) (string, error) {
	if err := g.validate(); err != nil {
		return "", err
	}
	if !t.CanSign() {
		return "", ErrCannotSign
	}
	subject, org, life := g.Org, "", OrganisationTokenLife
	if g.App != "" {
		subject, org, life = g.App, g.Org, ApplicationTokenLife
	}
	if g.Life != 0 {
		life = g.Life
	}
	now := t.now()
	signed, err := jwt.NewWithClaims(t.keys.method, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    tokenIssuer,
			Subject:   subject,
			ID:        posthorn.TokenID.New(),
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(life)),
		},
		Org: org, FeatureFlags: g.FeatureFlags, ReadOnly: g.ReadOnly, Capabilities: g.Capabilities, Session: g.Session, Networks: g.Networks,
	}).SignedString(t.keys.sign)
	if err != nil {
		return "", fmt.Errorf("signing a token for %s: %w", subject, err)
	}
	return signed, nil
}

// verify reads the Authorization header. Unauthorized.
func (t *Tokens) verify(header string) (caller, error) {
	kind, token, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(kind, bearerScheme) {
		return caller{}, posthorn.Errorf(posthorn.Unauthorized, "Missing bearer token")
	}
	return t.read(strings.TrimSpace(token))
}

// read verifies a token. Unauthorized.
func (t *Tokens) read(token string) (caller, error) {
	for _, secret := range t.keys.secrets {
		if subtle.ConstantTimeCompare([]byte(token), secret) == 1 {
			return caller{}, posthorn.Errorf(posthorn.Unauthorized, "This is the secret that signs tokens, not a token; keep it to yourself and make a token with it")
		}
	}
	var c claims
	parsed, err := t.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return t.keys.verify, nil })
	if err != nil {
		// The signature is checked before the claims: only who has held a good token learns that it has expired.
		if errors.Is(err, jwt.ErrTokenExpired) {
			return caller{}, &posthorn.Error{Code: posthorn.Unauthorized, Message: "Expired token", Err: jwt.ErrTokenExpired}
		}
		return caller{}, errInvalidToken()
	}
	if _, extended := parsed.Header["crit"]; extended {
		return caller{}, errInvalidToken() // an extension that must be understood isn't
	}
	who, ok := c.caller()
	if !ok {
		return caller{}, errInvalidToken()
	}
	if !presentable(who.token) {
		who.token = fingerprint(token)
	}
	return who, nil
}

func (c *claims) caller() (caller, bool) {
	who := caller{
		token: c.ID, session: c.Session, flags: c.FeatureFlags, readOnly: c.ReadOnly,
		capabilities: c.Capabilities, networks: c.Networks, expires: c.ExpiresAt.Time,
	}
	if who.expires.After(endOfTime) {
		who.expires = endOfTime
	}
	if c.IssuedAt != nil {
		who.issued = c.IssuedAt.Time
	}
	switch {
	case c.Session != "" && !presentable(c.Session):
		return caller{}, false
	case c.Org == "" && validOrg(c.Subject):
		who.org = c.Subject
	case validOrg(c.Org) && posthorn.ApplicationID.Valid(c.Subject):
		who.org, who.app = c.Org, c.Subject
	default:
		return caller{}, false
	}
	return who, true
}

// fingerprint identifies a token that has no id, or none that can be shown, by what is signed: a signature can have more than one spelling.
func fingerprint(token string) string {
	signed := token[:max(strings.LastIndexByte(token, '.'), 0)]
	sum := sha256.Sum256([]byte(signed))
	return "sha256-" + base64.RawURLEncoding.EncodeToString(sum[:])
}

func errInvalidToken() error { return posthorn.Errorf(posthorn.Unauthorized, "Invalid token") }

// validOrg is lenient about what follows the prefix: organisations are named by whoever makes the tokens.
func validOrg(org string) bool {
	name, ok := strings.CutPrefix(org, "org_")
	return ok && isName(name)
}
