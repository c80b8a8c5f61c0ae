package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// Board implements [store.Limits].
func (s *Store) Board(ctx context.Context, b store.Boarding) (boarded store.Boarded, err error) {
	defer s.annotate(&err, "asking whether endpoint %s is free", b.EndpointID)
	locks := deliveryLocks(b.EndpointID, b.Delivery.MessageID)
	err = s.writeLocked(ctx, locks, func(ctx context.Context, tx *Session) error {
		boarded = store.Boarded{}
		most, free, err := freeFlights(ctx, tx, b.EndpointID, b.Now)
		if err != nil {
			return err
		}
		switch {
		case most == 0:
			boarded.OK = true
			return nil
		case free > 0:
			boarded.OK = true
			return fly(ctx, tx, b.EndpointID, b.Holder, b.Until)
		}
		kept, err := tx.Exec(ctx, "UPDATE flight SET until = ? WHERE endpoint_id = ? AND holder = ?", moment{&b.Until}, b.EndpointID, b.Holder)
		if err != nil || kept > 0 {
			boarded.OK = kept > 0
			return err
		}
		var waiting int
		err = tx.row(ctx, []any{&waiting}, "SELECT count(*) FROM (SELECT 1 FROM delivery WHERE endpoint_id = ? AND waits = ? AND "+IsOpen+" LIMIT ?) AS part",
			b.EndpointID, posthorn.WaitFlight, store.MaxCountedFlights)
		if err != nil {
			return err
		}
		boarded.Again = store.FlightAgain(b, waiting, most).UTC().Truncate(time.Microsecond) // as deliveries keep it
		return s.letWait(ctx, tx, b.AppID, b.EndpointID, b.Delivery, posthorn.WaitFlight, boarded.Again)
	})
	return boarded, err
}

// Land implements [store.Limits].
func (s *Store) Land(ctx context.Context, endpointID, holder string, now, until time.Time) (handed []posthorn.Delivery, err error) {
	defer s.annotate(&err, "noting that a request to endpoint %s is over", endpointID)
	err = s.writeLocked(ctx, []string{endpointLock(endpointID)}, func(ctx context.Context, tx *Session) error {
		handed = nil
		if _, err := tx.Exec(ctx, "DELETE FROM flight WHERE endpoint_id = ? AND holder = ?", endpointID, holder); err != nil {
			return err
		}
		_, free, err := freeFlights(ctx, tx, endpointID, now)
		if err != nil || free <= 0 {
			return err
		}
		found, err := tx.lockFound(ctx, func() ([]deliveryRow, error) {
			return all(ctx, tx, deliveryRowFields, waitingToFly, endpointID, posthorn.WaitFlight, free)
		})
		if err != nil {
			return err
		}
		for _, d := range found {
			if err := fly(ctx, tx, endpointID, d.MessageID, until); err != nil {
				return err
			}
		}
		handed, err = s.changeAll(ctx, tx, found, func(d *posthorn.Delivery) { d.NextAt = now.UTC().Truncate(time.Microsecond) })
		return err
	})
	return handed, err
}

const waitingToFly = "SELECT " + deliveryRowColumns + " FROM delivery WHERE endpoint_id = ? AND waits = ? AND " + IsOpen +
	" AND NOT EXISTS (SELECT 1 FROM flight WHERE flight.endpoint_id = delivery.endpoint_id AND holder = message_id)" +
	" ORDER BY message_id LIMIT ?"

// freeFlights drops what has expired, and returns an endpoint's limit and how much of it is free.
func freeFlights(ctx context.Context, tx *Session, endpointID string, now time.Time) (most, free int, err error) {
	if _, err := tx.Exec(ctx, "DELETE FROM flight WHERE endpoint_id = ? AND until <= ?", endpointID, moment{&now}); err != nil {
		return 0, 0, err
	}
	err = tx.row(ctx, []any{&most}, "SELECT max_in_flight FROM endpoint WHERE id = ?", endpointID)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, 0, err
	}
	var taken int
	if err := tx.row(ctx, []any{&taken}, "SELECT count(*) FROM flight WHERE endpoint_id = ?", endpointID); err != nil {
		return 0, 0, err
	}
	return most, most - taken, nil
}

func fly(ctx context.Context, tx *Session, endpointID, holder string, until time.Time) error {
	_, err := tx.Exec(ctx, "INSERT INTO flight (endpoint_id, holder, until) VALUES (?, ?, ?)"+
		" ON CONFLICT (endpoint_id, holder) DO UPDATE SET until = excluded.until", endpointID, holder, moment{&until})
	return err
}

// Stranded implements [store.Limits].
func (s *Store) Stranded(ctx context.Context, now time.Time, limit int) (ids []string, err error) {
	defer s.annotate(&err, "listing endpoints whose requests were lost")
	found, err := many(ctx, s, func(id *string) []any { return []any{id} }, stranded(now, limit))
	return distinct(found), err
}

func stranded(now time.Time, limit int) *query {
	return newQuery("SELECT endpoint_id FROM flight WHERE until < ? ORDER BY until LIMIT ?", moment{&now}, limit)
}
