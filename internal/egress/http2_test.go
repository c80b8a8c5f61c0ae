package egress

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/nettest"
)

func TestPostMeetsBrokenReceiverOverHTTP2(t *testing.T) {
	t.Parallel()
	ca := nettest.NewAuthority(t)
	for name, tc := range map[string]struct {
		serve   http.HandlerFunc
		class   ErrorClass
		message string
		status  int
	}{
		"it resets the stream instead of answering": {
			func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // so that all has been sent
				panic(http.ErrAbortHandler)
			},
			Reset, "^connection closed by the receiver waiting for response headers$", 0,
		},
		"it resets the stream amid the body": {
			func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, "part")
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			},
			Protocol, "^the body of the response is malformed or was broken off$", http.StatusOK,
		},
		"its headers are too large": {
			func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("A", strings.Repeat("v", 80<<10)) },
			Protocol, "headers beyond 64 KiB", 0,
		},
		"it answers with too many headers": {
			func(w http.ResponseWriter, _ *http.Request) {
				for range 8 << 10 {
					w.Header().Add("A", "vvvvvvvv")
				}
			},
			Protocol, "headers beyond 64 KiB", 0,
		},
		"it sends interim answers without end": {
			func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Link", strings.Repeat("v", 1000))
				for r.Context().Err() == nil {
					w.WriteHeader(http.StatusEarlyHints)
				}
			},
			Protocol, "headers beyond 64 KiB", 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result := post(t, newClient(t, Options{RootCAs: ca.Pool()}), nettest.TLS(t, ca.Issue(t, nil), tc.serve).URL)
			require.Equal(t, tc.class, result.Class, result.Message)
			require.Regexp(t, tc.message, result.Message)
			require.Equal(t, tc.status, result.Status)
		})
	}
}
