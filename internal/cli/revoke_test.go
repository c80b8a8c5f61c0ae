package cli

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func TestRevoke(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		uri  string
		body string
	}{
		"a token":                    {[]string{"aa.bb.cc"}, "/api/v1/auth/revoke", `{"token":"aa.bb.cc"}`},
		"the id of a token":          {[]string{"tok_1"}, "/api/v1/auth/revoke", `{"tokenId":"tok_1"}`},
		"all of an application":      {[]string{"--app", "acme"}, "/api/v1/auth/app/acme/expire-all", `{"expiry":0}`},
		"some of them, and not soon": {[]string{"--app", "acme", "--sessions", "a,b", "--in", "1h"}, "/api/v1/auth/app/acme/expire-all", `{"expiry":3600,"sessionIds":["a","b"]}`},
	} {
		t.Run(name+" is asked of the server", func(t *testing.T) {
			t.Parallel()
			b, api := setup(t), newFakeAPI(t)
			api.on("POST "+c.uri, http.StatusNoContent, "")
			require.Equal(t, 0, b.run(t, append([]string{"revoke", "--data-dir", b.dataDir, "--server", api.url}, c.args...)...), b.stderr)
			require.Equal(t, "revoked\n", b.stdout.String())
			require.Equal(t, call{"POST", c.uri, "Bearer token-of-" + posthorn.DefaultOrg, c.body}, api.call(t, "POST", c.uri))
		})
	}

	t.Run("what cannot be done is told in one line", func(t *testing.T) {
		t.Parallel()
		api := newFakeAPI(t)
		api.on("POST /api/v1/auth/revoke", http.StatusUnprocessableEntity,
			`{"detail":[{"loc":["body","token"],"msg":"must be a token of this organisation","type":"value_error"}]}`)
		for want, c := range map[string]struct {
			code int
			args []string
		}{
			`name either a token or an application with --app (run "posthorn revoke --help")`: {2, nil},
			`--sessions and --in are for --app (run "posthorn revoke --help")`:                {2, []string{"tok_1", "--in", "1h"}},
			`there is no application "nobody" at ` + api.url:                                  {1, []string{"--app", "nobody"}},
			"422 body.token: must be a token of this organisation":                            {1, []string{"a.b.c"}},
		} {
			b := setup(t)
			require.Equal(t, c.code, b.run(t, append([]string{"revoke", "--data-dir", b.dataDir, "--server", api.url}, c.args...)...))
			b.requireFailure(t, want)
		}
	})
}
