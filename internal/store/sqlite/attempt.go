package sqlite

import (
	"context"
	"errors"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const attemptColumns = "id, message_id, endpoint_id, app_id, event_type, trigger, url, started_at, duration, success, status, " +
	"truncated, error_class, message, next_at, header, body, number"

func attemptFields(a *posthorn.Attempt) []any {
	return []any{
		&a.ID, &a.MessageID, &a.EndpointID, &a.AppID, &a.EventType, &a.Trigger, &a.URL, moment{&a.StartedAt},
		span{&a.Duration}, &a.Success, &a.Status, &a.Truncated, &a.ErrorClass, &a.Message, moment{&a.NextAt},
		jsonOf(&a.Header), &a.Body, &a.Number,
	}
}

// attemptRowColumns are all of an attempt: lists leave the header that was sent out.
const attemptRowColumns = attemptColumns + ", sent"

func attemptRowFields(a *posthorn.Attempt) []any { return append(attemptFields(a), sentHeader{a}) }

// Attempt implements [store.Deliveries].
func (s *Store) Attempt(ctx context.Context, messageID, attemptID string) (a posthorn.Attempt, err error) {
	defer annotate(&err, "reading attempt %s", attemptID)
	return read(s, func(q *statements) (posthorn.Attempt, error) {
		a, err := one(ctx, q, attemptRowFields,
			"SELECT "+attemptRowColumns+" FROM attempt WHERE message_id = ? AND id = ?", messageID, attemptID)
		return a, notFound(err, "attempt %q", attemptID)
	})
}

// LastAttempt implements [store.Deliveries].
func (s *Store) LastAttempt(ctx context.Context, messageID, endpointID string) (a posthorn.Attempt, err error) {
	defer annotate(&err, "reading the last attempt of %s at %s", messageID, endpointID)
	return read(s, func(q *statements) (posthorn.Attempt, error) {
		a, err := one(ctx, q, attemptFields, "SELECT "+of("a", attemptColumns)+
			" FROM delivery d CROSS JOIN attempt a ON a.message_id = d.message_id AND a.id = d.newest"+
			" WHERE d.message_id = ? AND d.endpoint_id = ?", messageID, endpointID)
		return a, notFound(err, "scheduled attempt of message %q at endpoint %q", messageID, endpointID)
	})
}

// ListAttempts implements [store.Deliveries].
func (s *Store) ListAttempts(
	ctx context.Context, f store.AttemptFilter, page store.Page,
) (as store.List[posthorn.Attempt], err error) {
	defer annotate(&err, "listing the attempts of %s at %s", f.MessageID, f.EndpointID)
	if f.MessageID == "" && f.EndpointID == "" {
		return as, errors.New("the filter names neither a message nor an endpoint")
	}
	return list(ctx, s, attemptFields, page, listAttempts(f, page))
}

func listAttempts(f store.AttemptFilter, page store.Page) *query {
	q := newQuery("SELECT " + of("a", attemptColumns) + " FROM attempt a")
	switch {
	case f.MessageID == "":
		q.where("a.endpoint_id = ?", f.EndpointID)
	case f.EndpointID == "":
		q.where("a.message_id = ?", f.MessageID)
	default:
		// The sign keeps SQLite from the endpoint's index: a message has few attempts, an endpoint has many.
		q.where("a.message_id = ? AND +a.endpoint_id = ?", f.MessageID, f.EndpointID)
	}
	q.window("a.id", posthorn.AttemptID, f.Window)
	if f.Success != nil {
		q.where("a.success = ?", *f.Success)
	}
	if f.StatusClass != nil {
		q.where("a.status >= ? AND a.status < ?", *f.StatusClass, *f.StatusClass+100)
	}
	in(q, "a.event_type", f.EventTypes)
	if f.Channel != "" {
		q.where("EXISTS (SELECT 1 FROM message m, json_each(m.channels) c WHERE m.id = a.message_id AND c.value = ?)", f.Channel)
	}
	return q.page("a.id", page)
}
