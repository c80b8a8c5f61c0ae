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

// Retrying implements [store.Waiting].
func (s *Store) Retrying(ctx context.Context, endpointID, after string, limit int) (ds []posthorn.Delivery, err error) {
	defer s.annotate(&err, "listing what is to be sent to endpoint %s again", endpointID)
	return many(ctx, s, deliveryFields, retrying(endpointID, after, limit))
}

// retrying reads the run of the index for what waits for nothing. Those in it that are Pending are few: they are being sent.
func retrying(endpointID, after string, limit int) *query {
	return newQuery("SELECT "+deliveryColumns+" FROM delivery WHERE endpoint_id = ? AND waits = '' AND "+IsOpen+
		" AND state = 'retrying' AND message_id > ? ORDER BY message_id LIMIT ?", endpointID, after, limit)
}

// Retime implements [store.Waiting].
func (s *Store) Retime(ctx context.Context, rs []store.Retiming) (changed []posthorn.Delivery, err error) {
	defer s.annotate(&err, "timing %d deliveries anew", len(rs))
	locks := messageLocks(rs, func(r *store.Retiming) string { return r.Delivery.MessageID })
	err = s.writeLocked(ctx, locks, func(ctx context.Context, tx *Session) error {
		changed = nil
		for _, r := range rs {
			d, err := one(ctx, tx, deliveryRowFields, "SELECT "+deliveryRowColumns+" FROM delivery WHERE message_id = ? AND endpoint_id = ?",
				r.Delivery.MessageID, r.Delivery.EndpointID)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			d.exists, d.before = true, d.State
			if !store.Retime(&d.Delivery, r) {
				continue
			}
			d.NextAt = d.NextAt.Truncate(time.Microsecond)
			d.UpdatedAt = s.now().UTC().Truncate(time.Microsecond)
			rec := recording{ctx: ctx, tx: tx}
			if err := rec.message.load(ctx, tx, d.MessageID); err != nil {
				return err
			}
			if err := rec.save(&d); err != nil {
				return err
			}
			changed = append(changed, d.Delivery)
		}
		return nil
	})
	return changed, err
}

// Retimed implements [store.Waiting].
func (s *Store) Retimed(ctx context.Context, a posthorn.Attention, after *string) (err error) {
	defer s.annotate(&err, "noting how far endpoint %s has been timed anew", a.EndpointID)
	return s.write(ctx, func(ctx context.Context, tx *Session) error {
		_, err := tx.Exec(ctx, "UPDATE attention SET retime = ? WHERE endpoint_id = ? AND version = ?", after, a.EndpointID, a.Version)
		return err
	})
}

// promptAttention is how many endpoints are looked after at once when the schedule of an event type has changed. Whoever
// asks for Attention regularly finds the others.
const promptAttention = 100

// attendType notes the endpoints that a change of an event type's schedule concerns, and returns them.
func attendType(ctx context.Context, tx *Session, org, name string) ([]posthorn.Attention, error) {
	concerned, err := all(ctx, tx, func(a *posthorn.Attention) []any { return []any{&a.EndpointID, &a.AppID} }, endpointsRetrying, org, name)
	if err != nil {
		return nil, err
	}
	locks := make([]string, len(concerned))
	for i, c := range concerned {
		locks[i] = endpointLock(c.EndpointID)
	}
	if err := tx.lock(locks...); err != nil {
		return nil, err
	}
	for i := range concerned {
		concerned[i].Retime = new(string)
		if err := attend(ctx, tx, concerned[i]); err != nil {
			return nil, err
		}
	}
	return concerned, nil
}

// attendChange is attendType where the schedule is another one than before.
func attendChange(ctx context.Context, tx *Session, et *posthorn.EventType, before, after *posthorn.Schedule) ([]posthorn.Attention, error) {
	if sameSchedule(before, after) {
		return nil, nil
	}
	return attendType(ctx, tx, et.OrgID, et.Name)
}

// scheduleBefore is the schedule of an event type that may not be there.
func scheduleBefore(ctx context.Context, tx *Session, org, name string) (*posthorn.Schedule, error) {
	et, err := findEventType(ctx, tx, org, name)
	if posthorn.CodeOf(err) == posthorn.NotFound {
		return nil, nil
	}
	return et.RetrySchedule, err
}

// eventTypeChanged tells those who follow event types, before those who look after endpoints by their schedules.
func (s *Store) eventTypeChanged(org, name string, concerned []posthorn.Attention) {
	s.eventTypes.changed(org, name)
	for _, a := range concerned[:min(len(concerned), promptAttention)] {
		s.attentionNeeded(a.AppID, a.EndpointID)
	}
}

// endpointsRetrying probes one index for each endpoint of the organisation.
const endpointsRetrying = "SELECT e.id, e.app_id FROM application a CROSS JOIN endpoint e ON e.app_id = a.id AND e.deleted_at IS NULL" +
	" WHERE a.org_id = ? AND a.deleted_at IS NULL AND e.retry_schedule IS NULL" +
	" AND EXISTS (SELECT 1 FROM delivery d WHERE d.endpoint_id = e.id AND d.event_type = ? AND d.state = 'retrying')"

// retimes says that a change of schedule is at the beginning of its way; nil if there is no change.
func retimes(before, after *posthorn.Schedule) *string {
	if sameSchedule(before, after) {
		return nil
	}
	return new(string)
}

func sameSchedule(a, b *posthorn.Schedule) bool {
	if a == nil || b == nil {
		return a == b
	}
	return slices.Equal(*a, *b)
}
