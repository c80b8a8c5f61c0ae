package sqlite

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const (
	messageColumns = "id, app_id, event_id, event_type, channels, created_at, expires_at"
	joinPayload    = " LEFT JOIN message_payload p ON p.message_seq = m.seq"
)

func messageFields(m *posthorn.Message) []any {
	return []any{
		&m.ID, &m.AppID, text{&m.EventID}, &m.EventType, jsonOf(&m.Channels), moment{&m.CreatedAt}, moment{&m.ExpiresAt},
	}
}

func messageWithPayloadFields(m *posthorn.Message) []any {
	return append(messageFields(m), content{&m.Payload})
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

func insertMessage(ctx context.Context, tx *statements, m *posthorn.Message) error {
	_, err := tx.exec(ctx,
		"INSERT INTO message ("+messageColumns+") VALUES (?, ?, ?, ?, ?, ?, ?)", messageFields(m)...)
	if isDuplicate(err) {
		return posthorn.Errorf(posthorn.Conflict, "another message of the application has the event id %q", m.EventID)
	}
	if err != nil {
		return err
	}
	if m.Payload != nil {
		if _, err := tx.exec(ctx,
			"INSERT INTO message_payload (message_seq, payload) VALUES (last_insert_rowid(), ?)", m.Payload); err != nil {
			return err
		}
	}
	return nil
}

// Message implements [store.Messages].
func (s *Store) Message(ctx context.Context, appID, ref string) (m posthorn.Message, err error) {
	defer annotate(&err, "reading message %s", ref)
	return read(s, func(q *statements) (posthorn.Message, error) {
		m, err := byRef(posthorn.MessageID, ref, "event_id", func(column string) (posthorn.Message, error) {
			return one(ctx, q, messageWithPayloadFields,
				"SELECT "+of("m", messageColumns)+", p.payload FROM message m"+joinPayload+
					" WHERE m.app_id = ? AND m."+column+" = ?", appID, ref)
		})
		return m, notFound(err, "message %q", ref)
	})
}

// MessageByID implements [store.Messages].
func (s *Store) MessageByID(ctx context.Context, id string) (m posthorn.Message, err error) {
	defer annotate(&err, "reading message %s", id)
	return read(s, func(q *statements) (posthorn.Message, error) {
		m, err := one(ctx, q, messageWithPayloadFields,
			"SELECT "+of("m", messageColumns)+", p.payload FROM message m"+joinPayload+" WHERE m.id = ?", id)
		return m, notFound(err, "message %q", id)
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
	return list(ctx, s, fields, page, listMessages(appID, f, page))
}

func listMessages(appID string, f store.MessageFilter, page store.Page) *query {
	q := newQuery("SELECT " + of("m", messageColumns))
	if f.WithPayload {
		q.add(", p.payload FROM message m" + joinPayload)
	} else {
		q.add(" FROM message m")
	}
	q.where("m.app_id = ?", appID)
	q.messages("m.id", f)
	return q.page("m.id", page)
}

// messages narrows by a filter on the message m, whose ID is the key column.
func (q *query) messages(key string, f store.MessageFilter) {
	q.window(key, posthorn.MessageID, f.Window)
	in(q, "m.event_type", f.EventTypes)
	if f.Channel != "" {
		q.where("EXISTS (SELECT 1 FROM json_each(m.channels) c WHERE c.value = ?)", f.Channel)
	}
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
		_, err = tx.exec(ctx, "DELETE FROM message_payload WHERE message_seq = ?", seq)
		return err
	})
}
