package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/fair"
	"github.com/posthorn/posthorn/internal/store"
)

// largeRecord is how many deliveries make a record a large one, about 2 ms of work. Only a few of them share a commit, because all
// who write wait for the whole of it; and applications take turns with them.
const largeRecord = 20

// Record implements [store.Deliveries]. Of one delivery, what began is recorded before the attempts, in their order, and
// what waits or closes it after them. Attempts and closed deliveries of another message are an error.
func (s *Store) Record(ctx context.Context, r store.Record) (attempts []posthorn.Attempt, err error) {
	defer s.annotate(&err, "recording what happened to message %s", r.MessageID)
	if err := checkRecord(r); err != nil {
		return nil, err
	}
	if rows := len(r.Attempts) + len(r.Waiting) + len(r.Pending) + len(r.Closed); rows >= largeRecord {
		leave, err := s.large.Enter(ctx, r.AppID, fair.Finishing)
		if err != nil {
			return nil, err
		}
		defer leave()
	}
	attempts = slices.Clone(r.Attempts)
	var after effects
	var released []posthorn.Delivery
	err = s.writeLocked(ctx, recordLocks(&r), func(ctx context.Context, tx *Session) error {
		rec := recording{ctx: ctx, tx: tx, store: s, fields: s.attemptRowFields, rules: r.Rules, failing: s.failing}
		err := rec.run(r, attempts, s.now())
		after, released = rec.after, rec.released
		return err
	})
	if err != nil {
		return nil, err
	}
	s.passOn(after)
	s.announce(released)
	return attempts, nil
}

func checkRecord(r store.Record) error {
	for _, a := range r.Attempts {
		if a.MessageID != r.MessageID {
			return fmt.Errorf("attempt %s is one of message %q", a.ID, a.MessageID)
		}
	}
	for _, d := range r.Waiting {
		if d.MessageID != r.MessageID {
			return fmt.Errorf("the waiting delivery to %s is one of message %q", d.EndpointID, d.MessageID)
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
// saves those that changed. That is safe because it holds the message's lock. The statements are plain ones: upserts and
// RETURNING make SQLite keep a journal of every page per statement, which doubled the time.
type recording struct {
	ctx        context.Context
	tx         *Session
	fields     func(*posthorn.Attempt) []any // of an attempt's row
	rules      posthorn.HealthRules
	now        time.Time
	failing    failing // those of the endpoints that may have failed since their last success
	after      effects
	message    subject
	deliveries map[string]*deliveryRow // by endpoint
	released   []posthorn.Delivery     // other deliveries, which were next in order

	store *Store
	app   *posthorn.Application // the message's; nil until there is something to tell
	to    audience              // who is told then
}

// deliveryRow is a delivery with what the vocabulary does not know of.
type deliveryRow struct {
	posthorn.Delivery
	newest         string                 // ID of the newest scheduled attempt
	eventType      string                 // the message's
	orderingKey    *string                // the message's if the endpoint is ordered
	before         posthorn.DeliveryState // as it is stored
	exists, change bool
}

const deliveryRowColumns = deliveryColumns + ", newest, event_type, ordering_key"

func deliveryRowFields(d *deliveryRow) []any {
	return append(deliveryFields(&d.Delivery), &d.newest, &d.eventType, &d.orderingKey)
}

// run sets the numbers of the attempts.
func (r *recording) run(rec store.Record, attempts []posthorn.Attempt, now time.Time) error {
	r.now = now
	if err := r.load(rec); err != nil {
		return fmt.Errorf("deliveries so far: %w", err)
	}
	if r.message.cancelled {
		r.cancelOpen()
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
	for _, waiting := range rec.Waiting {
		d := r.deliveries[waiting.EndpointID]
		d.change = store.Wait(&d.Delivery, waiting) || d.change
		attended, err := attendWaiting(r.ctx, r.tx, &d.Delivery)
		if err != nil {
			return fmt.Errorf("whether endpoint %s needs attention: %w", waiting.EndpointID, err)
		}
		if attended {
			r.after.attention = append(r.after.attention, posthorn.Attention{EndpointID: d.EndpointID, AppID: d.AppID})
		}
	}
	for _, closed := range rec.Closed {
		d := r.deliveries[closed.EndpointID]
		before := d.State
		d.change = store.Close(&d.Delivery, closed.State, closed.Reason) || d.change
		if event := store.Alarm(&d.Delivery, before, nil); event != "" {
			if err := r.alarm(event, d, nil); err != nil {
				return fmt.Errorf("notice of the end of the delivery to %s: %w", closed.EndpointID, err)
			}
		}
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
		if err := dispatch(r.ctx, r.tx, rec.MessageID); err != nil {
			return fmt.Errorf("end of the first round: %w", err)
		}
	}
	return nil
}

// cancelOpen ends the deliveries of a message that is cancelled, before they begin. An attempt that was in flight when it
// was can still deliver it.
func (r *recording) cancelOpen() {
	for _, d := range r.deliveries {
		if !d.State.Ended() {
			d.change = store.Close(&d.Delivery, posthorn.Cancelled, posthorn.MessageCancelled)
		}
	}
}

// load fills deliveries with all that the record concerns, also those that don't exist yet.
func (r *recording) load(rec store.Record) error {
	endpoints := slices.Clone(rec.Pending)
	for _, a := range rec.Attempts {
		endpoints = append(endpoints, a.EndpointID)
	}
	for _, d := range rec.Waiting {
		endpoints = append(endpoints, d.EndpointID)
	}
	for _, d := range rec.Closed {
		endpoints = append(endpoints, d.EndpointID)
	}
	if len(endpoints) == 0 {
		return nil
	}
	if err := r.message.load(r.ctx, r.tx, rec.MessageID); err != nil {
		return notFound(err, "message %q", rec.MessageID)
	}
	found, err := all(r.ctx, r.tx, deliveryRowFields, "SELECT "+deliveryRowColumns+
		" FROM delivery WHERE message_id = ? AND endpoint_id IN (SELECT value FROM json_each(?))", rec.MessageID, jsonOf(&endpoints))
	if err != nil {
		return err
	}
	if r.store != nil && r.store.dialect.Shared {
		if err := r.loadFailing(rec.Attempts); err != nil {
			return err
		}
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
			if slices.Contains(rec.Ordered, endpoint) {
				r.deliveries[endpoint].orderingKey = &r.message.orderingKey
			}
		}
	}
	return nil
}

func (r *recording) attempt(a *posthorn.Attempt) error {
	d := r.deliveries[a.EndpointID]
	a.Number = d.Attempts + 1
	if d.State == posthorn.Cancelled {
		a.NextAt = time.Time{}
	}
	inserted, err := r.tx.insertNumbered(r.ctx, "attempt", attemptRowColumns, " ON CONFLICT (message_id, id) DO NOTHING", r.fields(a))
	if err != nil {
		return err
	}
	if !inserted {
		return r.tx.row(r.ctx, []any{&a.Number}, "SELECT number FROM attempt WHERE message_id = ? AND id = ?", a.MessageID, a.ID)
	}
	row := r.tx.tx.Last()
	if err := r.health(a, a.Trigger == posthorn.Automatic && d.Scheduled == 0); err != nil {
		return fmt.Errorf("health of endpoint %s: %w", a.EndpointID, err)
	}
	before := d.State
	store.Advance(&d.Delivery, a)
	d.change = true
	if a.Trigger == posthorn.Automatic {
		d.newest = max(d.newest, a.ID)
	}
	if event := store.Alarm(&d.Delivery, before, a); event != "" {
		if err := r.alarm(event, d, a); err != nil {
			return fmt.Errorf("notice: %w", err)
		}
	}
	if len(r.message.labels) == 0 {
		return nil
	}
	return r.message.label(r.ctx, r.tx, a.EndpointID, a.ID, row, outcomeOf(a))
}

// save stores a delivery. If it has ended, the next in its order goes on in the same commit.
func (r *recording) save(d *deliveryRow) error {
	if err := r.put(d); err != nil || d.orderingKey == nil || !d.State.Ended() {
		return err
	}
	return r.unblock(d.EndpointID, *d.orderingKey, d.UpdatedAt)
}

func (r *recording) put(d *deliveryRow) error {
	args := deliveryRowFields(d)
	if d.exists {
		err := r.tx.post(r.ctx, "UPDATE delivery SET state = ?, reason = ?, attempts = ?, scheduled = ?, next_at = ?, updated_at = ?,"+
			" waits = ?, released_at = ?, alarmed = ?, parked = ?, newest = ? WHERE message_id = ? AND endpoint_id = ?", append(args[3:len(args)-2], d.MessageID, d.EndpointID)...)
		if err != nil {
			return err
		}
		return r.message.move(r.ctx, r.tx, d.EndpointID, d.MessageID, d.before, d.State)
	}
	err := r.tx.post(r.ctx,
		"INSERT INTO delivery ("+deliveryRowColumns+") VALUES ("+placeholders(deliveryRowColumns)+")", args...)
	if err != nil {
		return err
	}
	return r.message.label(r.ctx, r.tx, d.EndpointID, d.MessageID, nil, d.State)
}
