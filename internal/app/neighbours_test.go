package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/app"
)

// One application's endpoint hangs under more messages than may be under way to it. Another's retries are made, and when
// the endpoint answers again, everything arrives there.
func TestHangingEndpointIsNoMatterOfItsNeighbours(t *testing.T) {
	t.Parallel()
	const most, waiting = 100, 10 // requests to one endpoint, and messages beyond that
	cfg := testConfig(t.TempDir())
	cfg.AttemptTimeout = time.Minute
	a, err := app.New(cfg, "", quiet())
	require.NoError(t, err)
	require.NoError(t, a.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, a.Close()) })

	released := make(chan struct{})
	hanging := newReceiver(t, func(http.ResponseWriter, *http.Request, int) { <-released })
	loud := setupOn(t, a)
	loud.endpoint(svix.EndpointIn{Url: hanging.URL})
	messages := strings.Repeat(`,{"eventType":"a","payload":{}}`, most+waiting)[1:]
	status, body := loud.request(http.MethodPost, "/msg/batch", fmt.Sprintf(`{"messages":[%s]}`, messages))
	require.Equal(t, http.StatusAccepted, status, "%s", body)
	hanging.wait(t, most)

	quiet := setupOn(t, a)
	failing := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n < 3 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	quiet.endpoint(svix.EndpointIn{Url: failing.URL})
	id := quiet.send("a", `{}`)
	quiet.waitState(id, posthorn.Delivered)
	require.Len(t, failing.all(), 3)
	require.Len(t, hanging.all(), most)

	close(released)
	hanging.wait(t, most+waiting)
}
