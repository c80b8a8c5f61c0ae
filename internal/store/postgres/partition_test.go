package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// middle is that of a week that is so long over.
func middle(weeksAgo int) time.Time { return weekOf(time.Now()).plus(-weeksAgo).Add(80 * time.Hour) }

// withWeeks is the URL of a database that has partitions for weeks long ago too.
func withWeeks(t *testing.T, first, last int) (url string) {
	t.Helper()
	url = migrated(t)
	conn := connection(t, url)
	for ago := first; ago >= last; ago-- {
		_, err := makePartitions(t.Context(), conn, middle(ago), migrateTries)
		require.NoError(t, err)
	}
	return url
}

// old is a message that was made long ago.
func old(at time.Time, name string) posthorn.Message {
	m := message("app_1")
	m.ID = posthorn.MessageID.Derive(at, name)
	m.EventID = name
	m.CreatedAt = at
	m.Channels = []string{"eu"}
	return m
}

// tried is a message's attempt, made at a moment.
func tried(m posthorn.Message, at time.Time, success bool) posthorn.Attempt {
	a := attempt(m, "ep_1", success)
	a.ID = posthorn.AttemptID.Derive(at, m.ID)
	a.Trigger = posthorn.Automatic
	return a
}

// keep stores a message with what came of it.
func keep(t *testing.T, s *Store, m posthorn.Message, r store.Record) posthorn.Message {
	t.Helper()
	require.NoError(t, s.CreateMessage(t.Context(), m))
	r.MessageID, r.AppID, r.Dispatched = m.ID, m.AppID, true
	_, err := s.Record(t.Context(), r)
	require.NoError(t, err)
	return m
}

// remove goes on until nothing is left to remove.
func remove(t *testing.T, how func(context.Context, time.Time, string) (store.Removed, error), before time.Time) (items, calls int) {
	t.Helper()
	for from, done := "", false; !done; calls++ {
		require.Less(t, calls, 1000, "it comes to no end")
		r, err := how(t.Context(), before, from)
		require.NoError(t, err)
		items, from, done = items+r.Items, r.Next, r.Done
	}
	return items, calls
}

// weeksOf are the weeks that a family has partitions for.
func weeksOf(t *testing.T, url string, f family) []week {
	t.Helper()
	conn := connection(t, url)
	defer conn.Close(t.Context()) //nolint:errcheck // many are made
	weeks, err := f.weeks(t.Context(), conn)
	require.NoError(t, err)
	return weeks
}

func TestPartitionsAreMadeAhead(t *testing.T) {
	t.Parallel()
	url, stores := replicas(t, 4)
	var expected []week
	for n := -1; n <= weeksAhead+3; n++ {
		expected = append(expected, weekOf(time.Now()).plus(n))
	}
	for _, f := range families {
		require.Equal(t, expected[:len(expected)-3], weeksOf(t, url, f), "the migration has made them")
	}
	var problems sync.Map
	atOnce(2*len(stores), func(i int) {
		for now := time.Now(); !now.After(time.Now().AddDate(0, 0, 21)); now = now.AddDate(0, 0, 7) {
			if err := stores[i%len(stores)].MakeRoom(t.Context(), now); err != nil {
				problems.Store(err.Error(), true)
			}
		}
	})
	problems.Range(func(problem, _ any) bool { t.Error(problem); return true })
	require.NoError(t, stores[0].MakeRoom(t.Context(), time.Now().AddDate(0, 0, 21)), "of those at once, any may have given way")
	for _, f := range families {
		require.Equal(t, expected, weeksOf(t, url, f))
	}
}

func TestAWeekWithoutPartitionsIsServedFromTheDefaultOne(t *testing.T) {
	t.Parallel()
	url, stores := replicas(t, 1)
	s := stores[0]
	ahead := time.Now().AddDate(0, 0, 7*(weeksAhead+5))
	m := keep(t, s, old(ahead, "early"), store.Record{Attempts: []posthorn.Attempt{tried(old(ahead, "early"), ahead, true)}})
	require.Equal(t, 1, count(t, url, "SELECT count(*) FROM message_default"))
	require.NoError(t, s.MakeRoom(t.Context(), ahead))
	require.NotContains(t, weeksOf(t, url, messageFamily), weekOf(ahead), "what is in the default partition stays there")
	require.Contains(t, weeksOf(t, url, messageFamily), weekOf(ahead).plus(1))
	_, err := s.MessageByID(t.Context(), m.ID)
	require.NoError(t, err)
	n, _ := remove(t, s.RemoveMessages, ahead.Add(time.Second))
	require.Equal(t, 1, n)
	require.Zero(t, count(t, url, "SELECT count(*) FROM attempt"))
}

func TestRetentionDropsWholeWeeks(t *testing.T) {
	t.Parallel()
	const each = 40
	url := withWeeks(t, 100, 96) // weeks 101 to 94 ago
	s := open(t, url)
	for _, ago := range []int{120, 100, 99, 98, 97} { // the first has no partition
		for i := range each {
			m := old(middle(ago), fmt.Sprint(ago, " ", i))
			r := store.Record{Attempts: []posthorn.Attempt{tried(m, middle(ago), true)}}
			switch {
			case ago == 99 && i == 0: // it goes on
				r.Attempts[0] = tried(m, middle(ago), false)
				r.Attempts[0].NextAt = time.Now()
			case ago == 98 && i < 3: // its last attempt is one of the next week
				r.Attempts = []posthorn.Attempt{tried(m, middle(ago), false), tried(m, middle(ago-1), true)}
				r.Attempts[0].NextAt = middle(ago - 1)
			}
			keep(t, s, m, r)
		}
	}
	fresh := keep(t, s, message("app_1"), store.Record{})
	kept := weeksOf(t, url, messageFamily)

	// The moment is in the middle of a week, of which everything stays.
	n, _ := remove(t, s.RemoveMessages, middle(97))
	require.Equal(t, 4*each-1, n)
	require.Equal(t, each+2, count(t, url, "SELECT count(*) FROM message"))
	gone := []week{weekOf(middle(101)), weekOf(middle(100)), weekOf(middle(98))}
	for _, f := range families {
		require.Equal(t, slices.DeleteFunc(slices.Clone(kept), func(w week) bool { return slices.Contains(gone, w) }), weeksOf(t, url, f))
	}
	require.Equal(t, 1, count(t, url, "SELECT count(*) FROM "+messageFamily.partition("message", weekOf(middle(99)))), "the open one")
	for _, table := range []string{"delivery", "attempt"} {
		require.Equal(t, each+1, count(t, url, "SELECT count(*) FROM "+table), table)
	}
	require.Equal(t, each+1, count(t, url, "SELECT count(*) FROM message_event"))
	require.Equal(t, 3*(each+1), count(t, url, "SELECT count(*) FROM label"), "of a message, its delivery and its attempt")
	require.Equal(t, each+2, count(t, url, "SELECT count(*) FROM message_payload"))

	// Event IDs are free again, and nothing is listed that is gone.
	again := message("app_1")
	again.EventID = "98 1"
	require.NoError(t, s.CreateMessage(t.Context(), again))
	as, err := s.ListAttempts(t.Context(), store.AttemptFilter{EndpointID: "ep_1", Channel: "eu"}, store.Page{Limit: 1000})
	require.NoError(t, err)
	require.Len(t, as.Items, each+1)

	// Once it is over, the week goes.
	open := old(middle(99), "99 0")
	keep := store.Record{MessageID: open.ID, AppID: open.AppID, Closed: []posthorn.Delivery{{MessageID: open.ID, EndpointID: "ep_1", State: posthorn.Failed}}}
	_, err = s.Record(t.Context(), keep)
	require.NoError(t, err)
	n, _ = remove(t, s.RemoveMessages, middle(97))
	require.Equal(t, 1, n)
	require.NotContains(t, weeksOf(t, url, messageFamily), weekOf(middle(99)))
	n, _ = remove(t, s.RemoveMessages, middle(95))
	require.Equal(t, each, n)
	_, err = s.MessageByID(t.Context(), fresh.ID)
	require.NoError(t, err)
}

func TestRetentionDropsWeeksOfAttempts(t *testing.T) {
	t.Parallel()
	const each = 30
	url := withWeeks(t, 100, 96)
	s := open(t, url)
	for _, ago := range []int{100, 99} {
		for i := range each {
			m := old(middle(ago), fmt.Sprint(ago, " ", i))
			a := tried(m, middle(ago), ago == 100 || i > 0)
			if !a.Success {
				a.NextAt = time.Now()
			}
			keep(t, s, m, store.Record{Attempts: []posthorn.Attempt{a}})
		}
	}
	n, _ := remove(t, s.RemoveAttempts, middle(98))
	require.Equal(t, 2*each-1, n)
	require.NotContains(t, weeksOf(t, url, attemptFamily), weekOf(middle(100)))
	require.Contains(t, weeksOf(t, url, attemptFamily), weekOf(middle(99)))
	last, err := s.LastAttempt(t.Context(), old(middle(99), "99 0").ID, "ep_1")
	require.NoError(t, err, "an open delivery keeps it")
	require.False(t, last.Success)
	require.Equal(t, 2*each, count(t, url, "SELECT count(*) FROM message"))
	n, _ = remove(t, s.RemoveMessages, middle(98))
	require.Equal(t, 2*each-1, n)
}

// TestDeliveryGoesOnWhileWeeksAreDropped also holds a dropping up by somebody who reads the tables, as a dump does.
func TestDeliveryGoesOnWhileWeeksAreDropped(t *testing.T) {
	t.Parallel()
	url := withWeeks(t, 100, 96)
	s, remover := open(t, url), open(t, url)
	for _, ago := range []int{100, 99, 98} {
		for i := range 20 {
			m := old(middle(ago), fmt.Sprint(ago, " ", i))
			keep(t, s, m, store.Record{Attempts: []posthorn.Attempt{tried(m, middle(ago), true)}})
		}
	}
	var delivered atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	problems := make(chan error, 8)
	for range cap(problems) {
		load.Go(func() {
			for ctx.Err() == nil {
				if err := deliver(t, s, message("app_1")); err != nil {
					problems <- err
					return
				}
				delivered.Add(1)
			}
		})
	}
	more := func() {
		t.Helper()
		before := delivered.Load()
		require.Eventually(t, func() bool { return delivered.Load() > before+20 || len(problems) > 0 }, time.Minute, time.Millisecond)
	}
	more()
	reader, err := connection(t, url).Begin(t.Context())
	require.NoError(t, err)
	_, err = reader.Exec(t.Context(), "SELECT count(*) FROM message, delivery")
	require.NoError(t, err)
	weeks := weeksOf(t, url, messageFamily)
	n, _ := remove(t, remover.RemoveMessages, middle(97))
	require.Zero(t, n, "the tables are in use")
	require.Equal(t, weeks, weeksOf(t, url, messageFamily))
	more()
	require.NoError(t, reader.Rollback(t.Context()))
	require.Eventually(t, func() bool {
		n, _ := remove(t, remover.RemoveMessages, middle(97))
		return n > 0
	}, time.Minute, time.Millisecond)
	more()
	stop()
	load.Wait()
	close(problems)
	for err := range problems {
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool {
		remove(t, remover.RemoveMessages, middle(97))
		return !slices.ContainsFunc(weeksOf(t, url, messageFamily), func(w week) bool { return !w.After(middle(98)) })
	}, time.Minute, time.Millisecond)
	require.EqualValues(t, delivered.Load(), count(t, url, "SELECT count(*) FROM attempt"))
}

// TestQueriesPrune looks at the plans of what is asked most: they read the partitions of one week.
func TestQueriesPrune(t *testing.T) {
	t.Parallel()
	url := withWeeks(t, 100, 96)
	conn := connection(t, url)
	m, a := posthorn.MessageID.New(), posthorn.AttemptID.New()
	low, high := weekOf(time.Now()).bounds(posthorn.AttemptID)
	for _, q := range []struct {
		text string
		args []any
	}{
		{"SELECT event_type FROM message WHERE id = ?", []any{m}},
		{"SELECT p.payload FROM message m LEFT JOIN message_payload p ON p.message_seq = m.seq WHERE m.id = ?", []any{m}},
		{"SELECT state FROM delivery WHERE message_id = ? AND endpoint_id IN (SELECT value FROM json_each(?))", []any{m, `["ep_1"]`}},
		{"UPDATE delivery SET state = 'failed' WHERE message_id = ? AND endpoint_id = ?", []any{m, "ep_1"}},
		{"SELECT number FROM attempt WHERE message_id = ? AND id = ?", []any{m, a}},
		{"SELECT a.id FROM json_each(?) k CROSS JOIN attempt a ON a.seq = CAST(k.value AS BIGINT) WHERE a.id >= ? AND a.id <= ?", []any{"[1]", a, a}},
		{"SELECT id FROM attempt WHERE endpoint_id = ? AND event_type = ? AND outcome = ? AND id >= ? AND id < ? ORDER BY id DESC LIMIT 9", []any{"ep_1", "a", "7", low, high}},
		{"DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))", []any{`["` + m + `"]`}},
		{"UPDATE label SET standing = 'failed' WHERE owner_id = ? AND kind = 'tag' AND name = 'x' AND event_type = 'a' AND standing = '' AND item_id = ?", []any{"ep_1", m}},
	} {
		plan := explain(t, conn, q.text, q.args...)
		thisWeek := weekOf(time.Now()).Format(weekLayout)
		require.Contains(t, plan, thisWeek, q.text)
		for _, f := range families {
			require.NotContains(t, strings.ReplaceAll(plan, f.suffix()+thisWeek, ""), f.suffix(), q.text)
		}
		require.NotContains(t, plan, "_default", q.text)
	}
}

// explain returns the plan of a text of sqlstore, with its parameters known.
func explain(t *testing.T, conn *pgx.Conn, text string, args ...any) string {
	t.Helper()
	rows, err := conn.Query(t.Context(), "EXPLAIN "+translate(text), args...)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return strings.Join(lines, "\n")
}
