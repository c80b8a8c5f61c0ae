package egress

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name, value string
		want        time.Duration
	}{
		{"nothing", "", 0},
		{"seconds", "120", 2 * time.Minute},
		{"zero", "0", 0},
		{"spaces around", "  7 ", 7 * time.Second},
		{"a fraction is rounded up", "1.2", 2 * time.Second},
		{"a small fraction is rounded up", "0.001", time.Second},
		{"a fraction without a leading digit", ".5", time.Second},
		{"more than a duration can hold", "99999999999999999999", math.MaxInt64},
		{"negative", "-5", 0},
		{"words", "soon", 0},
		{"a number with a unit", "5s", 0},
		{"infinity", "Inf", 0},
		{"not a number", "NaN", 0},
		{"exponent", "1e3", 0},
		{"two points", "1.2.3", 0},
		{"only a point", ".", 0},
		{"overlong", strings.Repeat("1", 65), 0},
		{"an HTTP date", "Sun, 01 Mar 2026 12:01:30 GMT", 90 * time.Second},
		{"an RFC 850 date", "Sunday, 01-Mar-26 12:01:30 GMT", 90 * time.Second},
		{"an asctime date", "Sun Mar  1 12:01:30 2026", 90 * time.Second},
		{"an RFC 2822 date", "Sun, 1 Mar 2026 13:01:30 +0100", 90 * time.Second},
		{"an RFC 2822 date without weekday", "1 Mar 2026 12:01:30 +0000", 90 * time.Second},
		{"a date in the past", "Sun, 01 Mar 2026 11:59:59 GMT", 0},
		{"half a date", "Sun, 01 Mar", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, parseRetryAfter(tc.value, now))
		})
	}
}
