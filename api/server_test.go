package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := New(Options{})
	for _, missing := range []string{"Store", "Dispatcher", "Tokens"} {
		require.ErrorContains(t, err, missing)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, method := range []string{"GET", "HEAD"} {
		for _, path := range []string{"/health", "/health/", "/health/ping", "/health/ping/"} {
			r := b.as("", method, path, "")
			require.Equal(t, http.StatusNoContent, r.status)
			require.Empty(t, r.body)
		}
	}
	b.dispatcher.fail(errors.New("dial tcp 10.1.2.3"))
	r := b.as("", "GET", "/health", "")
	require.Equal(t, http.StatusServiceUnavailable, r.status)
	require.JSONEq(t, `{"database":{"status":"ok"},"temporal":{"status":"error"}}`, r.body)
	require.Contains(t, b.log.String(), "10.1.2.3")
	require.Equal(t, http.StatusNoContent, b.as("", "GET", "/health/ping", "").status)
}

func TestAnswersOutsideOfTheRoutes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run(t, strings.NewReplacer(), []scenario{
		{name: "an unknown path is not found", method: "GET", path: "/nope", status: 404, contains: []string{`"code":"not_found"`, `"detail":`}},
		{name: "nor is a path with an empty name", method: "GET", path: "/app//endpoint", status: 404, contains: []string{"There is no such path"}},
		{name: "an unknown method is not allowed", method: "DELETE", path: "/app", status: 405, contains: []string{`"code":"method_not_allowed"`}},
	})
	t.Run("pages of any origin may call", func(t *testing.T) {
		r := b.with(http.Header{"Origin": {"https://example.com"}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"authorization,idempotency-key"}},
			"OPTIONS", "/app", "")
		require.Equal(t, http.StatusNoContent, r.status)
		require.Equal(t, "*", r.header.Get("Access-Control-Allow-Origin"))
		require.Equal(t, "authorization,idempotency-key", r.header.Get("Access-Control-Allow-Headers"))
		require.Contains(t, r.header.Get("Access-Control-Allow-Methods"), "PATCH")
		require.Equal(t, "600", r.header.Get("Access-Control-Max-Age"))
		require.Equal(t, "*", b.do("GET", "/app", "").header.Get("Access-Control-Allow-Origin"))
	})
	t.Run("requests have an id", func(t *testing.T) {
		require.NotEmpty(t, b.do("GET", "/app", "").header.Get(requestIDHeader))
		r := b.with(http.Header{requestIDHeader: {"mine-1"}}, "GET", "/app", "")
		require.Equal(t, "mine-1", r.header.Get(requestIDHeader))
		require.Contains(t, b.log.String(), "request_id=mine-1")
		r = b.with(http.Header{requestIDHeader: {strings.Repeat("x", 129)}}, "GET", "/app", "")
		require.Less(t, len(r.header.Get(requestIDHeader)), 129)
	})
	t.Run("answers are JSON whatever is asked for", func(t *testing.T) {
		for _, accept := range []string{"text/html", "application/cbor", "json", "*/*"} {
			r := b.with(http.Header{"Accept": {accept}, "Authorization": {"Bearer " + b.org}, "Content-Type": {"application/x-www-form-urlencoded"}}, "POST", "/app", `{"name":"x"}`)
			require.Equal(t, http.StatusCreated, r.status, r.body)
			require.Equal(t, jsonType, r.header.Get("Content-Type"))
		}
	})
}

// broken is a dispatcher whose calls end as no call should.
type broken struct{ ping func() error }

func (b broken) Start(context.Context, posthorn.Message) error          { return b.ping() }
func (b broken) Resend(context.Context, posthorn.Message, string) error { return b.ping() }
func (b broken) StartTask(context.Context, posthorn.Task) error         { return b.ping() }
func (b broken) CancelTask(context.Context, string) error               { return b.ping() }
func (b broken) SendNow(context.Context, posthorn.Message, string) (string, error) {
	return "", b.ping()
}
func (b broken) Cancelled(context.Context, posthorn.Message, bool, []posthorn.Delivery) error {
	return b.ping()
}
func (b broken) Ping(context.Context) error { return b.ping() }

func TestInternalErrorsAreHiddenAndLogged(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func() error{
		"an error": func() error { return errors.New("pq: password hunter2") },
		"a panic":  func() error { panic("password hunter2") },
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			app := b.application()
			log := &syncBuffer{}
			server, err := New(Options{Store: b.store, Dispatcher: broken{end}, Tokens: b.tokens, Logger: newLogger(log)})
			require.NoError(t, err)
			listener := httptest.NewServer(server.Handler())
			defer listener.Close()
			b.url = listener.URL
			r := b.do("POST", "/app/"+app+"/msg", `{"eventType":"e","payload":{}}`)
			require.Equal(t, http.StatusInternalServerError, r.status)
			require.JSONEq(t, `{"code":"server_error","detail":"Internal server error","requestId":"`+r.header.Get(requestIDHeader)+`"}`, r.body)
			require.Contains(t, log.String(), "hunter2")
			require.Contains(t, log.String(), "request_id="+r.header.Get(requestIDHeader))
		})
	}
}

func TestEveryCodeHasAWireForm(t *testing.T) {
	t.Parallel()
	s := &Server{log: newLogger(&syncBuffer{})}
	for code, want := range map[posthorn.Code]int{
		posthorn.Invalid: 422, posthorn.Unauthorized: 401, posthorn.Forbidden: 403, posthorn.NotFound: 404, posthorn.Conflict: 409,
		posthorn.TooLarge: 413, posthorn.LimitReached: 400, posthorn.Gone: 400, posthorn.Unavailable: 503, posthorn.Internal: 500, "new": 500,
	} {
		f := s.failure(t.Context(), &posthorn.Error{Code: code})
		require.Equal(t, want, f.status, code)
		encoded, err := json.Marshal(f)
		require.NoError(t, err)
		require.Contains(t, string(encoded), "detail")
	}
}

func TestBodiesThatBreakOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, rest := range map[string]string{
		"a chunk whose length is none":           "Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
		"a chunk that is longer than it says it": "Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
			require.NoError(t, err)
			defer conn.Close()
			_, err = fmt.Fprintf(conn, "POST %s/app HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s", basePath, b.org, rest)
			require.NoError(t, err)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+basePath+"/app", nil)
			require.NoError(t, err)
			response, err := http.ReadResponse(bufio.NewReader(conn), request)
			require.NoError(t, err)
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.Equal(t, http.StatusBadRequest, response.StatusCode, "%s", body)
			require.Contains(t, string(body), "did not arrive in whole")
			checkExchange(t, request, response, body)
		})
	}
}
