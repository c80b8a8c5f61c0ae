package api

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func TestEveryRouteNeedsAToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	fill := strings.NewReplacer("{app_id}", "acme", "{endpoint_id}", "main", "{msg_id}", "m", "{attempt_id}", "a", "{event_type_name}", "e")
	for _, r := range (&Server{}).routes() {
		t.Run(r.method+" "+r.path, func(t *testing.T) {
			answer := b.as("", r.method, fill.Replace(r.path), "")
			if r.scope == public {
				require.Equal(t, http.StatusNoContent, answer.status)
				return
			}
			require.Equal(t, http.StatusUnauthorized, answer.status)
			require.Equal(t, "authentication_failed", answer.field(t, "code"))
			require.Equal(t, jsonType, answer.header.Get("Content-Type"))
		})
	}
}

func TestApplicationToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	own, other := b.application(), b.application()
	endpoint := b.endpoint(other, `{"url":"https://example.com"}`)
	b.must(201, "POST", "/event-type", `{"name":"open","description":"d"}`)
	b.must(201, "POST", "/event-type", `{"name":"flagged","description":"d","featureFlag":"beta"}`)
	token, err := b.tokens.Application(posthorn.DefaultOrg, own)
	require.NoError(t, err)
	forbidden := []string{`"code":"insufficient access"`}
	scenarios := []scenario{
		{name: "reads its own application", method: "GET", path: "/app/{own}", status: 200, contains: []string{`"id":"{own}"`}},
		{name: "doesn't see another application", method: "GET", path: "/app/{other}", status: 404, contains: []string{`"code":"not_found"`}},
		{name: "doesn't see another's endpoints", method: "GET", path: "/app/{other}/endpoint", status: 404},
		{name: "doesn't see another's endpoint through its own application", method: "GET", path: "/app/{own}/endpoint/{ep}", status: 404},
		{name: "makes endpoints", method: "POST", path: "/app/{own}/endpoint", body: `{"url":"https://example.com"}`, status: 201},
		{name: "can't list applications", method: "GET", path: "/app", status: 403, contains: forbidden},
		{name: "can't create applications", method: "POST", path: "/app", body: `{"name":"x"}`, status: 403, contains: forbidden},
		{name: "can't replace its application", method: "PUT", path: "/app/{own}", body: `{"name":"x"}`, status: 403, contains: forbidden},
		{name: "can't change its application", method: "PATCH", path: "/app/{own}", body: `{"name":"x"}`, status: 403, contains: forbidden},
		{name: "can't delete its application", method: "DELETE", path: "/app/{own}", status: 403, contains: forbidden},
		{name: "can't send messages", method: "POST", path: "/app/{own}/msg", body: `{"eventType":"e","payload":{}}`, status: 403, contains: forbidden},
		{name: "can't create event types", method: "POST", path: "/event-type", body: `{"name":"x","description":""}`, status: 403, contains: forbidden},
		{name: "reads event types without a flag", method: "GET", path: "/event-type", status: 200, contains: []string{`"open"`}, excludes: []string{"flagged"}},
		{name: "doesn't see an event type with a flag", method: "GET", path: "/event-type/flagged", status: 404},
	}
	for i := range scenarios {
		scenarios[i].token = token
	}
	b.run(t, strings.NewReplacer("{own}", own, "{other}", other, "{ep}", endpoint), scenarios)
}

func TestTokensThatProveNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sign := func(method jwt.SigningMethod, key any, c claims) string {
		signed, err := jwt.NewWithClaims(method, c).SignedString(key)
		require.NoError(t, err)
		return signed
	}
	claim := func(subject, org string, from, until time.Duration) claims {
		now := time.Now()
		return claims{Org: org, RegisteredClaims: jwt.RegisteredClaims{
			Subject: subject, NotBefore: jwt.NewNumericDate(now.Add(from)), ExpiresAt: jwt.NewNumericDate(now.Add(until)),
		}}
	}
	good := claim(posthorn.DefaultOrg, "", -time.Hour, time.Hour)
	eternal := good
	eternal.ExpiresAt = nil
	extended := jwt.NewWithClaims(jwt.SigningMethodHS256, good)
	extended.Header["crit"] = []string{"exp"}
	critical, err := extended.SignedString(testTokenSecret)
	require.NoError(t, err)
	parts := strings.Split(b.org, ".")
	forged := parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"org_other","exp":99999999999}`)) + "." + parts[2]
	for name, c := range map[string]struct{ token, detail string }{
		"garbage":                          {"garbage", "Invalid token"},
		"a changed token":                  {forged, "Invalid token"},
		"a token of another secret":        {sign(jwt.SigningMethodHS256, []byte("another secret of some length"), good), "Invalid token"},
		"an unsigned token":                {sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good), "Invalid token"},
		"a token of another algorithm":     {sign(jwt.SigningMethodHS512, testTokenSecret, good), "Invalid token"},
		"a token with an extension":        {critical, "Invalid token"},
		"a token with a second spelling":   {b.org[:len(b.org)-1] + respell(b.org[len(b.org)-1:]), "Invalid token"},
		"a token without an end":           {sign(jwt.SigningMethodHS256, testTokenSecret, eternal), "Invalid token"},
		"a token of tomorrow":              {sign(jwt.SigningMethodHS256, testTokenSecret, claim(posthorn.DefaultOrg, "", time.Hour, 2*time.Hour)), "Invalid token"},
		"a token of yesterday":             {sign(jwt.SigningMethodHS256, testTokenSecret, claim(posthorn.DefaultOrg, "", -2*time.Hour, -time.Hour)), "Expired token"},
		"an application without its org":   {sign(jwt.SigningMethodHS256, testTokenSecret, claim(posthorn.ApplicationID.New(), "", -time.Hour, time.Hour)), "Invalid token"},
		"a subject that is neither":        {sign(jwt.SigningMethodHS256, testTokenSecret, claim("user_1", posthorn.DefaultOrg, -time.Hour, time.Hour)), "Invalid token"},
		"the secret that signs the tokens": {string(testTokenSecret), "the secret that signs tokens"},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			r := b.as(c.token, "GET", "/app", "")
			require.Equal(t, http.StatusUnauthorized, r.status, r.body)
			require.Equal(t, "authentication_failed", r.field(t, "code"))
			require.Contains(t, r.field(t, "detail"), c.detail)
			require.NotContains(t, r.body, string(testTokenSecret))
		})
	}
	t.Run("nothing of a token is logged", func(t *testing.T) {
		require.NotContains(t, b.log.String(), string(testTokenSecret))
		require.NotContains(t, b.log.String(), parts[2])
	})
}

// respell changes the bits of the last character that base64 doesn't use.
func respell(last string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.Index(alphabet, last)|1])
}
