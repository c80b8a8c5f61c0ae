package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Limits of the client.
const (
	requestTimeout = 30 * time.Second
	maxAnswer      = 16 << 20 // bytes
)

// client talks to the API of a server.
type client struct {
	base  *url.URL
	token string // empty sends none
	http  *http.Client
}

func newClient(server, token string) (*client, error) {
	base, err := url.Parse(server)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, usagef("--server must be a URL such as http://127.0.0.1:8071, not %q", server)
	}
	return &client{
		base:  base.JoinPath("/"),
		token: token,
		http: &http.Client{
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true},
			Timeout:   requestTimeout,
		},
	}, nil
}

// close lets go of idle connections.
func (c *client) close() { c.http.CloseIdleConnections() }

// server is the address as error messages show it: without credentials and without a slash at the end.
func (c *client) server() string { return strings.TrimSuffix(c.base.Redacted(), "/") }

// url returns the address of a resource. The parts are single path segments, whatever they hold.
func (c *client) url(parts ...string) *url.URL {
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return c.base.JoinPath("api/v1").JoinPath(parts...)
}

// apiError is an answer other than 2xx.
type apiError struct {
	status int
	detail string // of one line
	body   []byte
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s", e.status, e.detail) }

// answered reports whether err is an answer of the API with this status.
func answered(err error, status int) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && e.status == status
}

// verbatim is a body that is JSON already and is sent as it is written.
type verbatim []byte

func encode(in any) ([]byte, error) {
	if written, ok := in.(verbatim); ok {
		return written, nil
	}
	return json.Marshal(in)
}

// do sends in (nil for no body) and reads the answer into out (nil if it is of no interest).
func (c *client) do(ctx context.Context, method string, u *url.URL, in, out any) error {
	var body io.Reader
	if in != nil {
		encoded, err := encode(in)
		if err != nil {
			return fmt.Errorf("encoding the request: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return fmt.Errorf("making the request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unanswered(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", c.server(), err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return &apiError{status: resp.StatusCode, detail: errorDetail(resp.StatusCode, answer), body: answer}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s does not answer as Posthorn does: %w", c.server(), err)
	}
	return nil
}

// unanswered explains why no answer came.
func (c *client) unanswered(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("no Posthorn answers at %s: is `posthorn dev` running?", c.server())
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // it repeats method and address
	}
	return fmt.Errorf("asking %s: %w", c.server(), err)
}

// errorDetail finds the explanation in either form of error that the API knows: a sentence, or one per field.
func errorDetail(status int, body []byte) string {
	var envelope struct {
		Detail json.RawMessage `json:"detail"`
	}
	var sentence string
	var fields []struct {
		Loc []any  `json:"loc"`
		Msg string `json:"msg"`
	}
	_ = json.Unmarshal(body, &envelope) // what is no JSON has no detail
	switch {
	case json.Unmarshal(envelope.Detail, &sentence) == nil && sentence != "":
		return oneLine(sentence)
	case json.Unmarshal(envelope.Detail, &fields) == nil && len(fields) > 0:
		told := make([]string, len(fields))
		for i, field := range fields {
			path := make([]string, len(field.Loc))
			for j, step := range field.Loc {
				path[j] = fmt.Sprint(step)
			}
			told[i] = strings.Join(path, ".") + ": " + field.Msg
		}
		return oneLine(strings.Join(told, "; "))
	default:
		return http.StatusText(status)
	}
}

func oneLine(s string) string { return printable(strings.Join(strings.Fields(s), " ")) }
