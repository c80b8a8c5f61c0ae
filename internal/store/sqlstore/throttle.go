package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// instant is a time in nanoseconds, for columns that are never NULL. 0 stands for the zero time.
type instant struct{ p *time.Time }

func (c instant) Value() (driver.Value, error) {
	if c.p.IsZero() {
		return int64(0), nil
	}
	return c.p.UnixNano(), nil
}

func (c instant) Scan(src any) error {
	v, ok := src.(int64)
	if !ok {
		return fmt.Errorf("time column holds %T", src)
	}
	*c.p = time.Time{}
	if v != 0 {
		*c.p = time.Unix(0, v).UTC()
	}
	return nil
}

// ThrottleRate implements [store.Limits].
func (s *Store) ThrottleRate(ctx context.Context, appID string) (rate int, err error) {
	defer s.annotate(&err, "reading the limit of application %s", appID)
	return read(s, func(q *Session) (rate int, err error) {
		err = q.row(ctx, []any{&rate}, "SELECT throttle_rate FROM application WHERE id = ?", appID)
		if errors.Is(err, sql.ErrNoRows) {
			return 0, nil
		}
		return rate, err
	})
}

// pace is a limit with its row.
type pace struct {
	store.Pace
	owner  string
	exists bool
}

// paces reads the limits that an endpoint is under.
func paces(ctx context.Context, q *Session, appID, endpointID string) ([]pace, error) {
	owners := []pace{{owner: endpointID}, {owner: appID}}
	err := q.row(ctx, []any{&owners[0].Rate, &owners[1].Rate}, "SELECT coalesce((SELECT throttle_rate FROM endpoint WHERE id = ?), 0),"+
		" coalesce((SELECT throttle_rate FROM application WHERE id = ?), 0)", endpointID, appID)
	if err != nil {
		return nil, err
	}
	var limits []pace
	for _, p := range owners {
		if p.Rate == 0 {
			continue
		}
		err := q.row(ctx, []any{instant{&p.Queue}, instant{&p.Sent}, instant{&p.Since}},
			"SELECT queue, sent, since FROM throttle WHERE owner_id = ?", p.owner)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		p.exists = err == nil
		limits = append(limits, p)
	}
	return limits, nil
}

func (p *pace) save(ctx context.Context, tx *Session) error {
	text := "INSERT INTO throttle (queue, sent, since, owner_id) VALUES (?, ?, ?, ?)"
	if p.exists {
		text = "UPDATE throttle SET queue = ?, sent = ?, since = ? WHERE owner_id = ?"
	}
	_, err := tx.Exec(ctx, text, instant{&p.Queue}, instant{&p.Sent}, instant{&p.Since}, p.owner)
	return err
}

// TakeTurn implements [store.Limits].
func (s *Store) TakeTurn(ctx context.Context, t store.Turn) (turned store.Turned, err error) {
	defer s.annotate(&err, "taking a turn at endpoint %s", t.EndpointID)
	locks := deliveryLocks(t.EndpointID, t.Delivery.MessageID)
	err = s.writeLocked(ctx, locks, func(ctx context.Context, tx *Session) error {
		limits, err := paces(ctx, tx, t.AppID, t.EndpointID)
		if err != nil {
			return err
		}
		for _, p := range limits {
			if p.owner == t.AppID {
				if err := tx.lock(applicationLock(t.AppID)); err != nil {
					return err
				}
			}
		}
		before := make([]store.Pace, len(limits))
		taking := make([]*store.Pace, len(limits))
		for i := range limits {
			before[i], taking[i] = limits[i].Pace, &limits[i].Pace
		}
		turned.At, turned.Granted = store.TakeTurn(taking, t.Now, t.Due, t.Patience)
		turned.At = turned.At.UTC().Truncate(time.Microsecond) // as deliveries keep it
		for i := range limits {
			if limits[i].Pace != before[i] {
				if err := limits[i].save(ctx, tx); err != nil {
					return err
				}
			}
		}
		// A turn that is yet to come stays as it is on record, with the time at which it was given out.
		if turned.Granted || t.Due.Equal(turned.At) {
			return nil
		}
		return s.letWait(ctx, tx, t.AppID, t.EndpointID, t.Delivery, posthorn.WaitThrottle, turned.At)
	})
	return turned, err
}

// letWait has a delivery wait; nothing if it names no message.
func (s *Store) letWait(
	ctx context.Context, tx *Session, appID, endpointID string, d posthorn.Delivery, waits posthorn.Wait, until time.Time,
) error {
	if d.MessageID == "" {
		return nil
	}
	d.AppID, d.EndpointID, d.Waits, d.NextAt = appID, endpointID, waits, until
	rec := recording{ctx: ctx, tx: tx, store: s, failing: s.failing}
	return rec.run(store.Record{MessageID: d.MessageID, AppID: appID, Waiting: []posthorn.Delivery{d}}, nil, s.now())
}

// Throttled implements [store.Limits].
func (s *Store) Throttled(ctx context.Context, appID, endpointID string, now time.Time) (since time.Time, err error) {
	defer s.annotate(&err, "reading how far endpoint %s is behind", endpointID)
	return read(s, func(q *Session) (time.Time, error) {
		limits, err := paces(ctx, q, appID, endpointID)
		for _, p := range limits {
			if began := p.Throttled(now); !began.IsZero() && (since.IsZero() || began.Before(since)) {
				since = began
			}
		}
		return since, err
	})
}

// resetThrottle makes void the turns that were given out under limits which a condition names.
func (s *Store) resetThrottle(ctx context.Context, tx *Session, condition string, args ...any) error {
	now := s.now()
	_, err := tx.Exec(ctx, "UPDATE throttle SET queue = sent, since = 0, reset_at = ? WHERE "+condition, append([]any{moment{&now}}, args...)...)
	return err
}

// resetThrottles does so for an application and its endpoints, whose messages are all in its queue. It returns the
// endpoints that need attention because of it.
func (s *Store) resetThrottles(ctx context.Context, tx *Session, appID string) ([]string, error) {
	err := s.resetThrottle(ctx, tx, "owner_id = ? OR owner_id IN (SELECT id FROM endpoint WHERE app_id = ? AND deleted_at IS NULL)", appID, appID)
	if err != nil {
		return nil, err
	}
	throttled, err := all(ctx, tx, func(id *string) []any { return []any{id} }, "SELECT id FROM endpoint WHERE app_id = ? AND deleted_at IS NULL"+
		" AND EXISTS (SELECT 1 FROM delivery WHERE endpoint_id = endpoint.id AND waits = ? AND "+IsOpen+")", appID, posthorn.WaitThrottle)
	if err != nil {
		return nil, err
	}
	for _, id := range throttled {
		if err := attend(ctx, tx, posthorn.Attention{EndpointID: id, AppID: appID}); err != nil {
			return nil, err
		}
	}
	return throttled, nil
}

// ReleaseMistimed implements [store.Limits].
func (s *Store) ReleaseMistimed(
	ctx context.Context, appID, endpointID, after string, due time.Time, limit int,
) (released []posthorn.Delivery, err error) {
	defer s.annotate(&err, "releasing what waits for a turn at endpoint %s", endpointID)
	err = s.write(ctx, func(ctx context.Context, tx *Session) error {
		found, err := all(ctx, tx, deliveryRowFields, mistimed, endpointID, posthorn.WaitThrottle, after, endpointID, appID, limit)
		if err != nil {
			return err
		}
		released, err = s.changeAll(ctx, tx, found, func(d *posthorn.Delivery) { store.Release(d, due) })
		return err
	})
	return released, err
}

const mistimed = "SELECT " + deliveryRowColumns + " FROM delivery WHERE endpoint_id = ? AND waits = ? AND message_id > ? AND " + IsOpen +
	" AND updated_at <= (SELECT max(reset_at) FROM throttle WHERE owner_id IN (?, ?)) ORDER BY message_id LIMIT ?"
