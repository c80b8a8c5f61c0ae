package posthorn_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func TestRetime(t *testing.T) {
	t.Parallel()
	ended := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	after := func(d time.Duration) time.Time { return ended.Add(d) }
	old := posthorn.Schedule{10 * time.Second, time.Hour}
	for name, c := range map[string]struct {
		schedule    posthorn.Schedule
		w           posthorn.Waiting
		from, until time.Duration // from the end of the last attempt; both zero for no attempt left
	}{
		"a longer wait moves it back":           {posthorn.Schedule{time.Minute, 5 * time.Hour}, posthorn.Waiting{Made: 2, Due: after(time.Hour)}, 4 * time.Hour, 6 * time.Hour},
		"a shorter wait brings it forward":      {posthorn.Schedule{time.Minute, time.Minute}, posthorn.Waiting{Made: 2, Due: after(time.Hour)}, 48 * time.Second, 72 * time.Second},
		"only the wait it is in counts":         {posthorn.Schedule{time.Minute, time.Hour}, posthorn.Waiting{Made: 2, Due: after(50 * time.Minute)}, 50 * time.Minute, 50 * time.Minute},
		"an early moment within the jitter":     {old, posthorn.Waiting{Made: 1, Due: after(8 * time.Second)}, 8 * time.Second, 8 * time.Second},
		"a late moment within the jitter":       {old, posthorn.Waiting{Made: 1, Due: after(12 * time.Second)}, 12 * time.Second, 12 * time.Second},
		"a moment beyond the jitter":            {old, posthorn.Waiting{Made: 1, Due: after(13 * time.Second)}, 8 * time.Second, 12 * time.Second},
		"what a database rounds":                {old, posthorn.Waiting{Made: 1, Due: after(8*time.Second - time.Microsecond)}, 8*time.Second - time.Microsecond, 8 * time.Second},
		"no attempt is left":                    {posthorn.Schedule{time.Minute}, posthorn.Waiting{Made: 2, Due: after(time.Hour)}, 0, 0},
		"none but the first":                    {posthorn.Schedule{}, posthorn.Waiting{Made: 1, Due: after(time.Second)}, 0, 0},
		"the first attempt is still to come":    {posthorn.Schedule{}, posthorn.Waiting{Due: after(time.Hour)}, time.Hour, time.Hour},
		"a longer schedule after the last wait": {posthorn.Schedule{1, 1, time.Minute}, posthorn.Waiting{Made: 3, Due: after(time.Hour)}, 48 * time.Second, 72 * time.Second},
		"what the receiver asked for, when the schedule is hastier": {
			posthorn.Schedule{time.Second}, posthorn.Waiting{Made: 1, AtLeast: 2 * time.Hour, Due: after(5 * time.Hour)}, 2 * time.Hour, 2 * time.Hour},
		"what the receiver asked for, when nothing else changes": {
			posthorn.Schedule{time.Second}, posthorn.Waiting{Made: 1, AtLeast: time.Minute, Due: after(time.Minute)}, time.Minute, time.Minute},
		"the schedule, when it waits longer than the receiver asked for": {
			posthorn.Schedule{time.Hour}, posthorn.Waiting{Made: 1, AtLeast: time.Minute, Due: after(time.Minute)}, 48 * time.Minute, 72 * time.Minute},
		"the cap of what a receiver can ask for": {
			posthorn.Schedule{time.Second}, posthorn.Waiting{Made: 1, AtLeast: 365 * 24 * time.Hour, Due: after(48 * time.Hour)}, 24 * time.Hour, 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.w.Ended = ended
			for range 100 {
				due, again := c.schedule.Retime(c.w)
				require.Equal(t, c.until != 0, again)
				if !again {
					require.Zero(t, due)
					continue
				}
				require.WithinRange(t, due, after(c.from), after(c.until))
				moved := c.w
				moved.Due = due
				twice, again := c.schedule.Retime(moved)
				require.True(t, again)
				require.Equal(t, due, twice, "to retime twice is to retime once")
			}
		})
	}
}
