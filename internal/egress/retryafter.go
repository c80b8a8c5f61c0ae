package egress

import (
	"math"
	"net/http"
	"net/mail"
	"strconv"
	"strings"
	"time"
)

// RetryAfter returns what a header that came at a moment asks for in Retry-After; 0 if nothing, or nothing sensible.
func RetryAfter(header http.Header, at time.Time) time.Duration {
	return parseRetryAfter(header.Get("Retry-After"), at)
}

// parseRetryAfter reads the value of a Retry-After header: seconds, with or without a fraction, which is rounded up; or
// a date as HTTP or as mail writes it. What is in the past, negative or unreadable gives 0.
func parseRetryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if value == "" || len(value) > 64 {
		return 0
	}
	if strings.Trim(value, "0123456789.") == "" {
		seconds, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0
		}
		if seconds = math.Ceil(seconds); seconds >= math.MaxInt64/float64(time.Second) {
			return math.MaxInt64
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		if at, err = mail.ParseDate(value); err != nil {
			return 0
		}
	}
	return max(at.Sub(now), 0)
}
