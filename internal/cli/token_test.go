package cli

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/config"
)

func TestToken(t *testing.T) {
	t.Parallel()
	id := posthorn.ApplicationID.New()

	t.Run("is for the organisation and printed alone", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		require.Equal(t, 0, b.run(t, "token", "--data-dir", b.dataDir))
		require.Equal(t, "token-of-"+posthorn.DefaultOrg+"\n", b.stdout.String())
		require.Empty(t, b.stderr.String())
	})
	t.Run("is limited to an id without asking anybody", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		require.Equal(t, 0, b.run(t, "token", "--data-dir", b.dataDir, "--app", id, "--server", "http://127.0.0.1:1"))
		require.Equal(t, "token-of-"+id+"-in-"+posthorn.DefaultOrg+"\n", b.stdout.String())
	})
	t.Run("has the server look up a uid", func(t *testing.T) {
		t.Parallel()
		b, api := setup(t), newFakeAPI(t)
		api.on("GET /api/v1/app/acme", http.StatusOK, `{"id":"`+id+`","uid":"acme"}`)
		require.Equal(t, 0, b.run(t, "token", "--data-dir", b.dataDir, "--app", "acme", "--server", api.url))
		require.Equal(t, "token-of-"+id+"-in-"+posthorn.DefaultOrg+"\n", b.stdout.String())
		require.Contains(t, api.call(t, "GET", "/api/v1/app/acme").token, "Bearer token-of-"+posthorn.DefaultOrg+"{Org: App: Life:1m0s ReadOnly:true")
	})
	t.Run("is narrowed as the flags say", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		require.Equal(t, 0, b.run(t, "token", "--data-dir", b.dataDir, "--app", id, "--expires", "2d", "--read-only", "--capabilities", "ViewBase,CreateAttempts",
			"--feature-flags", "beta,gamma", "--session", "user_1", "--networks", "10.1.2.3/8", "--jwt-algorithm", "RS256", "--jwt-key-file", "/key.pem"))
		require.Equal(t, "token-of-"+id+"-in-"+posthorn.DefaultOrg+"{Org: App: Life:48h0m0s ReadOnly:true Capabilities:[ViewBase CreateAttempts] "+
			"FeatureFlags:[beta gamma] Session:user_1 Networks:[10.0.0.0/8]}\n", b.stdout.String())
		require.Equal(t, config.JWT{Algorithm: "RS256", KeyFile: "/key.pem"}, b.jwt)
	})
	t.Run("is refused what its kind does not have", func(t *testing.T) {
		t.Parallel()
		for want, args := range map[string][]string{
			`--feature-flags and --session are for tokens with --app (run "posthorn token --help")`: {"--session", "user_1"},
			`--expires: "soon" is not a time such as 30m, 24h or 7d (run "posthorn token --help")`:  {"--expires", "soon"},
			`--expires: "0d" is not a time such as 30m, 24h or 7d (run "posthorn token --help")`:    {"--expires", "0d"},
		} {
			b := setup(t)
			require.Equal(t, 2, b.run(t, append([]string{"token", "--data-dir", b.dataDir}, args...)...))
			b.requireFailure(t, want)
		}
	})
	t.Run("cannot be for a uid that nobody knows", func(t *testing.T) {
		t.Parallel()
		b, api := setup(t), newFakeAPI(t)
		require.Equal(t, 1, b.run(t, "token", "--data-dir", b.dataDir, "--app", "acme", "--server", api.url))
		b.requireFailure(t, `there is no application "acme" at `+api.url)
		require.Empty(t, b.stdout.String())
	})
	t.Run("cannot be for a uid while no server runs", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		require.Equal(t, 1, b.run(t, "token", "--data-dir", b.dataDir, "--app", "acme", "--server", "http://127.0.0.1:1"))
		b.requireFailure(t, "looking up the application \"acme\" (its id would do without): no Posthorn answers at http://127.0.0.1:1: is `posthorn dev` running?")
	})
	t.Run("cannot be made from a folder that cannot be used", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		require.Equal(t, 2, b.run(t, "token", "--data-dir", "/nowhere"))
		b.requireFailure(t, "--data-dir /nowhere: permission denied")
	})
}
