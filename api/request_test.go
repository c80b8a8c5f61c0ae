package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The id of a request leads from its answer to the log, whatever kind of answer it is.
func TestRequestIDsAreInErrors(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ask := func(agent, token, method, path, body string) reply {
		return b.with(http.Header{requestIDHeader: {"mine-1"}, "User-Agent": {agent}, "Authorization": {"Bearer " + token}}, method, path, body)
	}
	for name, c := range map[string]struct {
		token, method, path, body string
		status                    int
	}{
		"not authenticated":       {"garbage", "GET", "/app", "", 401},
		"not found":               {b.org, "GET", "/app/nobody", "", 404},
		"no such path":            {b.org, "GET", "/nope", "", 404},
		"no such method":          {b.org, "DELETE", "/app", "", 405},
		"an unreadable query":     {b.org, "GET", "/app?limit=x", "", 400},
		"input that huma refuses": {b.org, "POST", "/app", `{"name":""}`, 422},
		"input that we refuse":    {b.org, "GET", "/app?iterator=x", "", 422},
		"what is no JSON":         {b.org, "POST", "/app", `{`, 422},
		"a body that is too long": {b.org, "POST", "/app", strings.Repeat(" ", maxBody+1), 413},
	} {
		t.Run(name, func(t *testing.T) {
			r := ask("svix-libs/1.98.0/go", c.token, c.method, c.path, c.body)
			require.Equal(t, c.status, r.status, r.body)
			require.Equal(t, "mine-1", r.header.Get(requestIDHeader))
			require.Equal(t, "mine-1", r.field(t, "requestId"))
			old := ask("svix-libs/1.44.0/go", c.token, c.method, c.path, c.body)
			require.Equal(t, c.status, old.status)
			require.NotContains(t, old.body, "requestId", "old clients refuse fields that they don't know")
			require.Equal(t, "mine-1", old.header.Get(requestIDHeader))
		})
	}
	require.Contains(t, b.log.String(), "request_id=mine-1")
	require.NotContains(t, b.do("GET", "/app", "").body, "requestId", "answers that are no errors have no such field")
}

func TestPagesMayReadTheHeadersThatMatter(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, r := range []reply{b.do("GET", "/app", ""), b.as("", "GET", "/app", ""), b.do("GET", "/nope", "")} {
		require.Equal(t, "*", r.header.Get("Access-Control-Allow-Origin"))
		exposed := strings.Split(r.header.Get("Access-Control-Expose-Headers"), ", ")
		for _, name := range []string{"X-Request-Id", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "Retry-After", "Idempotent-Replayed"} {
			require.Contains(t, exposed, name)
		}
		require.Empty(t, r.header.Get("Access-Control-Allow-Credentials"), "nothing is granted by cookies")
	}
	preflight := b.with(http.Header{
		"Origin": {"https://example.com"}, "Access-Control-Request-Method": {"DELETE"}, "Access-Control-Request-Headers": {"authorization, content-type, idempotency-key"},
	}, "OPTIONS", "/app/x", "")
	require.Equal(t, http.StatusNoContent, preflight.status, "without a token")
	require.Equal(t, "authorization, content-type, idempotency-key", preflight.header.Get("Access-Control-Allow-Headers"))
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"} {
		require.Contains(t, preflight.header.Get("Access-Control-Allow-Methods"), method)
	}
}
