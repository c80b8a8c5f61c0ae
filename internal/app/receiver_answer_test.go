package app_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/nettest"
)

// ownWith is a bundle with a Posthorn of its own, in the given folder and with other settings than the shared one.
func ownWith(t *testing.T, dir string, log *slog.Logger, change func(*config.Config)) *bundle {
	t.Helper()
	cfg := testConfig(dir)
	change(&cfg)
	a, err := app.New(cfg, "", log)
	require.NoError(t, err)
	require.NoError(t, a.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return setupOn(t, a)
}

// sent sends a message to one receiver and returns its first attempt.
func (b *bundle) sent(url string) attempt {
	b.t.Helper()
	b.endpoint(svix.EndpointIn{Url: url})
	return b.first(b.send("a", `{"x":1}`))
}

// first waits for the first attempt of a message to one endpoint.
func (b *bundle) first(messageID string) attempt {
	b.t.Helper()
	var made []attempt
	require.Eventually(b.t, func() bool {
		made = b.attempts(messageID)
		return len(made) > 0
	}, patience, 20*time.Millisecond)
	require.Equal(b.t, 1, made[0].AttemptNumber)
	return made[0]
}

// broken reads a request, answers with some bytes and breaks the connection with a reset.
func broken(answer string) func(*net.TCPConn, int) {
	return func(conn *net.TCPConn, n int) {
		nettest.Answer(answer)(conn, n)
		_ = conn.SetLinger(0)
	}
}

// endless answers with some bytes and then with others for as long as anybody takes them.
func endless(answer, more string) func(*net.TCPConn, int) {
	return func(conn *net.TCPConn, n int) {
		nettest.Answer(answer)(conn, n)
		chunk := []byte(strings.Repeat(more, 1+(32<<10)/len(more)))
		for {
			if _, err := conn.Write(chunk); err != nil {
				return
			}
		}
	}
}

// TestAnswersThatAreNone: whatever a receiver does instead of answering, there is one record of it that says what.
func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		serve          func(*net.TCPConn, int)
		class, message string // class|class where it is a matter of timing
	}{
		"a reset instead of an answer":       {broken(""), "reset", `^connection (reset|closed by the receiver) `},
		"a reset amid the headers":           {broken("HTTP/1.1 200 OK\r\nX-A: b\r\n"), "reset", `^connection (reset|closed by the receiver) `},
		"a reset within a header":            {broken("HTTP/1.1 200 OK\r\nContent-Le"), "reset|protocol", `breaks off within a header|^connection `},
		"a reset amid the body":              {broken("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart"), "reset", `^connection (reset|closed by the receiver) `},
		"a hang-up at once":                  {func(*net.TCPConn, int) {}, "reset", `^connection (reset|closed)`},
		"a hang-up amid the headers":         {nettest.Answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"), "reset", `^connection closed by the receiver `},
		"a body shorter than it says":        {nettest.Answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart"), "reset", `^connection closed by the receiver reading the body$`},
		"chunks that end too early":          {nettest.Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\npart"), "reset", `^connection closed by the receiver reading the body$`},
		"chunks that are none":               {nettest.Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\npart"), "protocol", `body of the response is malformed`},
		"two lengths that contradict":        {nettest.Answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 4\r\n\r\npart"), "protocol", `not valid HTTP`},
		"a length that is negative":          {nettest.Answer("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\npart"), "protocol", `not valid HTTP`},
		"an unknown transfer encoding":       {nettest.Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: hunter2\r\n\r\npart"), "protocol", `not valid HTTP`},
		"another protocol":                   {nettest.Answer("220 hunter2.example.com ESMTP\r\n"), "protocol", `not valid HTTP`},
		"NUL in a header":                    {nettest.Answer("HTTP/1.1 200 OK\r\nX-A: a\x00b\r\nContent-Length: 0\r\n\r\n"), "protocol", `not valid HTTP`},
		"a header without end":               {endless("HTTP/1.1 200 OK\r\nX-A: ", "a"), "protocol", `headers beyond 64 KiB`},
		"headers without end":                {endless("HTTP/1.1 200 OK\r\n", "X-A: hunter2\r\n"), "protocol", `headers beyond 64 KiB`},
		"a status line without end":          {endless("HTTP/1.1 200 ", "O"), "protocol", `headers beyond 64 KiB`},
		"interim answers without end":        {endless("", "HTTP/1.1 103 Early Hints\r\nX-A: hunter2\r\n\r\n"), "protocol", `headers beyond 64 KiB`},
		"a switch to another protocol":       {endless("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", "x"), "http_status", `^101 Switching Protocols`},
		"HTTP/2 that nobody has asked for":   {nettest.Answer("\x00\x00\x00\x04\x00\x00\x00\x00\x00"), "protocol", `not valid HTTP`},
		"a body without end that drips":      {drip, "timeout", `^timeout after 8 s reading the body$`},
		"headers without end that drip":      {dripHeaders, "timeout", `^timeout after 8 s waiting for response headers$`},
		"silence":                            {func(conn *net.TCPConn, _ int) { _, _ = io.Copy(io.Discard, conn) }, "timeout", `^timeout after 8 s waiting for response headers$`},
		"no reading of the request either":   {func(conn *net.TCPConn, _ int) { _, _ = io.CopyN(io.Discard, conn, 1); waitForEnd(conn) }, "timeout", `^timeout after 8 s waiting for response headers$`},
		"NUL and worse for a status":         {nettest.Answer("HTTP/1.1 \x00\xff\xfe\r\n\r\n"), "protocol", `not valid HTTP`},
		"a status out of range":              {nettest.Answer("HTTP/1.1 999 hunter2\r\nContent-Length: 0\r\n\r\n"), "http_status", `^999 after `},
		"a status with a strange reason":     {nettest.Answer("HTTP/1.1 500 hunter2\x00\xff\r\nContent-Length: 0\r\n\r\n"), "http_status", `^500 Internal Server Error after `},
		"a status too short to be one":       {nettest.Answer("HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"), "protocol", `not valid HTTP`},
		"a promise to answer, and no answer": {nettest.Answer("HTTP/1.1 100 Continue\r\n\r\n"), "reset", `^connection closed by the receiver `},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			a := b.sent(nettest.Serve(t, tc.serve))
			require.Equal(t, 2, a.Status, "%+v", a)
			require.Contains(t, strings.Split(tc.class, "|"), a.ErrorClass, "%+v", a)
			require.Regexp(t, tc.message, a.Message)
			require.NotContains(t, a.Message, "hunter2", "a stranger's words are not ours")
			require.NotNil(t, a.NextAttempt)
			if a.ResponseStatusCode == 0 {
				require.Equal(t, a.Message, a.Response)
			}
			if strings.Contains(a.Response, "part") {
				require.True(t, a.ResponseTruncated)
			}
		})
	}
}

// drip sends a body slowly and without end; dripHeaders sends headers so.
func drip(conn *net.TCPConn, n int) {
	slowly(conn, n, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", ".")
}

func dripHeaders(conn *net.TCPConn, n int) { slowly(conn, n, "HTTP/1.1 200 OK\r\n", "X-A: b\r\n") }

func slowly(conn *net.TCPConn, n int, answer, more string) {
	nettest.Answer(answer)(conn, n)
	for tick := time.NewTicker(100 * time.Millisecond); ; <-tick.C {
		if _, err := io.WriteString(conn, more); err != nil {
			return
		}
	}
}

// waitForEnd returns when the other side or the test ends the connection.
func waitForEnd(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

// TestOddAnswersThatCount: answers that are unusual and nevertheless say that the message has arrived.
func TestOddAnswersThatCount(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := z.Write(bytes.Repeat([]byte("\x00"), 8<<20)) // a bomb, if it were unpacked
	require.NoError(t, err)
	require.NoError(t, z.Close())
	bomb := zipped.String()
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	whole := func(headers, body string) func(*net.TCPConn, int) {
		return nettest.Answer(fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", headers, len(body), body))
	}
	many := func(n int) string {
		var headers strings.Builder
		for i := range n {
			fmt.Fprintf(&headers, "X-%04d: v\r\n", i)
		}
		return headers.String()
	}
	for name, tc := range map[string]struct {
		serve              func(*net.TCPConn, int)
		response, encoding string
		truncated          bool
	}{
		"HTTP/1.0, the body to the end":        {serve: nettest.Answer("HTTP/1.0 200 OK\r\n\r\ndone"), response: "done"},
		"HTTP/1.0 with a length":               {serve: nettest.Answer("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\ndone"), response: "done"},
		"interim answers first":                {serve: nettest.Answer("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone"), response: "done"},
		"more than it says":                    {serve: nettest.Answer("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndoneHTTP/1.1 500 Hunter2\r\n\r\n"), response: "done"},
		"trailers":                             {serve: nettest.Answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n4\r\ndone\r\n0\r\nX-T: 1\r\n\r\n"), response: "done"},
		"a body with 204":                      {serve: nettest.Answer("HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\ndone")},
		"an unknown status among the good":     {serve: nettest.Answer("HTTP/1.1 299 \r\nContent-Length: 4\r\n\r\ndone"), response: "done"},
		"line feeds alone":                     {serve: nettest.Answer("HTTP/1.1 200 OK\nContent-Length: 4\n\ndone"), response: "done"},
		"NUL in the body":                      {serve: whole("", "a\x00b"), response: "a\x00b"},
		"no UTF-8 in the body":                 {serve: whole("", "\xff\xfe\x00\xc3"), response: encoded("\xff\xfe\x00\xc3"), encoding: "base64"},
		"half a surrogate pair in the body":    {serve: whole("", "\xed\xa0\x80"), response: encoded("\xed\xa0\x80"), encoding: "base64"},
		"a body cut amid a character":          {serve: whole("", "x"+strings.Repeat("é", 10<<10)), response: "x" + strings.Repeat("é", 8<<10-1), truncated: true},
		"what JSON has to escape":              {serve: whole("", "\"\\\u2028</script>\x1b[31m\r\n"), response: "\"\\\u2028</script>\x1b[31m\r\n"},
		"no UTF-8 in a header":                 {serve: whole("X-A: \xff\xfe\r\n", "done"), response: "done"},
		"a thousand headers":                   {serve: whole(many(1000), "done"), response: "done"},
		"gzip, as it was sent":                 {serve: whole("Content-Encoding: gzip\r\n", bomb), response: encoded(bomb), encoding: "base64"},
		"an encoding that does not exist":      {serve: whole("Content-Encoding: hunter2, br\r\nContent-Type: \xff\r\n", "done"), response: "done"},
		"a gigabyte":                           {serve: endless("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", "abcdefgh"), response: strings.Repeat("abcdefgh", 2<<10), truncated: true},
		"a body without end":                   {serve: endless("HTTP/1.1 200 OK\r\n\r\n", "abcdefgh"), response: strings.Repeat("abcdefgh", 2<<10), truncated: true},
		"an answer before the body was read":   {serve: early("200 OK"), response: "done"},
		"cookies and a place to go instead":    {serve: whole("Set-Cookie: a=b\r\nLocation: http://127.0.0.1:1/\r\nRefresh: 0\r\n", "done"), response: "done"},
		"a wish for peace, although all is OK": {serve: whole("Retry-After: 3600\r\n", "done"), response: "done"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			a := b.sent(nettest.Serve(t, tc.serve))
			require.Equal(t, 0, a.Status, "%+v", a)
			require.Empty(t, a.ErrorClass)
			require.Equal(t, tc.response, a.Response)
			require.Equal(t, tc.encoding, a.ResponseEncoding)
			require.Equal(t, tc.truncated, a.ResponseTruncated)
			require.Nil(t, a.NextAttempt)
		})
	}
}

// early answers when it has read the request's headers alone.
func early(status string) func(*net.TCPConn, int) {
	return func(conn *net.TCPConn, _ int) {
		from := bufio.NewReader(conn)
		if _, err := http.ReadRequest(from); err != nil {
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 "+status+"\r\nConnection: close\r\nContent-Length: 4\r\n\r\ndone")
		_ = conn.CloseWrite()
		_, _ = io.Copy(io.Discard, from)
	}
}

func TestLargeMessageThatIsRefusedUnread(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.endpoint(svix.EndpointIn{Url: nettest.Serve(t, early("413 Content Too Large"))})
	a := b.first(b.send("a", `{"x":"`+strings.Repeat("x", 900<<10)+`"}`))
	require.Equal(t, "http_status", a.ErrorClass, "%+v", a)
	require.Equal(t, 413, a.ResponseStatusCode)
	require.Equal(t, "done", a.Response)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var visits atomic.Int32
	target := newReceiver(t, func(http.ResponseWriter, *http.Request, int) { visits.Add(1) })
	b := ownWith(t, t.TempDir(), quiet(), func(c *config.Config) { c.RetrySchedule = posthorn.Schedule{} })
	for _, status := range []int{301, 302, 303, 307, 308} {
		r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Location", target.URL)
			w.WriteHeader(status)
		})
		ep := b.endpoint(svix.EndpointIn{Url: r.URL})
		id := b.send("a", `{}`)
		b.waitState(id, posthorn.Failed)
		made := b.attempts(id)
		require.Len(t, made, 1)
		require.Equal(t, status, made[0].ResponseStatusCode)
		require.Equal(t, "redirect", made[0].ErrorClass)
		require.Contains(t, made[0].Message, "redirects are not followed")
		require.Equal(t, []any{target.URL}, made[0].ResponseHeaders["Location"])
		require.NoError(t, b.svix.Endpoint.Delete(b.ctx, b.appID, ep.Id))
	}
	require.Zero(t, visits.Load())
}

// TestWhatReceiversSayIsStable: bytes that a database or JSON could stumble over are recorded once, and read the same
// after a restart.
func TestWhatReceiversSayIsStable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, err := app.New(testConfig(dir), "", quiet())
	require.NoError(t, err)
	require.NoError(t, a.Start(t.Context()))
	b := setupOn(t, a)
	var ids []string
	for _, body := range []string{"a\x00b", "\x00", "\xff\x00\xfe", "\xed\xa0\x80", "\xef\xbb\xbfbom", "\u2028\ufffd\U0010ffff"} {
		ep := b.endpoint(svix.EndpointIn{Url: nettest.Serve(t, nettest.Answer(fmt.Sprintf(
			"HTTP/1.1 200 OK\r\nX-A: \xff\x80\xc3\r\nContent-Length: %d\r\n\r\n%s", len(body), body)))})
		ids = append(ids, b.send("a", `{}`))
		b.waitState(ids[len(ids)-1], posthorn.Delivered)
		require.NoError(t, b.svix.Endpoint.Delete(b.ctx, b.appID, ep.Id))
	}
	said := func() (all []string) {
		for _, id := range ids {
			status, body := b.request(http.MethodGet, "/attempt/msg/"+id, "")
			require.Equal(t, http.StatusOK, status, "%s", body)
			require.Len(t, b.attempts(id), 1)
			all = append(all, string(body))
		}
		return all
	}
	before := said()
	require.Contains(t, before[0], `"response":"a\u0000b"`)
	require.NoError(t, a.Close())
	a, err = app.New(testConfig(dir), "", quiet())
	require.NoError(t, err)
	require.NoError(t, a.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	b.app = a
	require.Equal(t, before, said())
}
