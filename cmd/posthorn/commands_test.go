package main_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestCommands runs the commands one after the other against a server, as a newcomer does.
func TestCommands(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	at := []string{"--server", s.url, "--data-dir", s.dir}
	run := func(args ...string) *process {
		t.Helper()
		return run(t, append(args, at...)...)
	}

	version := start(t, "version")
	require.Zero(t, version.Wait(t))
	require.Contains(t, version.Stdout.String(), "temporal server")

	health := start(t, "healthcheck", "--server", s.url)
	require.Zero(t, health.Wait(t), "%s", health.Stderr)
	require.Equal(t, s.url+" is well\n", health.Stdout.String())

	orphan := run("send", "nobody", "order.created")
	require.Equal(t, 1, orphan.Code)
	require.Contains(t, orphan.Stderr.String(), "--create makes it")
	require.Len(t, orphan.Stderr.Lines(), 1)

	// Receive, and pass on.
	behind := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusCreated) })
	listen := start(t, append([]string{"listen", "--app", "acme", "--forward", behind.URL + "/hooks", "--json"}, at...)...)
	listen.Await(t, listen.Stderr, "Ctrl-C ends it")
	var endpoints struct{ Data []struct{ ID string } }
	s.do(t, http.MethodGet, "/app/acme/endpoint", "", &endpoints)
	require.Len(t, endpoints.Data, 1)
	var secret struct{ Key string }
	s.do(t, http.MethodGet, "/app/acme/endpoint/"+endpoints.Data[0].ID+"/secret", "", &secret)

	sent := run("send", "acme", "order.created", "--data", `{"total":42.0}`, "--wait", patience.String())
	require.Zero(t, sent.Code, "%s", sent.Stderr)
	message := sent.Stdout.Lines()[0]
	require.Contains(t, sent.Stdout.String(), "deliveries: "+s.url+"/api/v1/app/acme/msg/"+message+"/endpoint")
	require.Contains(t, sent.Stdout.String(), "delivered  "+endpoints.Data[0].ID)

	var printed struct {
		ID, Signature string
		Status        int
		Payload       json.RawMessage
	}
	require.NoError(t, json.Unmarshal([]byte(listen.Await(t, listen.Stdout, "\n")), &printed))
	require.Equal(t, message, printed.ID)
	require.Equal(t, "ok", printed.Signature)
	require.Equal(t, http.StatusCreated, printed.Status)
	forwarded := behind.wait(t, 1)[0]
	forwarded.verify(t, secret.Key)
	require.Equal(t, `{"total":42.0}`, string(forwarded.body))

	// An interrupt ends it and removes the endpoint.
	require.NoError(t, listen.Cmd.Process.Signal(os.Interrupt))
	require.Zero(t, listen.Wait(t), "%s", listen.Stderr)
	require.Contains(t, listen.Stderr.String(), "removed "+endpoints.Data[0].ID)
	s.do(t, http.MethodGet, "/app/acme/endpoint", "", &endpoints)
	require.Empty(t, endpoints.Data)

	// A token for one customer opens that customer's things and nothing else.
	s.do(t, http.MethodPost, "/app", `{"uid":"other","name":"Other"}`, nil)
	token := run("token", "--app", "acme")
	require.Zero(t, token.Code, "%s", token.Stderr)
	customer := s.api
	customer.token = strings.TrimSpace(token.Stdout.String())
	customer.do(t, http.MethodGet, "/app/acme/endpoint", "", nil)
	for _, path := range []string{"/app/other", "/app/other/endpoint", "/app"} {
		status, answer, err := customer.call(t.Context(), http.MethodGet, path, "")
		require.NoError(t, err)
		require.Equal(t, 4, status/100, "%s: %d %s", path, status, answer)
	}
	team := run("token")
	require.Zero(t, team.Code, "%s", team.Stderr)
	organisation := s.api
	organisation.token = strings.TrimSpace(team.Stdout.String())
	organisation.do(t, http.MethodGet, "/app/other", "", nil)

	require.Zero(t, s.Stop(t), "%s", s.Stderr)
	unwell := start(t, "healthcheck", "--server", s.url)
	require.Equal(t, 1, unwell.Wait(t))
	require.Equal(t, "posthorn: no Posthorn answers at "+s.url+": is `posthorn dev` running?\n", unwell.Stderr.String())
}
