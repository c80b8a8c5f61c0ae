package api

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/golang-jwt/jwt/v5"

	"github.com/posthorn/posthorn"
)

// How long tokens are good for. They can't be revoked one by one; a new secret revokes them all.
const (
	OrganisationTokenLife = 10 * 365 * 24 * time.Hour
	ApplicationTokenLife  = 28 * 24 * time.Hour
)

const (
	bearerScheme = "bearer"
	scopeKey     = "scope"
	tokenIssuer  = "posthorn"
	// minTokenSecret is the shortest secret, in bytes: HMAC-SHA256 is no stronger than its key.
	minTokenSecret = 16
)

// scope says who may call an operation.
type scope int

const (
	public       scope = iota // anybody
	application               // the token of the application in the path, or of its organisation
	organisation              // only the organisation's token
)

// caller is whom a token speaks for.
type caller struct {
	org string
	app string // the only application that it may touch; empty if it speaks for the organisation
	// flags are the feature flags that the token of an application holds.
	flags []string
}

type callerKey struct{}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// authenticate lets a request through to an operation if its token may call it. It is the outermost of huma's layers.
func (s *Server) authenticate(ctx huma.Context, next func(huma.Context)) {
	x := &exchange{humaContext: ctx, ctx: ctx.Context()}
	required, _ := ctx.Operation().Metadata[scopeKey].(scope)
	if required == public {
		next(x)
		return
	}
	who, err := s.tokens.verify(ctx.Header("Authorization"))
	if err == nil && required == organisation && who.app != "" {
		err = posthorn.Errorf(posthorn.Forbidden, "The token of an application may not do this.")
	}
	if err != nil {
		s.writeError(x, err)
		return
	}
	x.ctx = context.WithValue(x.ctx, callerKey{}, who)
	next(x)
}

// Tokens signs and verifies the bearer tokens of the API: JSON Web Tokens with HMAC-SHA256.
type Tokens struct {
	secret []byte
	now    func() time.Time
	parser *jwt.Parser
}

// NewTokens returns tokens signed with a secret of at least 16 bytes.
func NewTokens(secret []byte) (*Tokens, error) {
	return newTokens(secret, time.Now)
}

func newTokens(secret []byte, now func() time.Time) (*Tokens, error) {
	if len(secret) < minTokenSecret {
		return nil, fmt.Errorf("the secret that signs tokens has %d bytes and needs at least %d", len(secret), minTokenSecret)
	}
	return &Tokens{
		secret: secret,
		now:    now,
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
			jwt.WithExpirationRequired(),
			jwt.WithTimeFunc(now),
		),
	}, nil
}

// claims are what a token says. The subject is an organisation, or an application of the organisation in Org.
type claims struct {
	jwt.RegisteredClaims
	Org          string   `json:"org,omitempty"`
	FeatureFlags []string `json:"feature_flags,omitempty"`
}

// Organisation returns a token that may do everything in an organisation.
func (t *Tokens) Organisation(org string) (string, error) {
	if !validOrg(org) {
		return "", fmt.Errorf("%q is not the id of an organisation", org)
	}
	return t.sign(claims{RegisteredClaims: t.registered(org, OrganisationTokenLife)})
}

// Application returns a token for one application, given by its ID. It may see and change the application's endpoints
// and see its messages.
func (t *Tokens) Application(org, appID string) (string, error) {
	if !validOrg(org) {
		return "", fmt.Errorf("%q is not the id of an organisation", org)
	}
	if !posthorn.ApplicationID.Valid(appID) {
		return "", fmt.Errorf("%q is not the id of an application", appID)
	}
	return t.sign(claims{RegisteredClaims: t.registered(appID, ApplicationTokenLife), Org: org})
}

func (t *Tokens) registered(subject string, life time.Duration) jwt.RegisteredClaims {
	now := t.now()
	return jwt.RegisteredClaims{
		Issuer:    tokenIssuer,
		Subject:   subject,
		IssuedAt:  jwt.NewNumericDate(now),
		NotBefore: jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(now.Add(life)),
	}
}

func (t *Tokens) sign(c claims) (string, error) {
	signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(t.secret)
	if err != nil {
		return "", fmt.Errorf("signing a token for %s: %w", c.Subject, err)
	}
	return signed, nil
}

// verify reads the Authorization header. Unauthorized.
func (t *Tokens) verify(header string) (caller, error) {
	kind, token, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(kind, bearerScheme) {
		return caller{}, posthorn.Errorf(posthorn.Unauthorized, "Missing bearer token")
	}
	token = strings.TrimSpace(token)
	if subtle.ConstantTimeCompare([]byte(token), t.secret) == 1 {
		return caller{}, posthorn.Errorf(posthorn.Unauthorized, "This is the secret that signs tokens, not a token; keep it to yourself and make a token with it")
	}
	var c claims
	if _, err := t.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return t.secret, nil }); err != nil {
		if errors.Is(err, jwt.ErrTokenExpired) {
			return caller{}, posthorn.Errorf(posthorn.Unauthorized, "Expired token")
		}
		return caller{}, errInvalidToken()
	}
	switch {
	case c.Org == "" && validOrg(c.Subject):
		return caller{org: c.Subject}, nil
	case validOrg(c.Org) && posthorn.ApplicationID.Valid(c.Subject):
		return caller{org: c.Org, app: c.Subject, flags: c.FeatureFlags}, nil
	default:
		return caller{}, errInvalidToken()
	}
}

func errInvalidToken() error { return posthorn.Errorf(posthorn.Unauthorized, "Invalid token") }

// validOrg is lenient about what follows the prefix: organisations are named by whoever makes the tokens.
func validOrg(org string) bool {
	name, ok := strings.CutPrefix(org, "org_")
	return ok && isName(name)
}
