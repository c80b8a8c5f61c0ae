package api

import (
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxBuckets bounds the memory of a limiter, to some 4 MiB. Beyond it the bucket that was idle longest is forgotten,
// which is as if it were full again.
const maxBuckets = 16_384

// Rate is a limit on requests: at most Burst at once, and PerSecond in the long run. The zero value is no limit.
type Rate struct {
	PerSecond float64
	Burst     int // at least 1
}

// RateLimits are the limits on requests.
type RateLimits struct {
	Token   Rate // of requests with the same token
	Address Rate // of all requests from the same IPv4 address or IPv6 /64 network, whatever their token
}

// limiter holds one token bucket for each key. A nil limiter lets everything pass.
type limiter struct {
	rate    Rate
	now     func() time.Time
	buckets *lru.Cache[string, *rate.Limiter]
}

func newLimiter(r Rate, buckets int, now func() time.Time) (*limiter, error) {
	if r.PerSecond == 0 {
		return nil, nil
	}
	cache, err := lru.New[string, *rate.Limiter](buckets)
	return &limiter{rate: r, now: now, buckets: cache}, err
}

// take counts a request and notes in the headers of its answer where the limit stands; 429 if it is exceeded.
func (l *limiter) take(header http.Header, key string) *failure {
	if l == nil {
		return nil
	}
	bucket := l.bucket(key)
	now := l.now()
	admitted := bucket.AllowN(now, 1)
	left := min(max(bucket.TokensAt(now), 0), float64(l.rate.Burst))
	l.announce(header, left)
	if admitted {
		return nil
	}
	refusal := fail(http.StatusTooManyRequests, "rate_limited", "Too many requests, try again later")
	refusal.header = http.Header{retryAfterHeader: {strconv.Itoa(max(l.seconds(1-left), 1))}}
	return refusal
}

func (l *limiter) bucket(key string) *rate.Limiter {
	if found, ok := l.buckets.Get(key); ok {
		return found
	}
	made := rate.NewLimiter(rate.Limit(l.rate.PerSecond), l.rate.Burst)
	if found, ok, _ := l.buckets.PeekOrAdd(key, made); ok {
		return found // another request of the same key was quicker
	}
	return made
}

// The headers of draft-ietf-httpapi-ratelimit-headers-06, the last to have one field for each figure.
const (
	limitHeader     = "RateLimit-Limit"     // requests at once
	remainingHeader = "RateLimit-Remaining" // of those, what is left
	resetHeader     = "RateLimit-Reset"     // seconds until all are left again
)

// announce sets the headers, unless another limit that is nearer has set them.
func (l *limiter) announce(header http.Header, left float64) {
	remaining := int(left)
	if other, err := strconv.Atoi(header.Get(remainingHeader)); err == nil && other <= remaining {
		return
	}
	header.Set(limitHeader, strconv.Itoa(l.rate.Burst))
	header.Set(remainingHeader, strconv.Itoa(remaining))
	header.Set(resetHeader, strconv.Itoa(l.seconds(float64(l.rate.Burst)-left)))
}

// seconds is how long it takes until n requests more are allowed.
func (l *limiter) seconds(n float64) int {
	return int(math.Ceil(min(n/l.rate.PerSecond, math.MaxInt32)))
}

// limitAddress refuses requests from an address that has sent too many, before anything else is looked at.
func (s *Server) limitAddress(c *gin.Context) {
	if refusal := s.perAddress.take(c.Writer.Header(), addressKey(clientOf(c.Request.Context()))); refusal != nil {
		abort(c, refusal)
		return
	}
	c.Next()
}

// addressKey takes an IPv6 /64 network for one client: whoever has one address of it has all of them.
func addressKey(addr netip.Addr) string {
	if network, err := addr.Prefix(64); err == nil && addr.Is6() {
		return network.String()
	}
	return addr.String()
}
