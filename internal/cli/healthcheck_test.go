package cli

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHealthcheck(t *testing.T) {
	t.Parallel()
	t.Run("of a server that is well", func(t *testing.T) {
		t.Parallel()
		b, api := setup(t), newFakeAPI(t)
		api.on("GET /readyz", http.StatusNoContent, "")
		require.Equal(t, 0, b.run(t, "healthcheck", "--server", api.url+"/"))
		require.Equal(t, api.url+" is well\n", b.stdout.String())
		require.Empty(t, api.call(t, "GET", "/readyz").token)
	})
	t.Run("of a server that is not", func(t *testing.T) {
		t.Parallel()
		b, api := setup(t), newFakeAPI(t)
		api.on("GET /readyz", http.StatusInternalServerError, `{"code":"server_error","detail":"the database\ndoes not answer"}`)
		require.Equal(t, 1, b.run(t, "healthcheck", "--server", api.url))
		b.requireFailure(t, api.url+" is not well: 500 the database does not answer")
	})
	t.Run("of a server that knows what it lacks", func(t *testing.T) {
		t.Parallel()
		b, api := setup(t), newFakeAPI(t)
		api.on("GET /readyz", http.StatusServiceUnavailable, `{"temporal":{"status":"error"},"database":{"status":"ok"}}`)
		require.Equal(t, 1, b.run(t, "healthcheck", "--server", api.url))
		b.requireFailure(t, api.url+" is not well: temporal error")
	})
	t.Run("of a server that is not there", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		require.Equal(t, 1, b.run(t, "healthcheck", "--server", "http://127.0.0.1:1"))
		b.requireFailure(t, "no Posthorn answers at http://127.0.0.1:1: is `posthorn dev` running?")
	})
}
