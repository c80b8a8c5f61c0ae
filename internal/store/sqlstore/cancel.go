package sqlstore

import (
	"context"
	"slices"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// MarkScheduled implements [store.Cancelling].
func (s *Store) MarkScheduled(ctx context.Context, messageID string) (err error) {
	defer s.annotate(&err, "noting that message %s is scheduled", messageID)
	return s.writeLocked(ctx, []string{messageLock(messageID)}, func(ctx context.Context, tx *Session) error {
		n, err := tx.Exec(ctx, "DELETE FROM undispatched WHERE message_id = ?", messageID)
		if err != nil || n == 0 {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO scheduled (message_id) VALUES (?)", messageID)
		return err
	})
}

// dispatch notes that a message's first round was.
func dispatch(ctx context.Context, tx *Session, messageID string) error {
	n, err := tx.Exec(ctx, "DELETE FROM undispatched WHERE message_id = ?", messageID)
	if err != nil || n > 0 {
		return err
	}
	return tx.post(ctx, "DELETE FROM scheduled WHERE message_id = ?", messageID)
}

// isToBegin reports whether the first round of a message is still to come.
func isToBegin(ctx context.Context, tx *Session, messageID string) (is bool, err error) {
	err = tx.row(ctx, []any{&is}, "SELECT EXISTS (SELECT 1 FROM undispatched WHERE message_id = ?)"+
		" OR EXISTS (SELECT 1 FROM scheduled WHERE message_id = ?)", messageID, messageID)
	return is, err
}

// CancelMessage implements [store.Cancelling].
func (s *Store) CancelMessage(ctx context.Context, appID, ref string, now time.Time) (c store.Cancelled, err error) {
	defer s.annotate(&err, "cancelling message %s", ref)
	var released []posthorn.Delivery
	err = s.write(ctx, func(ctx context.Context, tx *Session) (err error) {
		c, released = store.Cancelled{}, nil
		c.Message, err = messageByRef(ctx, tx, appID, ref, func(id string) (posthorn.Message, error) {
			return one(ctx, tx, messageFields, "SELECT "+messageColumns+" FROM message WHERE app_id = ? AND id = ?", appID, id)
		})
		if err != nil {
			return notFound(err, "message %q", ref)
		}
		id := c.Message.ID
		if err := tx.lock(messageLock(id)); err != nil {
			return err
		}
		if c.Waits, err = isToBegin(ctx, tx, id); err != nil {
			return err
		}
		found, err := all(ctx, tx, deliveryRowFields,
			"SELECT "+deliveryRowColumns+" FROM delivery WHERE message_id = ? ORDER BY endpoint_id", id)
		if err != nil {
			return err
		}
		// A message that went to nobody looks like one that is on its way to its first round.
		c.Waits = c.Waits || len(found) == 0
		open := slices.DeleteFunc(found, func(d deliveryRow) bool { return d.State.Ended() })
		if c.Ended = len(found) - len(open); !c.Waits && len(open) == 0 {
			return nil
		}
		if c.Message.CancelledAt.IsZero() {
			c.Message.CancelledAt = now
			if _, err := tx.Exec(ctx, "UPDATE message SET cancelled_at = ? WHERE id = ?", moment{&now}, id); err != nil {
				return err
			}
		}
		for i := range open {
			r := recording{ctx: ctx, tx: tx}
			if err := r.message.load(ctx, tx, id); err != nil {
				return err
			}
			d := &open[i]
			d.exists, d.before = true, d.State
			if err := r.cancel(d, posthorn.MessageCancelled, now); err != nil {
				return err
			}
			c.Deliveries = append(c.Deliveries, d.Delivery)
			released = append(released, r.released...)
		}
		return nil
	})
	if err == nil {
		s.announce(released)
	}
	return c, err
}

// cancel ends a delivery. The next in its order goes on.
func (r *recording) cancel(d *deliveryRow, reason string, now time.Time) error {
	store.Cancel(&d.Delivery, reason, now)
	d.UpdatedAt = now
	return r.save(d)
}

// CancelDelivery implements [store.Cancelling].
func (s *Store) CancelDelivery(
	ctx context.Context, messageID, endpointID string, now time.Time,
) (d posthorn.Delivery, cancelled bool, err error) {
	defer s.annotate(&err, "cancelling the delivery of %s to %s", messageID, endpointID)
	var released []posthorn.Delivery
	err = s.writeLocked(ctx, []string{messageLock(messageID)}, func(ctx context.Context, tx *Session) error {
		cancelled = false
		toBegin, err := isToBegin(ctx, tx, messageID)
		if err != nil {
			return err
		}
		m, err := one(ctx, tx, messageFields, "SELECT "+messageColumns+" FROM message WHERE id = ?", messageID)
		if err != nil {
			return notFound(err, "message %q", messageID)
		}
		r := recording{ctx: ctx, tx: tx}
		record := store.Record{MessageID: m.ID, AppID: m.AppID, Closed: []posthorn.Delivery{{EndpointID: endpointID}}}
		if err := r.load(record); err != nil {
			return err
		}
		row := r.deliveries[endpointID]
		switch {
		case !row.exists && !toBegin:
			return posthorn.Errorf(posthorn.NotFound, "message %q does not go to endpoint %q", messageID, endpointID)
		case !row.State.Ended():
			cancelled = true
			err = r.cancel(row, posthorn.DeliveryCancelled, now)
		}
		d, released = row.Delivery, r.released
		return err
	})
	if err == nil {
		s.announce(released)
	}
	return d, cancelled, err
}

// CancelOlder implements [store.Cancelling].
func (s *Store) CancelOlder(
	ctx context.Context, endpointID, before, reason string, limit int,
) (cancelled []posthorn.Delivery, err error) {
	defer s.annotate(&err, "cancelling what is open for endpoint %s", endpointID)
	whatever := append(posthorn.Waits(), posthorn.WaitNothing)
	return s.changeWaiting(ctx, endpointID, whatever, before, limit, func(d *posthorn.Delivery) { store.Cancel(d, reason, d.UpdatedAt) })
}
