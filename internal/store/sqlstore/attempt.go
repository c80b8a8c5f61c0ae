package sqlstore

import (
	"context"
	"errors"
	"fmt"

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

// attemptRowColumns are all of an attempt: lists leave the header that was sent out. It is sealed, because the endpoint's
// own headers are in it.
const attemptRowColumns = attemptColumns + ", sent"

func (s *Store) attemptRowFields(a *posthorn.Attempt) []any {
	return append(attemptFields(a), s.sealed("attempt.sent", &a.ID, sentHeader{a}))
}

// Attempt implements [store.Deliveries].
func (s *Store) Attempt(ctx context.Context, messageID, attemptID string) (a posthorn.Attempt, err error) {
	defer s.annotate(&err, "reading attempt %s", attemptID)
	return read(s, func(q *Session) (posthorn.Attempt, error) {
		a, err := one(ctx, q, s.attemptRowFields,
			"SELECT "+attemptRowColumns+" FROM attempt WHERE message_id = ? AND id = ?", messageID, attemptID)
		return a, notFound(err, "attempt %q", attemptID)
	})
}

// LastAttempt implements [store.Deliveries].
func (s *Store) LastAttempt(ctx context.Context, messageID, endpointID string) (a posthorn.Attempt, err error) {
	defer s.annotate(&err, "reading the last attempt of %s at %s", messageID, endpointID)
	return read(s, func(q *Session) (posthorn.Attempt, error) {
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
	defer s.annotate(&err, "listing the attempts of %s at %s", f.MessageID, f.EndpointID)
	switch {
	case f.MessageID != "":
		return list(ctx, s, attemptFields, page, listMessageAttempts(f, page))
	case f.EndpointID == "":
		return as, errors.New("the filter names neither a message nor an endpoint")
	}
	return snapshot(ctx, s, func(on *Session) (as store.List[posthorn.Attempt], err error) {
		found, err := findKeys(ctx, on, attemptShelf(f), wantedAttempts(f), posthorn.AttemptID, f.Window, page)
		if err != nil {
			return as, err
		}
		return readKeyed(ctx, on, attemptFields, func(a *posthorn.Attempt) string { return a.ID }, page, attemptsByRow(found))
	})
}

// CountAttempts implements [store.Counts].
func (s *Store) CountAttempts(ctx context.Context, f store.AttemptFilter, limit int) (n int, err error) {
	defer s.annotate(&err, "counting the attempts at %s", f.EndpointID)
	if f.EndpointID == "" || f.MessageID != "" {
		return 0, errors.New("the filter names no endpoint, or a message too")
	}
	return snapshot(ctx, s, func(on *Session) (int, error) {
		shelf := attemptShelf(f)
		within := extentOf(posthorn.AttemptID, f.Window, store.Page{})
		runs, err := shelf.runs(ctx, on, wantedAttempts(f), within, false)
		if err != nil {
			return 0, err
		}
		return countKeys(ctx, on, runs, within, limit)
	})
}

func attemptsByRow(keys []key) *query {
	q := newQuery("SELECT "+of("a", attemptColumns)+" FROM json_each(?) k CROSS JOIN attempt a ON a.seq = CAST(k.value AS BIGINT)", rows(keys))
	return q.among("a.id", keys)
}

// wantedAttempts is a filter in the terms of the index by endpoint.
func wantedAttempts(f store.AttemptFilter) wanted {
	w := wanted{eventTypes: distinct(f.EventTypes)}
	if f.Success == nil && f.StatusClass == nil {
		return w
	}
	w.standings = []any{}
	for outcome := noResponse; outcome <= success; outcome++ {
		class := outcome * 100
		if outcome == success {
			class = 200
		}
		if (f.Success == nil || *f.Success == (outcome == success)) && (f.StatusClass == nil || *f.StatusClass == class) {
			w.standings = append(w.standings, outcome)
		}
	}
	return w
}

func listMessageAttempts(f store.AttemptFilter, page store.Page) *query {
	q := newQuery("SELECT " + of("a", attemptColumns) + " FROM attempt a")
	q.where("a.message_id = ?", f.MessageID)
	if f.EndpointID != "" {
		// The sign keeps SQLite from the endpoint's index: a message has few attempts, an endpoint has many.
		q.where("+a.endpoint_id = ?", f.EndpointID)
	}
	q.window("a.id", posthorn.AttemptID, f.Window)
	if f.Success != nil {
		q.where("a.success = ?", *f.Success)
	}
	if f.StatusClass != nil {
		q.where("a.status >= ? AND a.status < ?", *f.StatusClass, *f.StatusClass+100)
	}
	in(q, "a.event_type", f.EventTypes)
	const labelled = "EXISTS (SELECT 1 FROM message m, json_each(m.%s) l WHERE m.id = ? AND l.value = ?)"
	if f.Channel != "" {
		q.where(fmt.Sprintf(labelled, "channels"), f.MessageID, f.Channel)
	}
	if f.Tag != "" {
		q.where(fmt.Sprintf(labelled, "tags"), f.MessageID, f.Tag)
	}
	return q.page("a.id", page)
}
