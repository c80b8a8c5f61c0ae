package apitest

import (
	"bytes"
	"io"
	"net/http"
)

// Transport checks every exchange that goes through it. Requests that got no answer are not its business.
type Transport struct {
	Checker *Checker
	Base    http.RoundTripper
	Report  func(error) // gets what differs; called by whoever makes the request
}

// CloseIdleConnections lets http.Client close those of the base.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.Base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// RoundTrip implements http.RoundTripper. It reads the whole answer.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.Base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if closed := res.Body.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	if err := t.Checker.Check(req, res.StatusCode, res.Header, body); err != nil {
		t.Report(err)
	}
	return res, nil
}
