package api

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/config"
)

// pair is a key in all forms that a key file can have.
type pair struct {
	private    any
	pkcs8, spk string // PEM of the private and the public key
	pkcs1      string // RSA only
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func newPair(private, public any) pair {
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		panic(err)
	}
	spk, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		panic(err)
	}
	return pair{private: private, pkcs8: pemOf("PRIVATE KEY", pkcs8), spk: pemOf("PUBLIC KEY", spk)}
}

var rsaPair = sync.OnceValue(func() pair {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	p := newPair(key, &key.PublicKey)
	p.pkcs1 = pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	return p
})

func edPair() pair {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return newPair(private, public)
}

func TestTokens(t *testing.T) {
	t.Parallel()
	app := posthorn.ApplicationID.New()
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	setup := func(t *testing.T) (*Tokens, *time.Time) {
		now := start
		tokens, err := newTokens("HS256", testTokenSecret, func() time.Time { return now })
		require.NoError(t, err)
		return tokens, &now
	}

	t.Run("last as long as was asked for", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			grant Grant
			life  time.Duration
		}{
			"an organisation's, ten years":      {Grant{Org: "org_acme"}, OrganisationTokenLife},
			"an application's, 28 days":         {Grant{Org: "org_acme", App: app}, ApplicationTokenLife},
			"an organisation's, an hour":        {Grant{Org: "org_acme", Life: time.Hour}, time.Hour},
			"an application's, a second":        {Grant{Org: "org_acme", App: app, Life: time.Second}, time.Second},
			"an application's, as long as most": {Grant{Org: "org_acme", App: app, Life: MaxTokenLife}, MaxTokenLife},
		} {
			tokens, now := setup(t)
			token, err := tokens.Issue(c.grant)
			require.NoError(t, err, name)
			*now = start.Add(c.life - time.Second/2)
			who, err := tokens.verify("bearer " + token)
			require.NoError(t, err, name)
			require.Equal(t, c.grant.Org, who.org)
			require.Equal(t, c.grant.App, who.app)
			require.True(t, who.expires.Equal(start.Add(c.life)), name)
			*now = start.Add(c.life + time.Second)
			_, err = tokens.verify("Bearer " + token)
			require.ErrorContains(t, err, "Expired token", name)
			require.Equal(t, posthorn.Unauthorized, posthorn.CodeOf(err), name)
		}
	})
	t.Run("say all that was granted", func(t *testing.T) {
		t.Parallel()
		tokens, _ := setup(t)
		network := netip.MustParsePrefix("10.0.0.0/8")
		token, err := tokens.Issue(Grant{
			Org: "org_acme", App: app, ReadOnly: true, Capabilities: []Capability{}, FeatureFlags: []string{"beta"}, Session: "user_1", Networks: []netip.Prefix{network},
		})
		require.NoError(t, err)
		who, err := tokens.read(token)
		require.NoError(t, err)
		require.True(t, posthorn.TokenID.Valid(who.token))
		require.True(t, start.Equal(who.issued))
		who.token, who.issued, who.expires = "", time.Time{}, time.Time{}
		require.Equal(t, caller{
			org: "org_acme", app: app, readOnly: true, capabilities: []Capability{}, flags: []string{"beta"}, session: "user_1", networks: []netip.Prefix{network},
		}, who)
	})
	t.Run("are made for organisations and applications only, and for ten years at most", func(t *testing.T) {
		t.Parallel()
		tokens, _ := setup(t)
		for _, g := range []Grant{
			{}, {Org: "acme"}, {Org: "acme", App: app}, {Org: "org_acme", App: "acme"}, {Org: "org_acme", Life: MaxTokenLife + 1}, {Org: "org_acme", Life: -1},
			{Org: "org_acme", App: app, Session: "two words"},
		} {
			_, err := tokens.Issue(g)
			require.Error(t, err, g)
		}
		_, err := tokens.Application("org_acme", "")
		require.Error(t, err)
	})
	t.Run("without an id that can be shown are told apart by what is signed", func(t *testing.T) {
		t.Parallel()
		tokens, _ := setup(t)
		sign := func(subject string, id any) string {
			token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": subject, "exp": start.Add(time.Hour).Unix(), "jti": id}).SignedString(testTokenSecret)
			require.NoError(t, err)
			who, err := tokens.read(token)
			require.NoError(t, err)
			return who.token
		}
		for _, id := range []any{nil, "", "\x00", "two words", strings.Repeat("x", 129)} {
			require.Regexp(t, "^sha256-[A-Za-z0-9_-]{43}$", sign("org_a", id))
			require.Equal(t, sign("org_a", id), sign("org_a", id))
			require.NotEqual(t, sign("org_a", id), sign("org_b", id))
		}
		require.Equal(t, "mine-1", sign("org_a", "mine-1"))
	})
}

func TestAlgorithms(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("s3cret-", 10)
	for algorithm, material := range map[string][]string{ // what signs, and what verifies
		"HS256": {secret}, "HS384": {secret}, "HS512": {secret},
		"RS256": {rsaPair().pkcs8, rsaPair().spk}, "RS384": {rsaPair().pkcs1, rsaPair().spk}, "RS512": {rsaPair().pkcs8 + rsaPair().spk},
		"EdDSA": {edPair().pkcs8},
	} {
		t.Run(algorithm+" signs and verifies", func(t *testing.T) {
			t.Parallel()
			signer, err := ParseTokens(algorithm, []byte(material[0]))
			require.NoError(t, err)
			require.True(t, signer.CanSign())
			token, err := signer.Organisation("org_acme")
			require.NoError(t, err)
			for _, m := range material {
				verifier, err := ParseTokens(algorithm, []byte(m))
				require.NoError(t, err)
				who, err := verifier.verify("Bearer " + token)
				require.NoError(t, err)
				require.Equal(t, "org_acme", who.org)
			}
		})
	}

	t.Run("are all that can be set", func(t *testing.T) {
		t.Parallel()
		var known []string
		for _, method := range algorithms {
			known = append(known, method.Alg())
		}
		require.Equal(t, config.JWTAlgorithms, known)
		require.Contains(t, known, DefaultAlgorithm)
	})
	t.Run("a public key verifies and can't sign", func(t *testing.T) {
		t.Parallel()
		tokens, err := ParseTokens("RS256", []byte(rsaPair().spk))
		require.NoError(t, err)
		require.False(t, tokens.CanSign())
		_, err = tokens.Organisation("org_acme")
		require.ErrorIs(t, err, ErrCannotSign)
	})
	t.Run("a replaced key still verifies, and the new one signs", func(t *testing.T) {
		t.Parallel()
		older, newer := edPair(), edPair()
		for algorithm, keys := range map[string][3]string{ // old, new, and both
			"EdDSA": {older.pkcs8, newer.pkcs8, newer.pkcs8 + "\n" + older.spk},
			"HS256": {secret, secret + "2", secret + "2\n\n" + secret + "\n"},
		} {
			before, err := ParseTokens(algorithm, []byte(keys[0]))
			require.NoError(t, err)
			after, err := ParseTokens(algorithm, []byte(keys[1]))
			require.NoError(t, err)
			between, err := ParseTokens(algorithm, []byte(keys[2]))
			require.NoError(t, err)
			ofOld, err := before.Organisation("org_acme")
			require.NoError(t, err)
			ofNew, err := between.Organisation("org_acme")
			require.NoError(t, err)
			for token, verifiers := range map[string][]*Tokens{ofOld: {before, between}, ofNew: {between, after}} {
				for _, verifier := range verifiers {
					_, err := verifier.read(token)
					require.NoError(t, err)
				}
			}
			_, err = after.read(ofOld)
			require.Error(t, err)
			_, err = before.read(ofNew)
			require.Error(t, err)
		}
	})
	t.Run("a token can't choose its algorithm", func(t *testing.T) {
		t.Parallel()
		ed := edPair()
		for name, c := range map[string]struct {
			algorithm, material string
			method              jwt.SigningMethod
			key                 any
		}{
			"HMAC with the public RSA key":     {"RS256", rsaPair().spk, jwt.SigningMethodHS256, []byte(rsaPair().spk)},
			"HMAC with the trimmed public key": {"RS256", rsaPair().spk, jwt.SigningMethodHS256, []byte(strings.TrimSpace(rsaPair().spk))},
			"HMAC with the public Ed25519 key": {"EdDSA", ed.spk, jwt.SigningMethodHS256, []byte(ed.private.(ed25519.PrivateKey).Public().(ed25519.PublicKey))},
			"no signature, to a public key":    {"RS256", rsaPair().spk, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType},
			"no signature, to a secret":        {"HS256", secret, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType},
			"another hash":                     {"HS256", secret, jwt.SigningMethodHS384, []byte(secret)},
			"another RSA hash":                 {"RS256", rsaPair().spk, jwt.SigningMethodRS512, rsaPair().private},
			"another RSA padding":              {"RS256", rsaPair().spk, jwt.SigningMethodPS256, rsaPair().private},
			"another key":                      {"EdDSA", ed.spk, jwt.SigningMethodEdDSA, edPair().private},
		} {
			tokens, err := ParseTokens(c.algorithm, []byte(c.material))
			require.NoError(t, err, name)
			claims := jwt.MapClaims{"sub": "org_acme", "exp": time.Now().Add(time.Hour).Unix()}
			token, err := jwt.NewWithClaims(c.method, claims).SignedString(c.key)
			require.NoError(t, err, name)
			_, err = tokens.verify("Bearer " + token)
			require.Equal(t, posthorn.Unauthorized, posthorn.CodeOf(err), name)
			require.ErrorContains(t, err, "Invalid token", name)
		}
	})
	t.Run("keys that don't fit are refused, and not repeated", func(t *testing.T) {
		t.Parallel()
		weak, err := rsa.GenerateKey(rand.Reader, 1024) //nolint:gosec // that it is weak is the point
		require.NoError(t, err)
		for want, c := range map[string]struct{ algorithm, material string }{
			`"HS1" is not an algorithm for tokens`:                                 {"HS1", secret},
			`"none" is not an algorithm for tokens`:                                {"none", ""},
			"there is no secret to sign tokens with":                               {"HS256", " \n"},
			"the secret that signs tokens has 5 bytes and HS256 needs at least 32": {"HS256", "short"},
			"has 32 bytes and HS512 needs at least 64":                             {"HS512", strings.Repeat("s", 32)},
			"a PEM key is not a secret for HS256: choose RS256 or EdDSA":           {"HS256", rsaPair().spk},
			"there is something that is not a PEM block; RS256 needs":              {"RS256", secret},
			"there is no key in PEM, and EdDSA needs":                              {"EdDSA", ""},
			"PEM block 1: RS256 needs an RSA key":                                  {"RS256", edPair().pkcs8},
			"PEM block 2: EdDSA needs an Ed25519 key":                              {"EdDSA", edPair().pkcs8 + rsaPair().spk},
			"the RSA key has 1024 bits and needs at least 2048":                    {"RS256", newPair(weak, &weak.PublicKey).pkcs8},
			`"CERTIFICATE" is neither a private nor a public key`:                  {"RS256", pemOf("CERTIFICATE", []byte("x"))},
			"the key is encrypted":                                                 {"RS256", pemOf("ENCRYPTED PRIVATE KEY", []byte("x"))},
			"the key is damaged":                                                   {"RS256", pemOf("PRIVATE KEY", []byte("s3cret-"))},
		} {
			_, err := ParseTokens(c.algorithm, []byte(c.material))
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "s3cret")
			require.NotContains(t, err.Error(), "short")
		}
	})
}
