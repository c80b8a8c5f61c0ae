package api

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store/sqlite"
)

func (b *bundle) requireGood(t *testing.T, token string) {
	t.Helper()
	r := b.as(token, "GET", "/auth/whoami", "")
	require.Equal(t, http.StatusOK, r.status, r.body)
}

func (b *bundle) requireRevoked(t *testing.T, token string) {
	t.Helper()
	b.as(token, "GET", "/auth/whoami", "").requireRefused(t, http.StatusUnauthorized, "authentication_failed", "Revoked token")
}

func TestRevokingOneToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()

	t.Run("logout ends the token of the request, and no other", func(t *testing.T) {
		for name, g := range map[string]Grant{
			"an organisation's": {}, "an application's": {App: app}, "a read-only one": {App: app, ReadOnly: true}, "one that may do nothing": {App: app, Capabilities: []Capability{}},
		} {
			token, other := b.issue(g), b.issue(g)
			b.requireGood(t, token)
			r := b.as(token, "POST", "/auth/logout", "")
			require.Equal(t, http.StatusNoContent, r.status, name)
			require.Empty(t, r.body)
			b.requireRevoked(t, token)
			b.requireGood(t, other)
			require.Equal(t, http.StatusUnauthorized, b.as(token, "POST", "/auth/logout", "").status, "nor does it log out again")
		}
	})
	t.Run("an organisation ends its tokens, by the token or by its id", func(t *testing.T) {
		for _, g := range []Grant{{}, {App: app}} {
			token := b.issue(g)
			b.requireGood(t, token)
			b.must(http.StatusNoContent, "POST", "/auth/revoke", `{"token":"`+token+`"}`)
			b.requireRevoked(t, token)
			b.must(http.StatusNoContent, "POST", "/auth/revoke", `{"token":"`+token+`"}`)

			token = b.issue(g)
			b.must(http.StatusNoContent, "POST", "/auth/revoke", `{"tokenId":"`+b.as(token, "GET", "/auth/whoami", "").field(t, "tokenId")+`"}`)
			b.requireRevoked(t, token)
		}
	})
	t.Run("the log has who it was, and not the token", func(t *testing.T) {
		token := b.issue(Grant{})
		id := b.as(token, "GET", "/auth/whoami", "").field(t, "tokenId")
		r := b.do("POST", "/auth/revoke", `{"token":"`+token+`"}`)
		require.Contains(t, b.log.String(), `msg="tokens revoked" request_id=`+r.header.Get(requestIDHeader)+" organisation="+posthorn.DefaultOrg+" subject=token:"+id)
		require.NotContains(t, b.log.String(), token)
	})
	t.Run("a token without an id is ended too", func(t *testing.T) {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": posthorn.DefaultOrg, "exp": time.Now().Add(time.Hour).Unix()}).SignedString(testTokenSecret)
		require.NoError(t, err)
		b.requireGood(t, token)
		b.must(http.StatusNoContent, "POST", "/auth/revoke", `{"token":"`+token+`"}`)
		b.requireRevoked(t, token)
	})
	t.Run("a token that lasts beyond all measure stays revoked", func(t *testing.T) {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": posthorn.DefaultOrg, "jti": "far", "exp": int64(1e17)}).SignedString(testTokenSecret)
		require.NoError(t, err)
		require.Equal(t, "9999-12-31T23:59:59Z", b.as(token, "GET", "/auth/whoami", "").field(t, "expiresAt"))
		b.must(http.StatusNoContent, "POST", "/auth/revoke", `{"token":"`+token+`"}`)
		b.must(http.StatusNoContent, "POST", "/auth/revoke", `{"tokenId":"another"}`) // sweeps
		b.requireRevoked(t, token)
	})
	t.Run("what can't be revoked is said", func(t *testing.T) {
		foreign, err := b.tokens.Organisation("org_other")
		require.NoError(t, err)
		expired := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": posthorn.DefaultOrg, "exp": 1})
		old, err := expired.SignedString(testTokenSecret)
		require.NoError(t, err)
		notOurs := []string{`"loc":["body","token"]`, "must be a token of this organisation"}
		b.run(t, nothingToReplace(), []scenario{
			{name: "garbage", method: "POST", path: "/auth/revoke", body: `{"token":"x"}`, status: 422, contains: notOurs},
			{name: "another organisation's", method: "POST", path: "/auth/revoke", body: `{"token":"` + foreign + `"}`, status: 422, contains: notOurs},
			{name: "nothing", method: "POST", path: "/auth/revoke", body: `{}`, status: 422, contains: []string{"either token or tokenId"}},
			{name: "both", method: "POST", path: "/auth/revoke", body: `{"token":"x","tokenId":"y"}`, status: 422, contains: []string{"either token or tokenId"}},
			{name: "an expired token needs no revocation", method: "POST", path: "/auth/revoke", body: `{"token":"` + old + `"}`, status: 204},
		})
		b.requireGood(t, foreign)
		id := b.as(foreign, "GET", "/auth/whoami", "").field(t, "tokenId")
		b.must(http.StatusNoContent, "POST", "/auth/revoke", `{"tokenId":"`+id+`"}`)
		b.requireGood(t, foreign)
	})
	t.Run("only the organisation revokes, and not with a narrowed token", func(t *testing.T) {
		for _, g := range []Grant{{App: app}, {ReadOnly: true}, {Capabilities: []Capability{ViewBase, CreateMessages}}} {
			for _, path := range []string{"/auth/revoke", "/auth/app/" + app + "/expire-all", "/auth/app-portal-access/" + app, "/auth/dashboard-access/" + app} {
				r := b.as(b.issue(g), "POST", path, `{"tokenId":"x"}`)
				require.Equal(t, http.StatusForbidden, r.status, r.body)
			}
		}
	})
}

func TestRevokingTheTokensOfAnApplication(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app, other := b.application(), b.application()
	path := "/auth/app/" + app + "/expire-all"

	t.Run("ends those that there are, and not those made later or for others", func(t *testing.T) {
		before, others := []string{b.issue(Grant{App: app}), b.issue(Grant{App: app, Session: "user_1"})}, b.issue(Grant{App: other})
		for _, token := range before {
			b.requireGood(t, token)
		}
		b.must(http.StatusNoContent, "POST", path, `{}`)
		after := b.issue(Grant{App: app})
		for _, token := range before {
			b.requireRevoked(t, token)
		}
		b.requireGood(t, after)
		b.requireGood(t, others)
		b.requireGood(t, b.org)
	})
	t.Run("of some sessions leaves the rest", func(t *testing.T) {
		none, one, two, three := b.issue(Grant{App: app}), b.issue(Grant{App: app, Session: "user_1"}), b.issue(Grant{App: app, Session: "user_2"}), b.issue(Grant{App: app, Session: "user_3"})
		elsewhere := b.issue(Grant{App: other, Session: "user_1"})
		b.must(http.StatusNoContent, "POST", path, `{"sessionIds":["user_1","user_2","user_1"],"expiry":null}`)
		b.requireRevoked(t, one)
		b.requireRevoked(t, two)
		for _, token := range []string{none, three, elsewhere, b.issue(Grant{App: app, Session: "user_1"})} {
			b.requireGood(t, token)
		}
	})
	t.Run("can be put off, which an earlier end overrules", func(t *testing.T) {
		now := newClock()
		b := b.serve(t, func(o *Options) { o.Now = now.Now })
		old := b.issue(Grant{App: app})
		b.must(http.StatusNoContent, "POST", path, `{"expiry":3600}`)
		later := b.issue(Grant{App: app})
		b.requireGood(t, old)
		now.advance(time.Hour - time.Second)
		b.requireGood(t, old)
		now.advance(time.Second)
		b.requireRevoked(t, old)
		b.requireGood(t, later)
		b.must(http.StatusNoContent, "POST", path, `{"expiry":3600}`)
		b.requireGood(t, later)
		b.must(http.StatusNoContent, "POST", path, `{"expiry":0}`)
		b.requireRevoked(t, later)
	})
	t.Run("ends tokens of other makers by when they were made", func(t *testing.T) {
		sign := func(c jwt.MapClaims) string {
			c["sub"], c["org"], c["exp"] = app, posthorn.DefaultOrg, time.Now().Add(time.Hour).Unix()
			token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(testTokenSecret)
			require.NoError(t, err)
			return token
		}
		before, unknown, after := sign(jwt.MapClaims{"iat": time.Now().Add(-time.Second).Unix()}), sign(jwt.MapClaims{}), sign(jwt.MapClaims{"jti": "9", "iat": time.Now().Add(time.Minute).Unix()})
		b.must(http.StatusNoContent, "POST", path, `{}`)
		b.requireRevoked(t, before)
		b.requireRevoked(t, unknown)
		b.requireGood(t, after)
	})
	t.Run("asks for an application that there is", func(t *testing.T) {
		b.run(t, nothingToReplace(), []scenario{
			{name: "unknown", method: "POST", path: "/auth/app/nobody/expire-all", body: `{}`, status: 404},
			{name: "too late", method: "POST", path: path, body: `{"expiry":259201}`, status: 422, contains: []string{`"expiry"`}},
			{name: "not a session", method: "POST", path: path, body: `{"sessionIds":["a b"]}`, status: 422, contains: []string{`"sessionIds"`}},
		})
	})
}

func TestRevocationsLastAndSpread(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "posthorn.db")
	b := setup(t)
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Durability: sqlite.Normal})
	require.NoError(t, err)
	now := newClock()
	first := b.serve(t, func(o *Options) { o.Store, o.Now = db, now.Now })
	second := b.serve(t, func(o *Options) { o.Store, o.Now = db, now.Now })
	app := first.must(http.StatusCreated, "POST", "/app", `{"name":"Acme"}`)
	one, all := b.issue(Grant{}), b.issue(Grant{App: app})
	for _, token := range []string{one, all} {
		second.requireGood(t, token)
	}
	first.must(http.StatusNoContent, "POST", "/auth/revoke", `{"token":"`+one+`"}`)
	first.must(http.StatusNoContent, "POST", "/auth/app/"+app+"/expire-all", `{}`)

	now.advance(maxVerdictAge - time.Millisecond)
	for _, token := range []string{one, all} {
		first.requireRevoked(t, token)
		second.requireGood(t, token) // as long as another process may take to notice
	}
	now.advance(time.Millisecond)
	for _, token := range []string{one, all} {
		second.requireRevoked(t, token)
	}

	require.NoError(t, db.Close())
	first.as(b.issue(Grant{}), "GET", "/auth/whoami", "").requireRefused(t, http.StatusServiceUnavailable, "unavailable", "Temporarily unavailable, try again")
	reopened, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	require.NoError(t, err)
	defer reopened.Close()
	after := b.serve(t, func(o *Options) { o.Store, o.Now = reopened, now.Now })
	for _, token := range []string{one, all} {
		after.requireRevoked(t, token)
	}
}

// A token that is used again and again is looked up once in ten seconds.
func TestRevocationsAreCheckedFromMemory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	now := newClock()
	counted := &countingStore{Store: b.store}
	b = b.serve(t, func(o *Options) { o.Store, o.Now = counted, now.Now })
	for range 50 {
		b.requireGood(t, b.org)
	}
	require.EqualValues(t, 1, counted.looked.Load())
	now.advance(maxVerdictAge)
	for range 50 {
		b.requireGood(t, b.org)
	}
	require.EqualValues(t, 2, counted.looked.Load())
}
