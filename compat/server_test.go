package compat

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/binarytest"
)

// server is a `posthorn dev` for all suites.
type server struct {
	url   string
	token string // the organisation's
	dir   string
}

var (
	urlRow   = regexp.MustCompile(`(?m)^  API +(\S+)$`)
	tokenRow = regexp.MustCompile(`(?m)^  Token +(\S+)$`)
)

// newServer starts one whose deliveries fail for good after three attempts within a second.
func newServer(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir() + "/data"
	p := binarytest.Start(t, binary, "dev", "--listen", "127.0.0.1:0", "--temporal-listen", "127.0.0.1:0",
		"--temporal-ui-listen", "off", "--data-dir", dir, "--retry-schedule", "200ms,200ms", "--log-level", "warn")
	banner := p.Await(t, p.Stdout, "Send an event:")
	t.Cleanup(func() {
		require.Zero(t, p.Stop(t))
		if t.Failed() {
			t.Logf("the server said\n%s", p.Stderr)
		}
	})
	return &server{url: urlRow.FindStringSubmatch(banner)[1], token: tokenRow.FindStringSubmatch(banner)[1], dir: dir}
}

// applicationToken makes an application and a token that is limited to it.
func (s *server) applicationToken(t *testing.T, uid string) string {
	t.Helper()
	var app struct{ ID string }
	plain{url: s.url, token: s.token}.must(t, http.MethodPost, "/app", map[string]any{"name": "The suite's own", "uid": uid}, &app)
	made := binarytest.Start(t, binary, "token", "--app", app.ID, "--data-dir", s.dir)
	require.Zero(t, made.Wait(t), "%s", made.Stderr)
	return strings.TrimSpace(made.Stdout.String())
}

// served are the operations that the server's OpenAPI document lists, by key.
func (s *server) served(t *testing.T) map[string]bool {
	t.Helper()
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	plain{url: s.url}.must(t, http.MethodGet, "/openapi.json", nil, &document)
	listed := map[string]bool{}
	for path, methods := range document.Paths {
		for method := range methods {
			o := operation{method: strings.ToUpper(method), path: strings.TrimPrefix(path, basePath)}
			listed[o.key()] = true
		}
	}
	return listed
}

// plain is a client without an SDK.
type plain struct {
	url   string
	token string
}

var plainHTTP = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

func (p plain) call(ctx context.Context, method, path string, body any) (status int, answer []byte, err error) {
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, p.url+basePath+path, content)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if p.token != "" {
		request.Header.Set("Authorization", "Bearer "+p.token)
	}
	response, err := plainHTTP.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// must is call for requests that have to succeed. Out gets the answer, unless it is nil.
func (p plain) must(t *testing.T, method, path string, body, out any) {
	t.Helper()
	status, answer, err := p.call(t.Context(), method, path, body)
	require.NoError(t, err)
	require.Equal(t, 2, status/100, "%s %s: %d %s", method, path, status, answer)
	if out != nil {
		require.NoError(t, json.Unmarshal(answer, out), "%s", answer)
	}
}

// refused is call for requests that have to fail, with a status and an error code.
func (p plain) refused(t *testing.T, status int, code, method, path string, body any) {
	t.Helper()
	got, answer, err := p.call(t.Context(), method, path, body)
	require.NoError(t, err)
	require.Equal(t, status, got, "%s %s: %s", method, path, answer)
	require.Contains(t, string(answer), fmt.Sprintf(`"code":%q`, code))
}
