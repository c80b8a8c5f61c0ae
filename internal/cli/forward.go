package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
)

// maxForwardedAnswer is how much of the body of an answer is handed back, in bytes.
const maxForwardedAnswer = 64 << 10

// forwarder passes deliveries on to another receiver.
type forwarder struct {
	target string
	http   *http.Client
}

func newForwarder(target string) *forwarder {
	return &forwarder{
		target: target,
		http: &http.Client{
			Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableCompression: true},
			Timeout:       requestTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (f *forwarder) close() { f.http.CloseIdleConnections() }

// forward sends header and body on and returns the answer, or 502 if none comes.
func (f *forwarder) forward(ctx context.Context, header http.Header, body []byte) answer {
	unreachable := func(err error) answer {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // it repeats method and address
		}
		return answer{status: http.StatusBadGateway, note: f.target + ": " + err.Error()}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.target, bytes.NewReader(body))
	if err != nil {
		return unreachable(err)
	}
	req.Header = header.Clone()
	for _, name := range []string{ // they are about the one connection
		"Connection", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	} {
		req.Header.Del(name)
	}
	resp, err := f.http.Do(req)
	if err != nil {
		return unreachable(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was only read
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxForwardedAnswer))
	if err != nil {
		return unreachable(err)
	}
	a := answer{status: resp.StatusCode, header: make(http.Header), body: content, note: f.target}
	for _, name := range []string{"Content-Type", "Retry-After"} { // what Posthorn shows, and what it heeds
		if value := resp.Header.Get(name); value != "" {
			a.header.Set(name, value)
		}
	}
	return a
}
