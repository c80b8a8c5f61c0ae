package api

import (
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (r reply) requireLimit(t *testing.T, limit, remaining, reset int) {
	t.Helper()
	require.Equal(t, []string{strconv.Itoa(limit), strconv.Itoa(remaining), strconv.Itoa(reset)},
		[]string{r.header.Get("RateLimit-Limit"), r.header.Get("RateLimit-Remaining"), r.header.Get("RateLimit-Reset")}, r.body)
}

func TestRateLimitOfTokens(t *testing.T) {
	t.Parallel()
	now := newClock()
	b := setup(t)
	b = b.serve(t, func(o *Options) { o.Now, o.Limits.Token = now.Now, Rate{PerSecond: 0.5, Burst: 3} })
	app := b.application() // takes one of the organisation's token
	token := b.issue(Grant{App: app})

	for remaining := 2; remaining >= 0; remaining-- {
		r := b.as(token, "GET", "/app/"+app, "")
		require.Equal(t, http.StatusOK, r.status)
		r.requireLimit(t, 3, remaining, (3-remaining)*2)
		require.Empty(t, r.header.Get("Retry-After"))
	}
	refused := b.as(token, "GET", "/app/"+app, "")
	refused.requireRefused(t, http.StatusTooManyRequests, "rate_limited", "Too many requests, try again later")
	refused.requireLimit(t, 3, 0, 6)
	require.Equal(t, "2", refused.header.Get("Retry-After"))

	t.Run("what is refused otherwise counts too, and what is refused for the rate does nothing", func(t *testing.T) {
		require.Equal(t, http.StatusTooManyRequests, b.as(token, "POST", "/app/"+app+"/endpoint", `{"url":"https://example.com"}`).status)
		require.Empty(t, b.do("GET", "/app/"+app+"/endpoint", "").page(t).Data)
		other := b.issue(Grant{App: app})
		for range 3 {
			require.Equal(t, http.StatusForbidden, b.as(other, "GET", "/app", "").status)
		}
		require.Equal(t, http.StatusTooManyRequests, b.as(other, "GET", "/app", "").status)
	})
	t.Run("others go on, and so does the token in time", func(t *testing.T) {
		require.Equal(t, http.StatusOK, b.as(b.issue(Grant{App: app}), "GET", "/app/"+app, "").status)
		now.advance(2*time.Second - time.Millisecond)
		require.Equal(t, http.StatusTooManyRequests, b.as(token, "GET", "/app/"+app, "").status)
		now.advance(time.Millisecond)
		r := b.as(token, "GET", "/app/"+app, "")
		require.Equal(t, http.StatusOK, r.status)
		r.requireLimit(t, 3, 0, 6)
		now.advance(time.Hour)
		b.as(token, "GET", "/app/"+app, "").requireLimit(t, 3, 2, 2)
	})
}

func TestRateLimitOfAddresses(t *testing.T) {
	t.Parallel()
	now := newClock()
	b := setup(t)
	b = b.serve(t, func(o *Options) {
		o.Now, o.Limits.Address = now.Now, Rate{PerSecond: 1, Burst: 4}
		o.Clients.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	})
	from := func(client, token, path string) reply {
		return b.with(http.Header{"X-Forwarded-For": {client}, "Authorization": {"Bearer " + token}}, "GET", path, "")
	}
	t.Run("failures count, paths that there are not, health checks, and everything else", func(t *testing.T) {
		from("10.0.0.1", "garbage", "/app").requireLimit(t, 4, 3, 1)
		from("10.0.0.1", "", "/nope").requireLimit(t, 4, 2, 2)
		from("10.0.0.1", "", "/health/ping").requireLimit(t, 4, 1, 3)
		from("10.0.0.1", b.org, "/app").requireLimit(t, 4, 0, 4)
		for _, path := range []string{"/app", "/nope", "/health", "/openapi.json"} {
			r := from("10.0.0.1", b.org, path)
			r.requireRefused(t, http.StatusTooManyRequests, "rate_limited", "Too many requests, try again later")
			require.Equal(t, "1", r.header.Get("Retry-After"))
			require.Equal(t, "*", r.header.Get("Access-Control-Allow-Origin"), "a page can read the refusal")
		}
		require.Equal(t, http.StatusOK, from("10.0.0.2", b.org, "/app").status)
		now.advance(time.Second)
		require.Equal(t, http.StatusOK, from("10.0.0.1", b.org, "/app").status)
	})
	t.Run("an IPv6 network is one client", func(t *testing.T) {
		for i := range 4 {
			require.Equal(t, http.StatusOK, from("2001:db8::"+strconv.Itoa(i+1), b.org, "/app").status)
		}
		require.Equal(t, http.StatusTooManyRequests, from("2001:db8::99", b.org, "/app").status)
		require.Equal(t, http.StatusOK, from("2001:db8:0:1::1", b.org, "/app").status)
	})
	t.Run("the nearer of two limits is the one that is told", func(t *testing.T) {
		b := b.serve(t, func(o *Options) {
			o.Now, o.Limits = now.Now, RateLimits{Token: Rate{PerSecond: 1, Burst: 2}, Address: Rate{PerSecond: 1, Burst: 3}}
		})
		b.do("GET", "/app", "").requireLimit(t, 2, 1, 1)
		b.as(b.issue(Grant{}), "GET", "/app", "").requireLimit(t, 3, 1, 2)
		b.as(b.issue(Grant{}), "GET", "/app", "").requireLimit(t, 3, 0, 3)
	})
}

func TestWithoutALimitThereAreNoHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 100 {
		r := b.do("GET", "/app", "")
		require.Equal(t, http.StatusOK, r.status)
		for name := range r.header {
			require.NotContains(t, name, "Ratelimit")
		}
	}
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	now := newClock()

	t.Run("admits no more than it says, also at once", func(t *testing.T) {
		t.Parallel()
		l, err := newLimiter(Rate{PerSecond: 1, Burst: 100}, 10, now.Now)
		require.NoError(t, err)
		var admitted atomic.Int64
		var running sync.WaitGroup
		for range 400 {
			running.Go(func() {
				if l.take(http.Header{}, "k") == nil {
					admitted.Add(1)
				}
			})
		}
		running.Wait()
		require.EqualValues(t, 100, admitted.Load())
	})
	t.Run("holds a bounded number of buckets, and keeps those that are in use", func(t *testing.T) {
		t.Parallel()
		l, err := newLimiter(Rate{PerSecond: 1, Burst: 1}, 100, now.Now)
		require.NoError(t, err)
		require.Nil(t, l.take(http.Header{}, "busy"))
		for i := range 10_000 {
			require.Nil(t, l.take(http.Header{}, strconv.Itoa(i)))
			require.NotNil(t, l.take(http.Header{}, "busy"))
		}
		require.Equal(t, 100, l.buckets.Len())
	})
}

func TestRateLimitedAnswersAreDocumented(t *testing.T) {
	t.Parallel()
	b := setup(t)
	document := b.do("GET", "/openapi.json", "").body
	require.Contains(t, document, "Too many requests; Retry-After says when to try again")
	require.Contains(t, document, "The body came too slowly")
}
