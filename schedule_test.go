package posthorn_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func TestScheduleText(t *testing.T) {
	t.Parallel()

	t.Run("the default reads back as itself", func(t *testing.T) {
		t.Parallel()
		text := posthorn.DefaultSchedule().String()
		require.Equal(t, "5s,5m,30m,2h,5h,10h,14h,20h,24h", text)
		parsed, err := posthorn.ParseSchedule(text)
		require.NoError(t, err)
		require.Equal(t, posthorn.DefaultSchedule(), parsed)
	})

	t.Run("empty means a single attempt", func(t *testing.T) {
		t.Parallel()
		s, err := posthorn.ParseSchedule(" ")
		require.NoError(t, err)
		require.Equal(t, 1, s.Attempts())
	})

	for _, wrong := range []string{"5", "5s,,6s", "soon", "-5s", "0s", "5s;6s"} {
		t.Run("refuses "+wrong, func(t *testing.T) {
			t.Parallel()
			_, err := posthorn.ParseSchedule(wrong)
			require.Error(t, err)
		})
	}
}

func TestScheduleTextIsExact(t *testing.T) {
	t.Parallel()
	for _, wait := range []time.Duration{
		1, 999, 1_001, 123_456_789, time.Second + 1, time.Minute + 7, time.Hour + time.Nanosecond, 36*time.Hour + 3*time.Minute + 1500*time.Microsecond,
		posthorn.MaxRetryWait - 1, posthorn.MaxRetryWait,
	} {
		s := posthorn.Schedule{wait, wait}
		parsed, err := posthorn.ParseSchedule(s.String())
		require.NoError(t, err)
		require.Equal(t, s, parsed)
	}
}

func TestScheduleCheck(t *testing.T) {
	t.Parallel()
	for _, good := range []posthorn.Schedule{nil, {}, {1}, slices.Repeat(posthorn.Schedule{posthorn.MaxRetryWait}, posthorn.MaxRetries), posthorn.DefaultSchedule()} {
		require.NoError(t, good.Check())
	}
	require.EqualError(t, slices.Repeat(posthorn.Schedule{1}, 51).Check(), "must have at most 50 waits, not 51")
	require.EqualError(t, posthorn.Schedule{1, 0}.Check(), "must have waits above 0 and up to 30 days (720h), not 0s")
	require.EqualError(t, posthorn.Schedule{posthorn.MaxRetryWait + 1}.Check(), "must have waits above 0 and up to 30 days (720h), not 720h0m0.000000001s")
}

func TestScheduleOverriddenBy(t *testing.T) {
	t.Parallel()
	server, endpoint, eventType := posthorn.Schedule{1}, posthorn.Schedule{2}, posthorn.Schedule{}
	require.Equal(t, server, server.OverriddenBy())
	require.Equal(t, server, server.OverriddenBy(nil, nil))
	require.Equal(t, endpoint, server.OverriddenBy(&endpoint, &eventType))
	require.Equal(t, eventType, server.OverriddenBy(nil, &eventType), "an empty one is one")
}

func TestScheduleNext(t *testing.T) {
	t.Parallel()
	s := posthorn.Schedule{10 * time.Second, time.Minute}

	t.Run("waits the step of the attempt, spread by a fifth either way", func(t *testing.T) {
		t.Parallel()
		shortest, longest := time.Hour, time.Duration(0)
		for range 1000 {
			wait, again := s.Next(1, 0)
			require.True(t, again)
			shortest, longest = min(shortest, wait), max(longest, wait)
		}
		require.GreaterOrEqual(t, shortest, 8*time.Second)
		require.LessOrEqual(t, longest, 12*time.Second)
		require.Greater(t, longest-shortest, time.Second, "it is spread")
	})

	t.Run("ends after the last step", func(t *testing.T) {
		t.Parallel()
		_, again := s.Next(2, 0)
		require.True(t, again)
		_, again = s.Next(3, 0)
		require.False(t, again)
		_, again = posthorn.Schedule{}.Next(1, 0)
		require.False(t, again)
	})

	t.Run("waits at least as long as the receiver asked for, up to a day", func(t *testing.T) {
		t.Parallel()
		wait, _ := s.Next(1, time.Hour)
		require.Equal(t, time.Hour, wait)
		wait, _ = s.Next(1, 365*24*time.Hour)
		require.Equal(t, posthorn.MaxRetryAfter, wait)
	})

	t.Run("fits into its window with the longest jitter", func(t *testing.T) {
		t.Parallel()
		require.Greater(t, s.Window(15*time.Second), 12*time.Second+72*time.Second+3*15*time.Second)
	})
}
