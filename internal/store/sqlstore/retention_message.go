package sqlstore

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// removeMessages is how many messages one transaction looks at. With one delivery and attempt each, that is a portion.
const removeMessages = removeRows / 3

// oldMessage is one that may have been kept long enough.
type oldMessage struct {
	payload  any // its key
	id, app  string
	payloads int64 // bytes of the payload in all versions
	kept     bool  // it is not over yet
	labelled
}

func oldMessageFields(m *oldMessage) []any {
	return append([]any{payloadKey{&m.payload}, &m.id, &m.app, &m.payloads, &m.kept}, labelledFields(&m.labelled)...)
}

func oldMessages(from, end string) *query {
	return newQuery("SELECT p.message_seq, m.id, m.app_id, coalesce(octet_length(p.payload), 0)"+
		" + coalesce((SELECT sum(octet_length(v.payload)) FROM message_variant v WHERE v.message_seq = m.seq), 0),"+
		" EXISTS (SELECT 1 FROM undispatched u WHERE u.message_id = m.id)"+
		" OR EXISTS (SELECT 1 FROM scheduled s WHERE s.message_id = m.id)"+
		" OR EXISTS (SELECT 1 FROM delivery d WHERE d.message_id = m.id AND d."+IsOpen+"), "+of("m", labelledColumns)+
		" FROM message m"+joinPayload+" WHERE m.id > ? AND m.id < ? ORDER BY m.id LIMIT ?", from, end, removeMessages)
}

// RemoveMessages implements [store.Retention].
func (s *Store) RemoveMessages(ctx context.Context, before time.Time, from string) (store.Removed, error) {
	return s.RemoveMessagesBetween(ctx, from, store.Before(posthorn.MessageID, before))
}

// RemoveMessagesBetween is RemoveMessages for the messages behind one ID and before another.
func (s *Store) RemoveMessagesBetween(ctx context.Context, from, end string) (r store.Removed, err error) {
	defer s.annotate(&err, "removing old messages")
	err = s.writeLocked(ctx, []string{removalLock}, func(ctx context.Context, tx *Session) error {
		r = store.Removed{Next: from}
		q := oldMessages(from, end)
		found, err := all(ctx, tx, oldMessageFields, q.text.String(), q.args...)
		if err != nil {
			return err
		}
		over := removal{ctx: ctx, tx: tx, portion: newPortion()}
		for _, m := range found {
			if !m.kept {
				over.messages = append(over.messages, m)
				over.ids = append(over.ids, m.id)
			}
		}
		if err := tx.lock(messageLocks(over.ids, func(id *string) string { return *id })...); err != nil {
			return err
		}
		r.Items, err = over.run()
		switch {
		case err != nil:
		case r.Items == len(over.messages):
			r.Done = len(found) < removeMessages
			if len(found) > 0 {
				r.Next = found[len(found)-1].id
			}
		case r.Items > 0:
			r.Next = over.ids[r.Items-1]
		}
		return err
	})
	return r, err
}

// removal is one step on the way of messages out of the database: first their attempts, then their deliveries, then they
// themselves, as far as a portion goes.
type removal struct {
	ctx      context.Context
	tx       *Session
	portion  *portion
	messages []oldMessage
	ids      []string // theirs
}

// run returns how many of the messages, the first ones, are gone.
func (r *removal) run() (gone int, err error) {
	for _, step := range []func() (done bool, err error){r.attempts, r.deliveries} {
		if done, err := step(); !done || err != nil {
			return 0, err
		}
	}
	gone = len(cut(r.portion, r.messages, func(m *oldMessage) (int, int64) { return 1 + len(m.subject().labels), m.payloads }))
	var payloads []any
	for i := range gone {
		m := &r.messages[i]
		if m.payload != nil {
			payloads = append(payloads, m.payload)
		}
		if err := m.subject().unlabel(r.ctx, r.tx, m.app, m.id, noStanding); err != nil {
			return 0, err
		}
	}
	if _, err := deletePayloads(r.ctx, r.tx, payloads...); err != nil {
		return 0, err
	}
	ids := r.ids[:gone]
	_, err = r.tx.Exec(r.ctx, "DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))", jsonOf(&ids))
	return gone, err
}

// part is an attempt or a delivery of one of the messages.
type part struct {
	message      string
	seq          int64
	id, endpoint string
	standing     any
	bytes        int64
}

func partFields(p *part) []any {
	return []any{&p.message, &p.seq, &p.id, &p.endpoint, standing{&p.standing}, &p.bytes}
}

// parts finds what the portion has room for, takes the labels from it, and reports whether that is all there is.
func (r *removal) parts(q string) (taken []part, done bool, err error) {
	found, err := all(r.ctx, r.tx, partFields, q, jsonOf(&r.ids), max(r.portion.rows, 0)+1)
	if err != nil {
		return nil, false, err
	}
	subjects := make(map[string]*subject, len(r.messages))
	for i := range r.messages {
		subjects[r.messages[i].id] = r.messages[i].subject()
	}
	taken = cut(r.portion, found, func(p *part) (int, int64) { return 1 + len(subjects[p.message].labels), p.bytes })
	for _, p := range taken {
		if err := subjects[p.message].unlabel(r.ctx, r.tx, p.endpoint, p.id, p.standing); err != nil {
			return nil, false, err
		}
	}
	return taken, len(taken) == len(found), nil
}

const attemptsOfMessages = "SELECT a.message_id, a.seq, a.id, a.endpoint_id, a.outcome, " + attemptBytes +
	" FROM attempt a WHERE a.message_id IN (SELECT value FROM json_each(?)) LIMIT ?"

func (r *removal) attempts() (done bool, err error) {
	taken, done, err := r.parts(attemptsOfMessages)
	if err != nil {
		return false, err
	}
	gone := make([]key, len(taken))
	for i, p := range taken {
		gone[i] = key{p.id, p.seq}
	}
	return done, deleteAttempts(r.ctx, r.tx, gone)
}

const deliveriesOfMessages = "SELECT d.message_id, 0, d.message_id, d.endpoint_id, d.state, 0" +
	" FROM delivery d WHERE d.message_id IN (SELECT value FROM json_each(?)) LIMIT ?"

// deleteDeliveries names the messages too, which tell where the deliveries are.
const deleteDeliveries = "DELETE FROM delivery WHERE message_id IN (SELECT value FROM json_each(?)) AND (message_id, endpoint_id) IN (SELECT value ->> 0, value ->> 1 FROM json_each(?))"

func (r *removal) deliveries() (done bool, err error) {
	taken, done, err := r.parts(deliveriesOfMessages)
	if err != nil {
		return false, err
	}
	keys := make([][2]string, len(taken))
	for i, p := range taken {
		keys[i] = [2]string{p.id, p.endpoint}
	}
	_, err = r.tx.Exec(r.ctx, deleteDeliveries, jsonOf(&r.ids), jsonOf(&keys))
	return done, err
}

func deleteAttempts(ctx context.Context, tx *Session, gone []key) error {
	first, last := idSpan(gone)
	_, err := tx.Exec(ctx, "DELETE FROM attempt WHERE seq IN (SELECT CAST(value AS BIGINT) FROM json_each(?)) AND id >= ? AND id <= ?", rows(gone), first, last)
	return err
}
