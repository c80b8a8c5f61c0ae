package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/posthorn/posthorn/internal/nettest"
)

// namespace is where the workflows are.
const namespace = "default"

// server is a `posthorn dev` on a data folder of its own. It can be ended and started again, at the same addresses.
type server struct {
	*process
	api
	t        *testing.T
	dir      string
	temporal string
	args     []string
}

// newServer starts one. The flags come on top of addresses and data folder, and win.
func newServer(t *testing.T, flags ...string) *server {
	t.Helper()
	listen := nettest.FreeAddress(t)
	s := &server{t: t, dir: t.TempDir() + "/data", temporal: nettest.FreeAddress(t)}
	s.args = append([]string{
		"dev", "--listen", listen, "--temporal-listen", s.temporal, "--temporal-ui-listen", "off",
		"--data-dir", s.dir, "--log-level", "warn",
	}, flags...)
	s.url = "http://" + listen
	s.http = &http.Client{Timeout: 15 * time.Second, Transport: documented(t, &http.Transport{MaxIdleConnsPerHost: 100})}
	t.Cleanup(s.http.CloseIdleConnections)
	s.restart()
	s.waitReady()
	return s
}

// restart starts the process again and does not wait until it is ready.
func (s *server) restart() { s.process = start(s.t, s.args...) }

var tokenRow = regexp.MustCompile(`(?m)^  Token +(\S+)$`)

// waitReady returns when the process says that it is, and checks that it is right.
func (s *server) waitReady() {
	s.t.Helper()
	banner := s.Await(s.t, s.Stdout, "Send an event:")
	s.t.Logf("ready %s after the start", time.Since(s.Began).Round(time.Millisecond))
	require.Contains(s.t, banner, s.url)
	if s.token == "" {
		s.token = tokenRow.FindStringSubmatch(banner)[1]
	}
	status, body, err := s.call(s.t.Context(), http.MethodGet, "/health", "")
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusNoContent, status, "%s", body)
}

// engine connects to the server's Temporal.
func (s *server) engine() client.Client {
	s.t.Helper()
	c, err := client.Dial(client.Options{HostPort: s.temporal, Namespace: namespace, Logger: sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))})
	require.NoError(s.t, err)
	s.t.Cleanup(c.Close)
	return c
}

// api calls a server's API.
type api struct {
	url   string
	token string
	http  *http.Client
}

func (a *api) call(ctx context.Context, method, path, body string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.url+"/api/v1"+path, bytes.NewBufferString(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Content-Type", "application/json")
	res, err := a.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// do is call for requests that have to succeed. Out gets the answer, unless it is nil.
func (a *api) do(t *testing.T, method, path, body string, out any) {
	t.Helper()
	status, answer, err := a.call(t.Context(), method, path, body)
	require.NoError(t, err)
	require.Equal(t, 2, status/100, "%s %s: %d %s", method, path, status, answer)
	if out != nil {
		require.NoError(t, json.Unmarshal(answer, out))
	}
}

// createApp makes the application "acme".
func (a *api) createApp(t *testing.T) {
	t.Helper()
	a.do(t, http.MethodPost, "/app", `{"uid":"acme","name":"Acme"}`, nil)
}

// createEndpoint adds an endpoint to acme and returns its id and its secret.
func (a *api) createEndpoint(t *testing.T, url string) (id, secret string) {
	t.Helper()
	var endpoint struct{ ID string }
	a.do(t, http.MethodPost, "/app/acme/endpoint", fmt.Sprintf(`{"url":%q}`, url), &endpoint)
	var out struct{ Key string }
	a.do(t, http.MethodGet, "/app/acme/endpoint/"+endpoint.ID+"/secret", "", &out)
	return endpoint.ID, out.Key
}

// send posts an event to acme and returns the id of the message.
func (a *api) send(t *testing.T, payload string) string {
	t.Helper()
	var out struct{ ID string }
	a.do(t, http.MethodPost, "/app/acme/msg", fmt.Sprintf(`{"eventType":"order.created","payload":%s}`, payload), &out)
	return out.ID
}

// delivery is where a message stands with one endpoint.
type delivery struct {
	ID          string // of the endpoint
	State       string
	Waits       string
	Reason      string
	Attempts    int
	NextAttempt *time.Time
}

func (a *api) deliveries(t *testing.T, message string) []delivery {
	t.Helper()
	var list struct{ Data []delivery }
	a.do(t, http.MethodGet, "/app/acme/msg/"+message+"/endpoint?limit=250", "", &list)
	return list.Data
}

// waitDelivery returns the message's only delivery once it is in a state.
func (a *api) waitDelivery(t *testing.T, message, state string) delivery {
	t.Helper()
	var last []delivery
	require.Eventually(t, func() bool {
		last = a.deliveries(t, message)
		return len(last) == 1 && last[0].State == state
	}, patience, 20*time.Millisecond, "waiting for %s to be %s", message, state)
	return last[0]
}

// attempt is one request as it is recorded.
type attempt struct {
	ID                 string
	EndpointID         string
	AttemptNumber      int
	Status             int // 0 success, 2 failure
	Trigger            string
	ResponseStatusCode int
	ResponseDurationMs int64
	Timestamp          time.Time
}

// attempts are those of a message, in the order of their numbers.
func (a *api) attempts(t *testing.T, message string) []attempt {
	t.Helper()
	var list struct{ Data []attempt }
	a.do(t, http.MethodGet, "/app/acme/attempt/msg/"+message+"?limit=250", "", &list)
	slices.SortFunc(list.Data, func(a, b attempt) int { return a.AttemptNumber - b.AttemptNumber })
	return list.Data
}

// messages are the ids of all that acme has.
func (a *api) messages(t *testing.T) []string {
	t.Helper()
	var ids []string
	for iterator := ""; ; {
		var page struct {
			Data     []struct{ ID string }
			Iterator string
			Done     bool
		}
		path := "/app/acme/msg?limit=250&with_content=false"
		if iterator != "" {
			path += "&iterator=" + iterator
		}
		a.do(t, http.MethodGet, path, "", &page)
		for _, m := range page.Data {
			ids = append(ids, m.ID)
		}
		if page.Done {
			return ids
		}
		iterator = strings.TrimSpace(page.Iterator)
	}
}
