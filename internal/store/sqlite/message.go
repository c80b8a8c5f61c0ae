package sqlite

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const (
	messageColumns = "id, app_id, event_id, event_type, channels, created_at, expires_at, tags, payload_version, variants, only_endpoint"
	payloadColumns = "payload, warnings"
	joinPayload    = " LEFT JOIN message_payload p ON p.message_seq = m.seq"
)

func messageFields(m *posthorn.Message) []any {
	return []any{
		&m.ID, &m.AppID, text{&m.EventID}, &m.EventType, jsonOf(&m.Channels), moment{&m.CreatedAt}, moment{&m.ExpiresAt},
		jsonOf(&m.Tags), text{&m.PayloadVersion}, versions{&m.Variants}, text{&m.OnlyEndpoint},
	}
}

func messageWithPayloadFields(m *posthorn.Message) []any {
	return append(messageFields(m), content{&m.Payload}, jsonOf(&m.Warnings))
}

// CreateMessage implements [store.Messages].
func (s *Store) CreateMessage(ctx context.Context, m posthorn.Message) (err error) {
	defer annotate(&err, "creating message %s", m.ID)
	return s.write(ctx, func(ctx context.Context, tx *statements) error {
		if err := insertMessage(ctx, tx, &m); err != nil {
			return err
		}
		_, err := tx.exec(ctx, "INSERT INTO undispatched (message_id) VALUES (?)", m.ID)
		return err
	})
}

// CreateManualMessage implements [store.Messages].
func (s *Store) CreateManualMessage(ctx context.Context, m posthorn.Message) (err error) {
	defer annotate(&err, "creating message %s", m.ID)
	return s.write(ctx, func(ctx context.Context, tx *statements) error { return insertMessage(ctx, tx, &m) })
}

func insertMessage(ctx context.Context, tx *statements, m *posthorn.Message) error {
	_, err := tx.exec(ctx,
		"INSERT INTO message ("+messageColumns+") VALUES ("+placeholders(messageColumns)+")", messageFields(m)...)
	if isDuplicate(err) {
		return posthorn.Errorf(posthorn.Conflict, "another message of the application has the event id %q", m.EventID)
	}
	if err != nil {
		return err
	}
	if err := insertPayload(ctx, tx, m); err != nil {
		return err
	}
	about := subject{m.EventType, labelsOf(m.Channels, m.Tags)}
	return about.label(ctx, tx, m.AppID, m.ID, nil, noStanding)
}

// Message implements [store.Messages].
func (s *Store) Message(ctx context.Context, appID, ref string) (m posthorn.Message, err error) {
	defer annotate(&err, "reading message %s", ref)
	return read(s, func(q *statements) (posthorn.Message, error) {
		m, err := byRef(posthorn.MessageID, ref, "event_id", func(column string) (posthorn.Message, error) {
			return one(ctx, q, messageWithPayloadFields,
				"SELECT "+of("m", messageColumns)+", "+of("p", payloadColumns)+" FROM message m"+joinPayload+
					" WHERE m.app_id = ? AND m."+column+" = ?", appID, ref)
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
	defer annotate(&err, "reading message %s", id)
	return read(s, func(q *statements) (posthorn.Message, error) {
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
	defer annotate(&err, "listing messages of %s", appID)
	fields := messageFields
	if f.WithPayload {
		fields = messageWithPayloadFields
	}
	ms, err = snapshot(ctx, s, func(on *statements) (ms store.List[posthorn.Message], err error) {
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
	return q
}

// Undispatched implements [store.Messages].
func (s *Store) Undispatched(ctx context.Context, after string, before time.Time, limit int) (ms []posthorn.Message, err error) {
	defer annotate(&err, "listing undispatched messages")
	return many(ctx, s, messageFields, undispatched(after, before, limit))
}

func undispatched(after string, before time.Time, limit int) *query {
	return newQuery("SELECT "+of("m", messageColumns)+
		" FROM undispatched u CROSS JOIN message m ON m.id = u.message_id WHERE u.message_id > ? AND u.message_id < ?"+
		" ORDER BY u.message_id LIMIT ?", after, store.Before(posthorn.MessageID, before), limit)
}

// IsUndispatched implements [store.Messages].
func (s *Store) IsUndispatched(ctx context.Context, id string) (is bool, err error) {
	defer annotate(&err, "asking whether message %s is undispatched", id)
	return read(s, func(q *statements) (is bool, err error) {
		err = q.row(ctx, []any{&is}, "SELECT EXISTS (SELECT 1 FROM undispatched WHERE message_id = ?)", id)
		return is, err
	})
}

// ExpungePayload implements [store.Messages]. To repeat it is no error.
func (s *Store) ExpungePayload(ctx context.Context, appID, ref string) (err error) {
	defer annotate(&err, "expunging the payload of message %s", ref)
	return s.write(ctx, func(ctx context.Context, tx *statements) error {
		seq, err := byRef(posthorn.MessageID, ref, "event_id", func(column string) (seq int64, err error) {
			err = tx.row(ctx, []any{&seq}, "SELECT seq FROM message WHERE app_id = ? AND "+column+" = ?", appID, ref)
			return seq, err
		})
		if err != nil {
			return notFound(err, "message %q", ref)
		}
		_, err = deletePayloads(ctx, tx, seq)
		return err
	})
}
