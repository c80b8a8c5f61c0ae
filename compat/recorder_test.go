package compat

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const basePath = "/api/v1"

// recorder stands between a client and the server, and notes which operations the client got through to.
type recorder struct {
	url string

	mu       sync.Mutex
	statuses map[string][]int // of the answers, by the operation's id; by method and path for what is no operation
}

// newRecorder starts one that passes everything on to a server.
func newRecorder(t *testing.T, server string) *recorder {
	t.Helper()
	target, err := url.Parse(server)
	require.NoError(t, err)
	r := &recorder{statuses: map[string][]int{}}
	transport := &http.Transport{MaxIdleConnsPerHost: 10}
	listener := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite:   func(p *httputil.ProxyRequest) { p.SetURL(target) },
		Transport: transport,
		ModifyResponse: func(response *http.Response) error {
			r.note(response.Request.Method, response.Request.URL.Path, response.StatusCode)
			return nil
		},
	})
	t.Cleanup(func() {
		listener.CloseClientConnections()
		listener.Close()
		transport.CloseIdleConnections()
	})
	r.url = listener.URL
	return r
}

func (r *recorder) note(method, path string, status int) {
	id := identify(method, path)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.statuses[id] = append(r.statuses[id], status)
}

// identify returns the id of the operation that a request is for: of those that fit, the one with the most literal parts.
func identify(method, path string) string {
	id, most := method+" "+path, -1
	for _, o := range operations {
		if o.method != method {
			continue
		}
		if literal, ok := o.fits(strings.TrimPrefix(path, basePath)); ok && literal > most {
			id, most = o.id, literal
		}
	}
	return id
}

// succeeded returns the operations that were answered with success at least once, sorted.
func (r *recorder) succeeded() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for id, statuses := range r.statuses {
		if slices.ContainsFunc(statuses, func(status int) bool { return status/100 == 2 }) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// broken returns the operations that were answered with a server error, sorted.
func (r *recorder) broken() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var ids []string
	for id, statuses := range r.statuses {
		if slices.ContainsFunc(statuses, func(status int) bool { return status >= 500 }) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
