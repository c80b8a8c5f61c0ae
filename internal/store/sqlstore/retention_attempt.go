package sqlstore

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// oldAttempt is one that may have been kept long enough.
type oldAttempt struct {
	key
	message  string
	endpoint string
	outcome  any
	bytes    int64
	kept     bool // an open delivery needs it
	labelled
}

func oldAttemptFields(a *oldAttempt) []any {
	return append([]any{&a.row, &a.id, &a.message, &a.endpoint, standing{&a.outcome}, &a.bytes, &a.kept}, labelledFields(&a.labelled)...)
}

var attemptsToRemove = "SELECT a.seq, a.id, a.message_id, a.endpoint_id, a.outcome, " + attemptBytes + "," +
	" coalesce(d." + IsOpen + " AND (a.id = d.newest OR a.number = d.attempts), FALSE), " + of("m", labelledColumns) +
	" FROM attempt a LEFT JOIN delivery d ON d.message_id = a.message_id AND d.endpoint_id = a.endpoint_id" +
	" LEFT JOIN message m ON m.id = a.message_id"

// oldAttempts asks for the attempts in the order in which they were recorded, which hardly differs from that of their
// IDs, and for which there is no index. Within narrows them to some IDs.
func oldAttempts(from int64, within *extent) *query {
	q := newQuery(attemptsToRemove)
	q.where("a.seq > ?", from)
	if within != nil {
		q.where("a.id >= ? AND a.id < ?", within.low, within.high)
	}
	q.add(" ORDER BY a.seq LIMIT ?", removeRows)
	return q
}

// RemoveAttempts implements [store.Retention]. It is done when it meets a whole transaction's worth of attempts that are
// too young; older ones behind them are left to a later time.
func (s *Store) RemoveAttempts(ctx context.Context, before time.Time, from string) (store.Removed, error) {
	return s.removeAttempts(ctx, store.Before(posthorn.AttemptID, before), from, nil)
}

// RemoveAttemptsBetween is RemoveAttempts for the attempts from one ID on and before another.
func (s *Store) RemoveAttemptsBetween(ctx context.Context, low, end, from string) (store.Removed, error) {
	return s.removeAttempts(ctx, end, from, &extent{low, end})
}

func (s *Store) removeAttempts(ctx context.Context, end, from string, within *extent) (r store.Removed, err error) {
	defer s.annotate(&err, "removing old attempts")
	var behind int64
	if from != "" {
		if behind, err = strconv.ParseInt(from, 10, 64); err != nil {
			return r, fmt.Errorf("%q is no place to go on: %w", from, err)
		}
	}
	err = s.writeLocked(ctx, []string{removalLock}, func(ctx context.Context, tx *Session) error {
		r = store.Removed{Next: from}
		q := oldAttempts(behind, within)
		found, err := all(ctx, tx, oldAttemptFields, q.text.String(), q.args...)
		if err != nil {
			return err
		}
		portion := newPortion()
		var over []*oldAttempt
		old, looked := 0, 0
		for i := range found {
			a := &found[i]
			if a.id < end {
				if !a.kept && !portion.take(a.size()) {
					break
				}
				old++
				if !a.kept {
					over = append(over, a)
				}
			}
			looked++
			r.Next = strconv.FormatInt(a.row, 10)
		}
		r.Items = len(over)
		r.Done = looked == len(found) && (len(found) < removeRows || old == 0)
		return removeAttemptRows(ctx, tx, over)
	})
	return r, err
}

// size is what an attempt takes of a portion.
func (a *oldAttempt) size() (rows int, bytes int64) { return 1 + len(a.subject().labels), a.bytes }

// removeAttemptRows removes attempts with their labels.
func removeAttemptRows(ctx context.Context, tx *Session, over []*oldAttempt) error {
	keys := make([]key, len(over))
	for i, a := range over {
		keys[i] = a.key
	}
	if err := tx.lock(messageLocks(over, func(a **oldAttempt) string { return (*a).message })...); err != nil {
		return err
	}
	for _, a := range over {
		if err := a.subject().unlabel(ctx, tx, a.endpoint, a.id, a.outcome); err != nil {
			return err
		}
	}
	return deleteAttempts(ctx, tx, keys)
}

// RemoveAttemptsOf removes attempts between two IDs that are of messages between two IDs, as many as one transaction may,
// and reports whether that is all there are. None of the messages may have an open delivery.
func (s *Store) RemoveAttemptsOf(ctx context.Context, firstMessage, endMessage, low, end string) (done bool, err error) {
	defer s.annotate(&err, "removing attempts of old messages")
	err = s.writeLocked(ctx, []string{removalLock}, func(ctx context.Context, tx *Session) error {
		q := newQuery(attemptsToRemove)
		q.where("a.message_id >= ? AND a.message_id < ? AND a.id >= ? AND a.id < ?", firstMessage, endMessage, low, end)
		q.add(" LIMIT ?", removeRows)
		found, err := all(ctx, tx, oldAttemptFields, q.text.String(), q.args...)
		if err != nil {
			return err
		}
		taken := cut(newPortion(), found, (*oldAttempt).size)
		over := make([]*oldAttempt, len(taken))
		for i := range taken {
			over[i] = &taken[i]
		}
		done = len(taken) == len(found) && len(found) < removeRows
		return removeAttemptRows(ctx, tx, over)
	})
	return done, err
}
