package api

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// serve is the bundle with another server on the same store, as a replica would be.
func (b *bundle) serve(t testing.TB, change func(*Options)) *bundle {
	t.Helper()
	log := &syncBuffer{}
	o := Options{Store: b.store, Dispatcher: b.dispatcher, Tokens: b.tokens, Version: "1.2.3", Logger: newLogger(log)}
	change(&o)
	server, err := New(o)
	require.NoError(t, err)
	listener := httptest.NewServer(server.Handler())
	t.Cleanup(listener.Close)
	other := b.in(t)
	other.url, other.log, other.tokens = listener.URL, log, o.Tokens
	return other
}

// clock is a time that only tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// issue makes a token of the default organisation.
func (b *bundle) issue(g Grant) string {
	b.t.Helper()
	g.Org = posthorn.DefaultOrg
	token, err := b.tokens.Issue(g)
	require.NoError(b.t, err)
	return token
}

// requireRefused demands an error answer of the plain form, and nothing else in it.
func (r reply) requireRefused(t testing.TB, status int, code, detail string) {
	t.Helper()
	require.Equal(t, status, r.status, r.body)
	require.JSONEq(t, `{"code":"`+code+`","detail":"`+detail+`","requestId":"`+r.header.Get(requestIDHeader)+`"}`, r.body)
	require.Equal(t, jsonType, r.header.Get("Content-Type"))
	if status == http.StatusUnauthorized {
		require.Equal(t, "Bearer", r.header.Get("WWW-Authenticate"))
	}
}

// countingStore is a store that counts look-ups of revocations.
type countingStore struct {
	store.Store
	looked atomic.Int64
}

func (c *countingStore) RevocationsOf(ctx context.Context, org string, subjects []string) ([]posthorn.Revocation, error) {
	c.looked.Add(1)
	return c.Store.RevocationsOf(ctx, org, subjects)
}

// outside gets a path that is not one of the API's.
func (b *bundle) outside(path string) reply {
	b.t.Helper()
	response, err := http.Get(b.url + path)
	require.NoError(b.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(b.t, err)
	return reply{status: response.StatusCode, header: response.Header, body: string(body)}
}

func nothingToReplace() *strings.Replacer { return strings.NewReplacer() }
