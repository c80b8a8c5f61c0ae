package sqlite

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// Record implements [store.Deliveries]. Of one delivery, what began is recorded before the attempts, in their order, and
// what closes it after them. Attempts and closed deliveries of another message are an error.
func (s *Store) Record(ctx context.Context, r store.Record) (attempts []posthorn.Attempt, err error) {
	defer annotate(&err, "recording what happened to message %s", r.MessageID)
	if err := checkRecord(r); err != nil {
		return nil, err
	}
	attempts = slices.Clone(r.Attempts)
	err = s.write(ctx, func(ctx context.Context, tx *statements) error {
		rec := recording{ctx: ctx, tx: tx, fields: s.attemptRowFields}
		return rec.run(r, attempts, s.now())
	})
	if err != nil {
		return nil, err
	}
	return attempts, nil
}

func checkRecord(r store.Record) error {
	for _, a := range r.Attempts {
		if a.MessageID != r.MessageID {
			return fmt.Errorf("attempt %s is one of message %q", a.ID, a.MessageID)
		}
	}
	for _, d := range r.Closed {
		if d.MessageID != r.MessageID {
			return fmt.Errorf("the closed delivery to %s is one of message %q", d.EndpointID, d.MessageID)
		}
	}
	return nil
}

// recording is a Record on its way into the database: it reads the deliveries concerned, moves them on in memory, and
// saves those that changed. That is safe because nobody else writes meanwhile. The statements are plain ones: upserts and
// RETURNING make SQLite keep a journal of every page per statement, which doubled the time.
type recording struct {
	ctx        context.Context
	tx         *statements
	fields     func(*posthorn.Attempt) []any // of an attempt's row
	message    subject
	deliveries map[string]*deliveryRow // by endpoint
}

// deliveryRow is a delivery with what the vocabulary does not know of.
type deliveryRow struct {
	posthorn.Delivery
	newest         string                 // ID of the newest scheduled attempt
	eventType      string                 // the message's
	before         posthorn.DeliveryState // as it is stored
	exists, change bool
}

const deliveryRowColumns = deliveryColumns + ", newest, event_type"

func deliveryRowFields(d *deliveryRow) []any {
	return append(deliveryFields(&d.Delivery), &d.newest, &d.eventType)
}

// run sets the numbers of the attempts.
func (r *recording) run(rec store.Record, attempts []posthorn.Attempt, now time.Time) error {
	if err := r.load(rec); err != nil {
		return fmt.Errorf("deliveries so far: %w", err)
	}
	for _, endpoint := range rec.Pending {
		if d := r.deliveries[endpoint]; d.State == "" {
			d.State, d.change = posthorn.Pending, true
		}
	}
	for i := range attempts {
		if err := r.attempt(&attempts[i]); err != nil {
			return fmt.Errorf("attempt %s: %w", attempts[i].ID, err)
		}
	}
	for _, closed := range rec.Closed {
		d := r.deliveries[closed.EndpointID]
		d.change = store.Close(&d.Delivery, closed.State, closed.Reason) || d.change
	}
	for endpoint, d := range r.deliveries {
		if !d.change {
			continue
		}
		d.UpdatedAt = now
		if err := r.save(d); err != nil {
			return fmt.Errorf("delivery to %s: %w", endpoint, err)
		}
	}
	if rec.Dispatched {
		if _, err := r.tx.exec(r.ctx, "DELETE FROM undispatched WHERE message_id = ?", rec.MessageID); err != nil {
			return fmt.Errorf("end of the first round: %w", err)
		}
	}
	return nil
}

// load fills deliveries with all that the record concerns, also those that don't exist yet.
func (r *recording) load(rec store.Record) error {
	endpoints := slices.Clone(rec.Pending)
	for _, a := range rec.Attempts {
		endpoints = append(endpoints, a.EndpointID)
	}
	for _, d := range rec.Closed {
		endpoints = append(endpoints, d.EndpointID)
	}
	if len(endpoints) == 0 {
		return nil
	}
	if err := r.message.load(r.ctx, r.tx, rec.MessageID); err != nil {
		return err
	}
	found, err := all(r.ctx, r.tx, deliveryRowFields, "SELECT "+deliveryRowColumns+
		" FROM delivery WHERE message_id = ? AND endpoint_id IN (SELECT value FROM json_each(?))", rec.MessageID, jsonOf(&endpoints))
	if err != nil {
		return err
	}
	r.deliveries = make(map[string]*deliveryRow, len(endpoints))
	for _, d := range found {
		d.exists, d.before = true, d.State
		r.deliveries[d.EndpointID] = &d
	}
	for _, endpoint := range endpoints {
		if r.deliveries[endpoint] == nil {
			r.deliveries[endpoint] = &deliveryRow{
				Delivery:  posthorn.Delivery{MessageID: rec.MessageID, AppID: rec.AppID, EndpointID: endpoint},
				eventType: r.message.eventType,
			}
		}
	}
	return nil
}

func (r *recording) attempt(a *posthorn.Attempt) error {
	d := r.deliveries[a.EndpointID]
	a.Number = d.Attempts + 1
	inserted, err := r.tx.exec(r.ctx, "INSERT INTO attempt ("+attemptRowColumns+
		") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (message_id, id) DO NOTHING", r.fields(a)...)
	if err != nil {
		return err
	}
	if inserted == 0 {
		return r.tx.row(r.ctx, []any{&a.Number}, "SELECT number FROM attempt WHERE message_id = ? AND id = ?", a.MessageID, a.ID)
	}
	store.Advance(&d.Delivery, a)
	d.change = true
	if a.Trigger == posthorn.Automatic {
		d.newest = max(d.newest, a.ID)
	}
	if len(r.message.labels) == 0 {
		return nil
	}
	var row int64
	if err := r.tx.row(r.ctx, []any{&row}, "SELECT last_insert_rowid()"); err != nil {
		return err
	}
	return r.message.label(r.ctx, r.tx, a.EndpointID, a.ID, row, outcomeOf(a))
}

func (r *recording) save(d *deliveryRow) error {
	args := deliveryRowFields(d)
	if d.exists {
		_, err := r.tx.exec(r.ctx, "UPDATE delivery SET state = ?, reason = ?, attempts = ?, scheduled = ?, next_at = ?, updated_at = ?,"+
			" newest = ? WHERE message_id = ? AND endpoint_id = ?", append(args[3:len(args)-1], d.MessageID, d.EndpointID)...)
		if err != nil {
			return err
		}
		return r.message.move(r.ctx, r.tx, d.EndpointID, d.MessageID, d.before, d.State)
	}
	_, err := r.tx.exec(r.ctx,
		"INSERT INTO delivery ("+deliveryRowColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", args...)
	if err != nil {
		return err
	}
	return r.message.label(r.ctx, r.tx, d.EndpointID, d.MessageID, nil, d.State)
}
