package egress

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Request is one webhook to post.
type Request struct {
	// URL is absolute, http or https. A user name and password in it become basic authentication, unless Header has
	// an Authorization of its own.
	URL string
	// Header is sent with names spelled as given. It takes precedence over the User-Agent and Accept that the client
	// sets. Names that frame the message or govern the connection, such as Host and Content-Length, are left out.
	Header http.Header
	// Body must not be modified, not even after Post has returned: a cancelled request may still be on its way out.
	Body []byte
}

// Post sends a request and tells what came of it. Redirects are not followed.
//
// A request is sent again, within the same deadline, when a kept-alive connection proves dead before the first byte of
// a response. The receiver may then see it twice, as it may with any retry.
func (c *Client) Post(ctx context.Context, r Request) Result {
	x := &exchange{start: time.Now()}
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()

	result := Result{StartedAt: x.start}
	c.send(limited, x, r, &result)
	result.Duration = time.Since(x.start)
	result.Timings = x.timings()
	if x.remote != nil {
		result.RemoteAddr = x.remote.String()
	}

	// A bad status says enough, even if its body could not be read to the end.
	if x.err == nil || result.Status != 0 && !isSuccess(result.Status) {
		result.Class, result.Message = describeStatus(result.Status, result.Duration)
	} else {
		deadline, _ := limited.Deadline()
		f := failure{
			cancelled: errors.Is(ctx.Err(), context.Canceled),
			// By the clock, as the dialer's own timeout may be noticed an instant before the context's.
			expired: !time.Now().Before(deadline),
			proxied: x.proxied,
			err:     x.err, phase: x.current(), after: result.Duration,
		}
		result.Class, result.Message = f.describe()
	}
	return result
}

// send fills in what the response says, and leaves in x how far it got and what went wrong.
func (c *Client) send(ctx context.Context, x *exchange, r Request, result *Result) {
	req, err := http.NewRequestWithContext(x.trace(ctx), http.MethodPost, r.URL, bytes.NewReader(r.Body))
	if err != nil {
		x.err = errURLSyntax
		return
	}
	if x.err = checkURL(req.URL); x.err != nil {
		return
	}
	transport, err := c.route(x, req)
	if err != nil {
		x.err = err
		return
	}
	req.Header = c.header(r.Header, req.URL.User)
	if x.proxied {
		dropProxyAuthorization(req.Header)
	}
	result.Sent = req.Header

	// The transport is used without http.Client around it: that would look at Location headers and cookies.
	resp, err := transport.RoundTrip(req)
	if err != nil {
		x.err = err
		return
	}
	defer func() { _ = resp.Body.Close() }()
	result.Status = resp.StatusCode
	result.Header = capHeader(resp.Header)
	if !isSuccess(resp.StatusCode) {
		result.RetryAfter = parseRetryAfter(resp.Header.Get("Retry-After"), time.Now())
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return // what follows is no body but the bare connection, which knows no deadline
	}
	x.reach(readingBody)
	scratch := c.scratch.Get().(*[]byte)
	defer c.scratch.Put(scratch)
	result.Body, result.BodyTruncated, x.err = readBody(resp.Body, *scratch, c.maxBody)
}

// header joins the caller's headers with the client's own.
func (c *Client) header(given http.Header, user *url.Userinfo) http.Header {
	h := make(http.Header, len(given)+4)
	var agent, accept, authorization bool
	for name, values := range given {
		switch {
		case governsConnection(name):
			continue
		case strings.EqualFold(name, "User-Agent"):
			name, agent = "User-Agent", true // the only spelling in which net/http does not add its own
		case strings.EqualFold(name, "Accept"):
			accept = true
		case strings.EqualFold(name, "Authorization"):
			authorization = true
		}
		h[name] = values
	}
	if !agent {
		h["User-Agent"] = c.userAgent
	}
	if !accept {
		h["Accept"] = c.accept
	}
	if user != nil && !authorization {
		password, _ := user.Password()
		credentials := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		h["Authorization"] = []string{"Basic " + credentials}
	}
	if _, ok := h["Idempotency-Key"]; !ok {
		// Sends nothing, but tells net/http that a POST may be repeated on a fresh connection if a kept-alive one
		// proves dead. Receivers recognise a repeated webhook by its id.
		h["Idempotency-Key"] = nil
	}
	return h
}

// governsConnection reports whether a header is the transport's to write. In an unusual spelling net/http would send
// a second one, and the receiver might believe that.
func governsConnection(name string) bool {
	for _, own := range [...]string{
		"Host", "Content-Length", "Transfer-Encoding", "Trailer", "Connection", "Keep-Alive", "Proxy-Connection",
		"TE", "Upgrade", "Expect",
	} {
		if strings.EqualFold(name, own) {
			return true
		}
	}
	return false
}

// describeStatus gives the class and message of an exchange that its status decides.
func describeStatus(status int, after time.Duration) (ErrorClass, string) {
	line := make([]byte, 0, 64)
	line = strconv.AppendInt(line, int64(status), 10)
	// The receiver's own reason phrase is not repeated: operators shall not read a stranger's text as ours.
	if text := http.StatusText(status); text != "" {
		line = append(append(line, ' '), text...)
	}
	line = append(append(line, " after "...), shortDuration(after)...)
	switch {
	case isSuccess(status):
		return None, string(line)
	case status >= 300 && status < 400:
		return Redirect, string(append(line, ", redirects are not followed"...))
	default:
		return HTTPStatus, string(line)
	}
}

// shortDuration rounds for people: 812 ms, 1.2 s, 15 s.
func shortDuration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "under 1 ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Round(100*time.Millisecond).Seconds(), 'f', -1, 64) + " s"
	default:
		return strconv.FormatFloat(d.Round(time.Second).Seconds(), 'f', -1, 64) + " s"
	}
}
