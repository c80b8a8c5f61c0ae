package egress

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/nettest"
)

func TestPostKeepsBody(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte("0123456789abcdef"), 8<<10)
	for _, tc := range []struct {
		name      string
		maxBody   int
		sent      []byte
		kept      []byte
		truncated bool
	}{
		{"an empty one", 0, nil, nil, false},
		{"bytes that are no text", 0, []byte("a\x00b\xff\xfe\r\n"), []byte("a\x00b\xff\xfe\r\n"), false},
		{"exactly as much as is kept", 0, long[:16<<10], long[:16<<10], false},
		{"one byte more", 0, long[:16<<10+1], long[:16<<10], true},
		{"much more", 0, long, long[:16<<10], true},
		{"the size asked for", 5, long, long[:5], true},
		{"none if so asked", -1, long, nil, true},
		{"none if so asked, and there is none", -1, nil, nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(tc.sent) })
			result := post(t, newClient(t, Options{MaxBody: tc.maxBody}), server.URL)
			require.True(t, result.Success(), result.Message)
			require.Equal(t, string(tc.kept), string(result.Body))
			require.Equal(t, tc.truncated, result.BodyTruncated)
		})
	}

	t.Run("a compressed one as it was sent", func(t *testing.T) {
		t.Parallel()
		server := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, "\x1f\x8b not really")
		})
		result := post(t, newClient(t, Options{}), server.URL)
		require.True(t, result.Success(), result.Message)
		require.Equal(t, "\x1f\x8b not really", string(result.Body))
		require.Equal(t, "gzip", result.Header.Get("Content-Encoding"))
	})
}

func TestPostToEndlessBody(t *testing.T) {
	t.Parallel()
	const gigabyte = 1 << 30
	ca := nettest.NewAuthority(t)
	for name, start := range map[string]func(http.HandlerFunc) *httptest.Server{
		"HTTP/1.1": func(h http.HandlerFunc) *httptest.Server { return newServer(t, h) },
		"HTTP/2":   func(h http.HandlerFunc) *httptest.Server { return nettest.TLS(t, ca.Issue(t, nil), h) },
	} {
		t.Run("little is read of it over "+name, func(t *testing.T) {
			t.Parallel()
			written := make(chan int, 1)
			server := start(func(w http.ResponseWriter, _ *http.Request) {
				chunk := make([]byte, 16<<10)
				total := 0
				for total < gigabyte {
					n, err := w.Write(chunk)
					total += n
					if err != nil {
						break
					}
				}
				written <- total
			})
			result := post(t, newClient(t, Options{RootCAs: ca.Pool()}), server.URL)
			require.True(t, result.Success(), result.Message)
			require.Len(t, result.Body, 16<<10)
			require.True(t, result.BodyTruncated)
			require.Less(t, <-written, 32<<20, "more than socket buffers can hold was taken")
		})
	}
}

func TestPostToSlowBody(t *testing.T) {
	t.Parallel()
	drip := func(status int, head string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			ticker := time.NewTicker(2 * time.Millisecond)
			defer ticker.Stop()
			w.WriteHeader(status)
			_, _ = io.WriteString(w, head)
			for {
				_, _ = w.Write([]byte("."))
				_ = http.NewResponseController(w).Flush()
				select {
				case <-ticker.C:
				case <-r.Context().Done():
					return
				}
			}
		}
	}

	for name, head := range map[string]string{
		"past the deadline it is a timeout although the status was 200":         "",
		"past the deadline it is a timeout although all that is kept was there": strings.Repeat("x", defaultMaxBody),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newServer(t, drip(http.StatusOK, head))
			result := post(t, newClient(t, Options{Timeout: 3 * time.Second}), server.URL)
			require.Equal(t, Timeout, result.Class)
			require.False(t, result.Success())
			require.Equal(t, http.StatusOK, result.Status)
			require.Regexp(t, `^timeout after \S+ m?s reading the body$`, result.Message)
			require.True(t, result.BodyTruncated)
			require.NotEmpty(t, result.Body)
			require.Less(t, result.Duration, 10*time.Second)
		})
	}

	t.Run("a status that is no success stands", func(t *testing.T) {
		t.Parallel()
		server := newServer(t, drip(http.StatusGone, ""))
		result := post(t, newClient(t, Options{Timeout: 3 * time.Second}), server.URL)
		require.Equal(t, HTTPStatus, result.Class)
		require.Equal(t, http.StatusGone, result.Status)
		require.True(t, result.BodyTruncated)
	})
}
