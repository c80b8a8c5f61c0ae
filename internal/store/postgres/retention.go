package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlstore"
)

// Retention goes through the weeks from the oldest on. A week in which nothing has to stay is dropped as a whole. From others,
// and from what lies in no week's partition, rows are removed as from any database. A week whose tables are in use is left to
// the next time, because by then it may be dropped.

// keptLong is how long things have to be kept for a few days more to matter little: then the week that is just becoming too
// old is left alone until it can be dropped. What is kept for a shorter time is removed row by row, as soon as it may.
const keptLong = 28 * 24 * time.Hour

// changeTries is how often a change of partitions is tried by those who will come again in an hour.
const changeTries = 5

// MakeRoom implements [store.Retention]. If the tables are in use for too long it is done the next time.
func (s *Store) MakeRoom(ctx context.Context, now time.Time) error {
	return s.During(func() error {
		return s.changing(ctx, "making partitions", func(conn *pgx.Conn) error {
			_, err := makePartitions(ctx, conn, now, changeTries)
			if errors.Is(err, errBusy) {
				return nil
			}
			return err
		})
	})
}

// changing lets a change of partitions have a connection of its own, which nobody else waits for.
func (s *Store) changing(ctx context.Context, what string, change func(conn *pgx.Conn) error) error {
	conn, err := pgx.ConnectConfig(ctx, s.server.readers.Config().ConnConfig)
	if err != nil {
		return s.refusal(what, err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // what was changed is committed
	return s.refusal(what, change(conn))
}

func (s *Store) refusal(what string, err error) error {
	if err == nil {
		return nil
	}
	if refused := s.server.Refusal(err); refused != nil {
		err = refused
	}
	return fmt.Errorf("%s: %w", what, err)
}

// stretch is a range of IDs: those of a week with partitions, or some between such weeks.
type stretch struct {
	low, high string
	week      *week
	last      bool // what lies behind it is too young
}

// stretchOf returns the stretch of what was made before a moment in which a position lies; false if there is none.
func (s *Store) stretchOf(ctx context.Context, f *family, before time.Time, position string) (found stretch, ok bool, err error) {
	weeks, err := f.weeks(ctx, s.server.readers)
	if err != nil {
		return found, false, s.refusal("listing partitions", err)
	}
	end := store.Before(f.kind, before)
	var all []stretch
	at := ""
	for i := range weeks {
		low, high := weeks[i].bounds(f.kind)
		if low >= end {
			break
		}
		if low > at {
			all = append(all, stretch{low: at, high: low})
		}
		at = low
		if high > end {
			if s.now().Sub(before) >= keptLong {
				end = low
			}
			break
		}
		at = high
		all = append(all, stretch{low: low, high: high, week: &weeks[i]})
	}
	if at < end {
		all = append(all, stretch{low: at, high: end})
	}
	for i := range all {
		if all[i].high > position {
			all[i].last = i == len(all)-1
			return all[i], true, nil
		}
	}
	return found, false, nil
}

// behind says where to go on when a stretch is done.
func (p *stretch) behind(r store.Removed) store.Removed {
	if r.Done {
		r.Next, r.Done = p.high, p.last
	}
	return r
}

// RemoveMessages implements [store.Retention]. A place to go on is an ID, or the first of a week and how far its event IDs
// have been freed.
func (s *Store) RemoveMessages(ctx context.Context, before time.Time, from string) (r store.Removed, err error) {
	err = s.During(func() error {
		r, err = s.removeMessages(ctx, before, from)
		return err
	})
	return r, err
}

func (s *Store) removeMessages(ctx context.Context, before time.Time, from string) (store.Removed, error) {
	at, event, _ := strings.Cut(from, " ")
	part, ok, err := s.stretchOf(ctx, &messageFamily, before, at)
	if err != nil || !ok {
		return store.Removed{Next: from, Done: true}, err
	}
	if part.week != nil && at <= part.low {
		r, whole, err := s.dropMessages(ctx, *part.week, event)
		if whole || err != nil {
			return part.behind(r), err
		}
	}
	r, err := s.RemoveMessagesBetween(ctx, max(at, part.low), part.high)
	return part.behind(r), err
}

// dropMessages goes a step towards dropping a week's messages with all that hangs on them: their attempts of other weeks go
// first, then their event IDs are freed. whole is false if something has to stay.
func (s *Store) dropMessages(ctx context.Context, w week, event string) (r store.Removed, whole bool, err error) {
	stay, err := messagesStay(ctx, s.server.readers, w)
	if err != nil || stay {
		return r, false, s.refusal("looking for messages that stay", err)
	}
	first, end := w.bounds(posthorn.MessageID)
	low, high := w.bounds(posthorn.AttemptID)
	for _, other := range [][2]string{{string(posthorn.AttemptID), low}, {high, string(posthorn.AttemptID) + "~"}} {
		done, err := s.RemoveAttemptsOf(ctx, first, end, other[0], other[1])
		if err != nil || !done {
			return store.Removed{Next: strings.TrimSuffix(first+" "+event, " ")}, true, err
		}
	}
	table := messageFamily.partition("message", w)
	var last *string
	err = s.server.writers.QueryRow(ctx, freeEvents(table), event, removeEvents).Scan(&last)
	if err != nil {
		return r, true, s.refusal("freeing event ids", err)
	}
	if last != nil {
		return store.Removed{Next: first + " " + *last}, true, nil
	}
	r.Done = true
	names := append(messageFamily.partitions(w), attemptFamily.partitions(w)...)
	return s.dropAll(ctx, r, table, names, func(q querier) (bool, error) {
		var late bool // an attempt was made on another week meanwhile: it goes the next time
		err := q.QueryRow(ctx, "SELECT EXISTS (SELECT FROM attempt WHERE message_id >= $1 AND message_id < $2 AND id >= $4)"+
			" OR EXISTS (SELECT FROM attempt WHERE message_id >= $1 AND message_id < $2 AND id < $3)", first, end, low, high).Scan(&late)
		if err == nil && late {
			err = errBusy
		}
		if err != nil {
			return false, err
		}
		return messagesStay(ctx, q, w)
	})
}

// maxCount bounds how much of what is dropped is counted, which is the only part of it that takes long.
const maxCount = 10_000_000

// dropAll drops partitions and counts what was in one of them. If they are in use it does nothing.
func (s *Store) dropAll(
	ctx context.Context, r store.Removed, table string, names []string, stay func(q querier) (bool, error),
) (removed store.Removed, whole bool, err error) {
	err = s.changing(ctx, "dropping partitions", func(conn *pgx.Conn) error {
		var n int
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM (SELECT FROM "+table+" LIMIT $1) counted", maxCount).Scan(&n); err != nil {
			return err
		}
		err := persistently(ctx, changeTries, func() (err error) {
			whole, err = dropPartitions(ctx, conn, names, stay)
			return err
		})
		switch {
		case errors.Is(err, errBusy):
			whole = true
			return nil
		case whole:
			r.Items = n
		}
		return err
	})
	return r, whole, err
}

// removeEvents is how many messages are looked at to free their event IDs in one transaction.
const removeEvents = 2000

// freeEvents frees the event IDs of the next messages in a partition, and returns the last of them if there may be more.
func freeEvents(table string) string {
	return "WITH part AS (SELECT id, app_id, event_id FROM " + table + " WHERE id > $1 ORDER BY id LIMIT $2)," +
		" freed AS (DELETE FROM message_event e USING part p WHERE p.event_id IS NOT NULL" +
		" AND e.app_id = p.app_id AND e.event_id = p.event_id AND e.message_id = p.id)" +
		" SELECT CASE WHEN count(*) = $2 THEN max(id) END FROM part"
}

// messagesStay reports whether a message of a week is not over yet, or its attempts' partition has one of another message.
func messagesStay(ctx context.Context, q querier, w week) (stay bool, err error) {
	first, end := w.bounds(posthorn.MessageID)
	low, high := w.bounds(posthorn.AttemptID)
	const other = "EXISTS (SELECT FROM attempt a JOIN message m ON m.id = a.message_id WHERE a.id >= $3 AND a.id < $4 AND a.message_id "
	err = q.QueryRow(ctx, "SELECT EXISTS (SELECT FROM undispatched WHERE message_id >= $1 AND message_id < $2)"+
		" OR EXISTS (SELECT FROM scheduled WHERE message_id >= $1 AND message_id < $2)"+
		" OR EXISTS (SELECT FROM delivery d WHERE d.message_id >= $1 AND d.message_id < $2 AND d."+sqlstore.IsOpen+")"+
		" OR "+other+"< $1) OR "+other+">= $2)", first, end, low, high).Scan(&stay)
	return stay, err
}

// RemoveAttempts implements [store.Retention]. A place to go on is the first ID of a stretch, and the number of an attempt
// in it.
func (s *Store) RemoveAttempts(ctx context.Context, before time.Time, from string) (r store.Removed, err error) {
	err = s.During(func() error {
		r, err = s.removeAttempts(ctx, before, from)
		return err
	})
	return r, err
}

func (s *Store) removeAttempts(ctx context.Context, before time.Time, from string) (store.Removed, error) {
	at, number, within := strings.Cut(from, " ")
	part, ok, err := s.stretchOf(ctx, &attemptFamily, before, at)
	if err != nil || !ok {
		return store.Removed{Next: from, Done: true}, err
	}
	if part.week != nil && !within {
		r, whole, err := s.dropAttempts(ctx, *part.week)
		if whole || err != nil {
			return part.behind(r), err
		}
	}
	r, err := s.RemoveAttemptsBetween(ctx, part.low, part.high, number)
	if !r.Done {
		r.Next = part.low + " " + r.Next
	}
	return part.behind(r), err
}

// dropAttempts drops a week's attempts. whole is false if one of them has to stay.
func (s *Store) dropAttempts(ctx context.Context, w week) (r store.Removed, whole bool, err error) {
	stay, err := attemptsStay(ctx, s.server.readers, w)
	if err != nil || stay {
		return r, false, s.refusal("looking for attempts that stay", err)
	}
	r.Done = true
	return s.dropAll(ctx, r, attemptFamily.partition("attempt", w), attemptFamily.partitions(w), func(q querier) (bool, error) {
		return attemptsStay(ctx, q, w)
	})
}

// attemptsStay reports whether one of a week's attempts is needed by an open delivery. Its message is older than the attempt,
// by one clock or another.
func attemptsStay(ctx context.Context, q querier, w week) (stay bool, err error) {
	low, high := w.bounds(posthorn.AttemptID)
	_, end := w.plus(1).bounds(posthorn.MessageID)
	err = q.QueryRow(ctx, "SELECT EXISTS (SELECT FROM delivery d JOIN attempt a ON a.message_id = d.message_id AND a.endpoint_id = d.endpoint_id"+
		" WHERE d."+sqlstore.IsOpen+" AND d.message_id < $3 AND a.id >= $1 AND a.id < $2 AND (a.id = d.newest OR a.number = d.attempts))", low, high, end).Scan(&stay)
	return stay, err
}
