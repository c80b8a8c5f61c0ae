package clustertest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// readyEvery is how often a balancer asks each backend whether it is ready.
const readyEvery = 250 * time.Millisecond

// Balancer spreads requests over the replicas of Posthorn, as nginx or a cloud's load balancer does: it prefers those that say
// they are ready, turns to another one when a connection is refused, and repeats nothing that a replica may have read. Without
// an answer from any it says 502.
type Balancer struct {
	URL string

	backends  []*backend
	next      atomic.Uint64
	transport *http.Transport
}

type backend struct {
	address string
	ready   atomic.Bool
}

// NewBalancer serves until the end of the test.
func NewBalancer(t testing.TB, addresses ...string) *Balancer {
	b := &Balancer{transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	for _, address := range addresses {
		b.backends = append(b.backends, &backend{address: address})
	}
	ctx, quit := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	for _, one := range b.backends {
		watching.Go(func() { b.watch(ctx, one) })
	}
	front := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: "posthorn"})
			r.SetXForwarded()
		},
		Transport:    b,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	})
	b.URL = front.URL
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
		quit()
		watching.Wait()
		b.transport.CloseIdleConnections()
	})
	return b
}

// watch keeps up to date whether a backend is ready.
func (b *Balancer) watch(ctx context.Context, one *backend) {
	ticker := time.NewTicker(readyEvery)
	defer ticker.Stop()
	for {
		one.ready.Store(b.ask(ctx, one))
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (b *Balancer) ask(ctx context.Context, one *backend) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+one.address+"/readyz", nil)
	if err != nil {
		return false
	}
	answer, err := b.transport.RoundTrip(request)
	if err != nil {
		return false
	}
	defer func() { _ = answer.Body.Close() }()
	return answer.StatusCode/100 == 2
}

// Ready is how many backends say that they are.
func (b *Balancer) Ready() (n int) {
	for _, one := range b.backends {
		if one.ready.Load() {
			n++
		}
	}
	return n
}

// order is in which order the backends are tried: by turns, and those that are not ready last.
func (b *Balancer) order() (order []*backend) {
	var unready []*backend
	first := b.next.Add(1)
	for i := range b.backends {
		one := b.backends[(first+uint64(i))%uint64(len(b.backends))]
		if one.ready.Load() {
			order = append(order, one)
		} else {
			unready = append(unready, one)
		}
	}
	return append(order, unready...)
}

// RoundTrip implements http.RoundTripper.
func (b *Balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
	}
	var last error
	for _, one := range b.order() {
		try := r.Clone(r.Context())
		try.URL.Host, try.Host = one.address, one.address
		try.Body = io.NopCloser(bytes.NewReader(body))
		answer, err := b.transport.RoundTrip(try)
		if err == nil {
			return answer, nil
		}
		last = err
		if refused, ok := errors.AsType[*net.OpError](err); !ok || refused.Op != "dial" {
			break // it may have been read
		}
	}
	return nil, last
}
