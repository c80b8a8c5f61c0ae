package sqlstore

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const (
	messageColumns = "id, app_id, event_id, event_type, channels, created_at, expires_at, tags, payload_version, variants, only_endpoint, " +
		"ordering_key, deliver_at, deliver_before, cancelled_at"
	payloadColumns = "payload, warnings"
	joinPayload    = " LEFT JOIN message_payload p ON p.message_seq = m.seq"
)

func messageFields(m *posthorn.Message) []any {
	return []any{
		&m.ID, &m.AppID, text{&m.EventID}, &m.EventType, jsonOf(&m.Channels), moment{&m.CreatedAt}, moment{&m.ExpiresAt},
		jsonOf(&m.Tags), text{&m.PayloadVersion}, versions{&m.Variants}, text{&m.OnlyEndpoint}, text{&m.OrderingKey},
		moment{&m.DeliverAt}, moment{&m.DeliverBefore}, moment{&m.CancelledAt},
	}
}

func messageWithPayloadFields(m *posthorn.Message) []any {
	return append(messageFields(m), content{&m.Payload}, jsonOf(&m.Warnings))
}

// CreateMessage implements [store.Messages].
func (s *Store) CreateMessage(ctx context.Context, m posthorn.Message) (err error) {
	defer s.annotate(&err, "creating message %s", m.ID)
	return s.writeLocked(ctx, eventLocks(m), func(ctx context.Context, tx *Session) error {
		return insertUndispatched(ctx, tx, &m)
	})
}

func insertUndispatched(ctx context.Context, tx *Session, m *posthorn.Message) error {
	if err := insertMessage(ctx, tx, m); err != nil {
		return err
	}
	return tx.post(ctx, "INSERT INTO undispatched (message_id) VALUES (?)", m.ID)
}

// CreateManualMessage implements [store.Messages].
func (s *Store) CreateManualMessage(ctx context.Context, m posthorn.Message) (err error) {
	defer s.annotate(&err, "creating message %s", m.ID)
	return s.writeLocked(ctx, eventLocks(m), func(ctx context.Context, tx *Session) error { return insertMessage(ctx, tx, &m) })
}

func insertMessage(ctx context.Context, tx *Session, m *posthorn.Message) error {
	inserted, err := tx.insertNumbered(ctx, "message", messageColumns, "", messageFields(m))
	if err != nil {
		return err
	}
	if !inserted {
		return posthorn.Errorf(posthorn.Conflict, "another message of the application has the event id %q", m.EventID)
	}
	if err := tx.tx.Routed(ctx, m.AppID, false); err != nil {
		return err
	}
	if err := insertPayload(ctx, tx, m); err != nil {
		return err
	}
	about := subject{eventType: m.EventType, labels: labelsOf(m.Channels, m.Tags)}
	return about.label(ctx, tx, m.AppID, m.ID, nil, noStanding)
}

// Message implements [store.Messages].
func (s *Store) Message(ctx context.Context, appID, ref string) (m posthorn.Message, err error) {
	defer s.annotate(&err, "reading message %s", ref)
	return read(s, func(q *Session) (posthorn.Message, error) {
		m, err := messageByRef(ctx, q, appID, ref, func(id string) (posthorn.Message, error) {
			return one(ctx, q, messageWithPayloadFields,
				"SELECT "+of("m", messageColumns)+", "+of("p", payloadColumns)+" FROM message m"+joinPayload+" WHERE m.app_id = ? AND m.id = ?", appID, id)
		})
		if err != nil {
			return m, notFound(err, "message %q", ref)
		}
		m.Expire(s.now())
		return m, readVariants(ctx, q, &m)
	})
}

// MessageByID implements [store.Messages].
func (s *Store) MessageByID(ctx context.Context, id string) (m posthorn.Message, err error) {
	defer s.annotate(&err, "reading message %s", id)
	return read(s, func(q *Session) (posthorn.Message, error) {
		m, err := one(ctx, q, messageWithPayloadFields,
			"SELECT "+of("m", messageColumns)+", "+of("p", payloadColumns)+" FROM message m"+joinPayload+" WHERE m.id = ?", id)
		if err != nil {
			return m, notFound(err, "message %q", id)
		}
		m.Expire(s.now())
		return m, readVariants(ctx, q, &m)
	})
}

// ListMessages implements [store.Messages].
func (s *Store) ListMessages(
	ctx context.Context, appID string, f store.MessageFilter, page store.Page,
) (ms store.List[posthorn.Message], err error) {
	defer s.annotate(&err, "listing messages of %s", appID)
	fields := messageFields
	if f.WithPayload {
		fields = messageWithPayloadFields
	}
	ms, err = snapshot(ctx, s, func(on *Session) (ms store.List[posthorn.Message], err error) {
		found, err := findKeys(ctx, on, messageShelf(appID, f), wanted{eventTypes: distinct(f.EventTypes)}, posthorn.MessageID, f.Window, page)
		if err != nil {
			return ms, err
		}
		return readKeyed(ctx, on, fields, func(m *posthorn.Message) string { return m.ID }, page, messagesByID(found, f.WithPayload))
	})
	for i := range ms.Items {
		ms.Items[i].Expire(s.now())
	}
	return ms, err
}

func messagesByID(keys []key, withPayload bool) *query {
	q := newQuery("SELECT " + of("m", messageColumns))
	join := " FROM json_each(?) k CROSS JOIN message m ON m.id = k.value"
	if withPayload {
		q.add(", " + of("p", payloadColumns))
		join += joinPayload
	}
	q.add(join, ids(keys))
	return q.among("m.id", keys)
}

// Undispatched implements [store.Messages].
func (s *Store) Undispatched(ctx context.Context, after string, before time.Time, limit int) (ms []posthorn.Message, err error) {
	defer s.annotate(&err, "listing undispatched messages")
	return many(ctx, s, messageFields, undispatched(after, before, limit))
}

func undispatched(after string, before time.Time, limit int) *query {
	return newQuery("SELECT "+of("m", messageColumns)+
		" FROM undispatched u CROSS JOIN message m ON m.id = u.message_id WHERE u.message_id > ? AND u.message_id < ?"+
		" ORDER BY u.message_id LIMIT ?", after, store.Before(posthorn.MessageID, before), limit)
}

// IsUndispatched implements [store.Messages].
func (s *Store) IsUndispatched(ctx context.Context, id string) (is bool, err error) {
	defer s.annotate(&err, "asking whether message %s is undispatched", id)
	return read(s, func(q *Session) (is bool, err error) {
		err = q.row(ctx, []any{&is}, "SELECT EXISTS (SELECT 1 FROM undispatched WHERE message_id = ?)", id)
		return is, err
	})
}

// ExpungePayload implements [store.Messages]. To repeat it is no error.
func (s *Store) ExpungePayload(ctx context.Context, appID, ref string) (err error) {
	defer s.annotate(&err, "expunging the payload of message %s", ref)
	return s.write(ctx, func(ctx context.Context, tx *Session) error {
		key, err := messageByRef(ctx, tx, appID, ref, func(id string) (key any, err error) {
			err = tx.row(ctx, []any{payloadKey{&key}}, "SELECT p.message_seq FROM message m"+joinPayload+" WHERE m.app_id = ? AND m.id = ?", appID, id)
			return key, err
		})
		if err != nil || key == nil {
			return notFound(err, "message %q", ref)
		}
		if err := tx.lock(removalLock); err != nil {
			return err
		}
		_, err = deletePayloads(ctx, tx, key)
		return err
	})
}
