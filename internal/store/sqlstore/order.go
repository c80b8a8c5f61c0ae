package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// blockerPage is how many messages without a recorded first round are read at a time.
const blockerPage = 100

// Blocker implements [store.Ordering]. Messages whose first round is not recorded may have no delivery yet: whether they
// are for the endpoint is told from the messages. They are few, and the first that is for it ends the search. One that
// is scheduled has no place in the order before its time.
func (s *Store) Blocker(ctx context.Context, ep *posthorn.Endpoint, m *posthorn.Message) (blocker string, err error) {
	defer s.annotate(&err, "looking for what comes before message %s at endpoint %s", m.ID, ep.ID)
	return snapshot(ctx, s, func(on *Session) (string, error) {
		err := on.row(ctx, []any{&blocker}, firstOpen+" AND message_id < ? ORDER BY message_id LIMIT 1", ep.ID, m.OrderingKey, m.ID)
		if !errors.Is(err, sql.ErrNoRows) {
			return blocker, err
		}
		for after := ""; ; {
			earlier, err := all(ctx, on, messageFields, undispatchedBefore, after, m.ID, m.AppID, blockerPage)
			if err != nil {
				return "", err
			}
			for _, other := range earlier {
				if other.OrderingKey == m.OrderingKey && ep.Wants(&other) && !other.DeliverAt.After(s.now()) {
					return other.ID, nil
				}
			}
			if len(earlier) < blockerPage {
				return "", nil
			}
			after = earlier[len(earlier)-1].ID
		}
	})
}

const (
	firstOpen = "SELECT message_id FROM delivery WHERE endpoint_id = ? AND ordering_key = ? AND " + IsOpen

	// nextKey finds the keys of an endpoint one after the other, skipping over the deliveries of each.
	nextKey = "SELECT ordering_key FROM delivery WHERE endpoint_id = ? AND ordering_key > ? AND " + IsOpen +
		" ORDER BY ordering_key LIMIT 1"

	firstRow = "SELECT " + deliveryRowColumns + " FROM delivery WHERE endpoint_id = ? AND ordering_key = ? AND " + IsOpen +
		" ORDER BY message_id LIMIT 1"
)

var undispatchedBefore = "SELECT " + of("m", messageColumns) + " FROM undispatched u CROSS JOIN message m ON m.id = u.message_id" +
	" WHERE u.message_id > ? AND u.message_id < ? AND m.app_id = ? ORDER BY u.message_id LIMIT ?"

// Unblocked implements [store.Ordering].
func (s *Store) Unblocked(
	ctx context.Context, endpointID, after string, due time.Time, limit int,
) (released []posthorn.Delivery, last string, err error) {
	defer s.annotate(&err, "letting what is next at endpoint %s go", endpointID)
	err = s.write(ctx, func(ctx context.Context, tx *Session) error {
		r := recording{ctx: ctx, tx: tx}
		last = after
		for n := range limit {
			if n > 0 || after != "" { // the deliveries without a key come first
				err := tx.row(ctx, []any{&last}, nextKey, endpointID, last)
				if errors.Is(err, sql.ErrNoRows) {
					last = ""
					break
				}
				if err != nil {
					return err
				}
			}
			if err := r.unblock(endpointID, last, due); err != nil {
				return err
			}
		}
		released = r.released
		return nil
	})
	return released, last, err
}

// unblock lets the first open delivery of an ordering key go if it waits for its turn.
func (r *recording) unblock(endpointID, key string, due time.Time) error {
	found, err := r.tx.lockFound(r.ctx, func() ([]deliveryRow, error) {
		first, err := all(r.ctx, r.tx, deliveryRowFields, firstRow, endpointID, key)
		return slices.DeleteFunc(first, func(d deliveryRow) bool { return d.Waits != posthorn.WaitOrder }), err
	})
	if err != nil || len(found) == 0 {
		return err
	}
	first := found[0]
	err = change(r.ctx, r.tx, &first, due, func(d *posthorn.Delivery) { store.Release(d, due) })
	r.released = append(r.released, first.Delivery)
	return err
}

// OnRelease implements [store.Ordering].
func (s *Store) OnRelease(f func(posthorn.Delivery)) { s.releases = append(s.releases, f) }

func (s *Store) announce(released []posthorn.Delivery) {
	for _, d := range released {
		for _, f := range s.releases {
			f(d)
		}
	}
}
