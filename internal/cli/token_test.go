package cli

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
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
		require.Equal(t, "Bearer token-of-"+posthorn.DefaultOrg, api.call(t, "GET", "/api/v1/app/acme").token)
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
