package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// IsOpen is the condition of the indexes over deliveries that have not ended. Queries repeat it to be served by them.
const IsOpen = "state IN ('pending', 'retrying', 'held')"

// CountWaiting implements [store.Waiting].
func (s *Store) CountWaiting(ctx context.Context, endpointID string) (counts map[posthorn.Wait]int, err error) {
	defer s.annotate(&err, "counting what waits for endpoint %s", endpointID)
	type count struct {
		waits posthorn.Wait
		n     int
	}
	found, err := many(ctx, s, func(c *count) []any { return []any{&c.waits, &c.n} }, countWaiting(endpointID))
	if err != nil {
		return nil, err
	}
	counts = make(map[posthorn.Wait]int, len(found))
	for _, c := range found {
		counts[c.waits] = c.n
	}
	return counts, nil
}

func countWaiting(endpointID string) *query {
	return newQuery("SELECT waits, count(*) FROM delivery WHERE endpoint_id = ? AND waits > '' AND "+IsOpen+" GROUP BY waits", endpointID)
}

// Release implements [store.Waiting].
func (s *Store) Release(
	ctx context.Context, endpointID string, waits []posthorn.Wait, due time.Time, limit int,
) (released []posthorn.Delivery, err error) {
	defer s.annotate(&err, "releasing what waits for endpoint %s", endpointID)
	return s.changeWaiting(ctx, endpointID, waits, behindAll, limit, func(d *posthorn.Delivery) { store.Release(d, due) })
}

// HoldWaiting implements [store.Waiting].
func (s *Store) HoldWaiting(
	ctx context.Context, endpointID string, waits []posthorn.Wait, instead posthorn.Wait, reason string, limit int,
) (held []posthorn.Delivery, err error) {
	defer s.annotate(&err, "holding what waits for endpoint %s", endpointID)
	return s.changeWaiting(ctx, endpointID, waits, behindAll, limit, func(d *posthorn.Delivery) {
		store.Hold(d, instead, reason)
	})
}

// CancelWaiting implements [store.Waiting].
func (s *Store) CancelWaiting(
	ctx context.Context, endpointID string, waits []posthorn.Wait, before time.Time, reason string, limit int,
) (cancelled []posthorn.Delivery, err error) {
	defer s.annotate(&err, "cancelling what waits for endpoint %s", endpointID)
	end := behindAll
	if !before.IsZero() {
		end = posthorn.MessageID.Floor(before)
	}
	return s.changeWaiting(ctx, endpointID, waits, end, limit, func(d *posthorn.Delivery) { store.Cancel(d, reason, d.UpdatedAt) })
}

// changeWaiting moves the oldest deliveries that wait for one of these on, of messages before an ID.
func (s *Store) changeWaiting(
	ctx context.Context, endpointID string, waits []posthorn.Wait, end string, limit int, how func(*posthorn.Delivery),
) (changed []posthorn.Delivery, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *Session) error {
		oldest, err := waiting(ctx, tx, endpointID, waits, end, limit)
		if err != nil {
			return err
		}
		changed, err = s.changeAll(ctx, tx, oldest, how)
		return err
	})
	return changed, err
}

// changeAll moves stored deliveries on, and returns them as they are then.
func (s *Store) changeAll(
	ctx context.Context, tx *Session, found []deliveryRow, how func(*posthorn.Delivery),
) (changed []posthorn.Delivery, err error) {
	if err := tx.lock(messageLocks(found, messageOfRow)...); err != nil {
		return nil, err
	}
	for i := range found {
		if err := change(ctx, tx, &found[i], s.now(), how); err != nil {
			return nil, err
		}
		changed = append(changed, found[i].Delivery)
	}
	return changed, nil
}

// change moves one stored delivery on, in the lists too.
func change(ctx context.Context, tx *Session, d *deliveryRow, now time.Time, how func(*posthorn.Delivery)) error {
	r := recording{ctx: ctx, tx: tx}
	if err := r.message.load(ctx, tx, d.MessageID); err != nil {
		return err
	}
	d.exists, d.before, d.UpdatedAt = true, d.State, now.UTC().Truncate(time.Microsecond)
	how(&d.Delivery)
	return r.put(d)
}

// behindAll sorts behind the IDs of all messages.
const behindAll = "~"

// waiting reads the oldest open deliveries that wait for one of these, of messages before an ID. Each kind has its own run
// in the index; sorting them all for the sake of a few would read every one of them.
func waiting(ctx context.Context, q *Session, endpointID string, waits []posthorn.Wait, end string, limit int) ([]deliveryRow, error) {
	var found []deliveryRow
	for _, w := range waits {
		run, err := all(ctx, q, deliveryRowFields, waitingRun, endpointID, w, end, limit)
		if err != nil {
			return nil, err
		}
		found = append(found, run...)
	}
	slices.SortFunc(found, func(a, b deliveryRow) int { return cmp.Compare(a.MessageID, b.MessageID) })
	return found[:min(len(found), limit)], nil
}

const waitingRun = "SELECT " + deliveryRowColumns + " FROM delivery WHERE endpoint_id = ? AND waits = ? AND message_id < ? AND " + IsOpen +
	" ORDER BY message_id LIMIT ?"

// Overdue implements [store.Waiting].
func (s *Store) Overdue(ctx context.Context, before time.Time, limit int) (ds []posthorn.Delivery, err error) {
	defer s.annotate(&err, "listing overdue deliveries")
	return many(ctx, s, deliveryFields, overdue(before, limit))
}

// Heard implements [store.Waiting].
func (s *Store) Heard(ctx context.Context, ds []posthorn.Delivery) (err error) {
	defer s.annotate(&err, "noting who has heard of %d ends", len(ds))
	locks := messageLocks(ds, func(d *posthorn.Delivery) string { return d.MessageID })
	return s.writeLocked(ctx, locks, func(ctx context.Context, tx *Session) error {
		for _, d := range ds {
			err := tx.post(ctx, "UPDATE delivery SET next_at = NULL WHERE message_id = ? AND endpoint_id = ? AND next_at IS NOT NULL AND NOT "+IsOpen,
				d.MessageID, d.EndpointID)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func overdue(before time.Time, limit int) *query {
	return newQuery("SELECT "+deliveryColumns+" FROM delivery WHERE next_at < ? ORDER BY next_at LIMIT ?", moment{&before}, limit)
}
