package api

import (
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

// Whatever a client sends as Authorization, only what was signed with the key is taken, and nothing panics.
func FuzzVerify(f *testing.F) {
	shared, err := NewTokens(testTokenSecret)
	require.NoError(f, err)
	pair, err := ParseTokens("RS256", []byte(rsaPair().pkcs8))
	require.NoError(f, err)
	ed, err := ParseTokens("EdDSA", []byte(edPair().pkcs8))
	require.NoError(f, err)
	all := []*Tokens{shared, pair, ed}
	for _, tokens := range all {
		for _, g := range []Grant{{Org: "org_a"}, {Org: "org_a", App: posthorn.ApplicationID.New(), ReadOnly: true}} {
			token, err := tokens.Issue(g)
			require.NoError(f, err)
			f.Add("Bearer " + token)
			f.Add("bearer  " + token + " ")
			f.Add("Bearer " + token[:len(token)-1])
			f.Add("Bearer " + token + "=")
			f.Add("Bearer " + token + ".")
			f.Add("Bearer ." + token)
		}
	}
	none, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"sub": "org_a", "exp": time.Now().Add(time.Hour).Unix()}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	require.NoError(f, err)
	confused, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "org_a", "exp": time.Now().Add(time.Hour).Unix()}).SignedString([]byte(rsaPair().spk))
	require.NoError(f, err)
	for _, seed := range []string{"", "Bearer", "Bearer ", "Basic x", "Bearer " + none, "Bearer " + confused, "Bearer ..", "Bearer e30.e30.e30", "Bearer \x00", "Bearer " + string(testTokenSecret)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		for _, tokens := range all {
			who, err := tokens.verify(header)
			if err != nil {
				require.Equal(t, posthorn.Unauthorized, posthorn.CodeOf(err))
				require.NotContains(t, err.Error(), string(testTokenSecret))
				continue
			}
			_, token, _ := strings.Cut(header, " ")
			require.True(t, isSigned(tokens, strings.TrimSpace(token)), "accepted: %q", header)
			require.Equal(t, "org_a", who.org)
		}
	})
}

// isSigned checks a signature with the standard library alone.
func isSigned(tokens *Tokens, token string) bool {
	text, encoded := token[:strings.LastIndex(token, ".")], token[strings.LastIndex(token, ".")+1:]
	signature, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return false
	}
	switch key := tokens.keys.verify.Keys[0].(type) {
	case *rsa.PublicKey:
		sum := sha256.Sum256([]byte(text))
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(key, []byte(text), signature)
	default:
		mac := hmac.New(sha256.New, testTokenSecret)
		mac.Write([]byte(text))
		return hmac.Equal(mac.Sum(nil), signature)
	}
}

// Whatever a signed token says, the server answers, and not with an error of its own.
func FuzzVerifyClaims(f *testing.F) {
	b := setup(f)
	for _, seed := range []string{
		`{"sub":"org_a","exp":9999999999}`, `{"sub":"org_a","exp":1e300}`, `{"sub":"org_a","exp":-1}`, `{"sub":"org_a","exp":1e17,"iat":-1e17}`, `{"sub":"org_a","exp":"x"}`,
		`{"sub":"app_06c1rg6rs9m5y1w5hy6qkz7jc8","org":"org_a","exp":9999999999,"feature_flags":["a"],"session_id":"s"}`, `null`, `[]`, `{}`,
		`{"sub":"org_a","exp":9999999999,"capabilities":[],"networks":["127.0.0.0/8"]}`, `{"sub":"org_a","exp":9999999999,"networks":["x"]}`,
		`{"sub":"org_a","exp":9999999999,"jti":"` + strings.Repeat("x", 300) + `"}`, `{"sub":"org_a","exp":9999999999,"jti":"\u0000"}`, `{"sub":["org_a"],"aud":1}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, claims string) {
		header := jwt.New(jwt.SigningMethodHS256)
		text := header.EncodeSegment([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + header.EncodeSegment([]byte(claims))
		signature, err := jwt.SigningMethodHS256.Sign(text, testTokenSecret)
		require.NoError(t, err)
		token := text + "." + header.EncodeSegment(signature)
		r := b.in(t).as(token, "GET", "/auth/whoami", "")
		require.Contains(t, []int{http.StatusOK, http.StatusUnauthorized, http.StatusForbidden}, r.status, r.body)
		if r.status == http.StatusOK {
			r = b.in(t).as(token, "POST", "/auth/logout", "")
			require.Equal(t, http.StatusNoContent, r.status, r.body)
			require.Equal(t, http.StatusUnauthorized, b.in(t).as(token, "GET", "/auth/whoami", "").status)
		}
	})
}
