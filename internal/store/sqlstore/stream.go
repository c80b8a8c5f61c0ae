package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// Stream implements [store.Polling]. The stream is in the order of the rows' numbers. A single writer gives them in the
// order of its commits, and a reader sees all of a commit or nothing. Where several write, a number may become visible
// after a larger one: it is read when those before it are settled.
func (s *Store) Stream(
	ctx context.Context, appID string, from store.Position, f store.StreamFilter, limit int,
) (part store.Stretch, err error) {
	defer s.annotate(&err, "reading the stream of %s", appID)
	if err := s.awaitSettled(ctx, appID); err != nil {
		return store.Stretch{}, err
	}
	return s.stretch(ctx, appID, from, f, limit)
}

// settling is how long a reader waits for transactions that are about to end, so that whoever has been told that a message
// is there finds it. One that takes longer holds back what came after it.
const settling = time.Second

// awaitSettled waits until all messages of an application that are visible are settled.
func (s *Store) awaitSettled(ctx context.Context, appID string) error {
	if s.dialect.Settled == "" {
		return nil
	}
	unsettled := "SELECT EXISTS (SELECT 1 FROM (SELECT seq FROM message WHERE app_id = ? ORDER BY seq DESC LIMIT 1) AS part WHERE NOT " +
		s.dialect.Settled + ")"
	for wait, waited := time.Millisecond, time.Duration(0); ; wait *= 2 {
		is, err := read(s, func(q *Session) (is bool, err error) {
			err = q.row(ctx, []any{&is}, unsettled, appID)
			return is, err
		})
		if err != nil || !is || waited > settling {
			return err
		}
		select {
		case <-time.After(wait):
			waited += wait
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// settled narrows a query of messages to those that are settled.
func (s *Store) settled() string {
	if s.dialect.Settled == "" {
		return ""
	}
	return " AND " + s.dialect.Settled
}

// stretch reads a part of the stream. One snapshot serves it, because old messages are removed meanwhile.
func (s *Store) stretch(
	ctx context.Context, appID string, from store.Position, f store.StreamFilter, limit int,
) (store.Stretch, error) {
	return snapshot(ctx, s, func(q *Session) (store.Stretch, error) {
		begin, err := place(ctx, q, appID, from)
		if err != nil {
			return store.Stretch{}, err
		}
		// What is committed meanwhile lies behind reach.last, and waits for the next call.
		reach, err := one(ctx, q, streamReachFields, streamReach(s.settled()), appID, begin, store.StreamReach)
		if err != nil || reach.count == 0 {
			return store.Stretch{Next: from, Done: true}, err
		}
		size := 0
		enough := func(read []posthorn.Message) bool {
			if len(read) > 0 {
				size += len(read[len(read)-1].Payload)
			}
			return len(read) == limit || size >= store.StreamBytes
		}
		wanted := streamed(appID, begin, reach.last, from, f, limit+1)
		messages, more, err := upTo(ctx, q, messageWithPayloadFields, enough, wanted.text.String(), wanted.args...)
		if err != nil {
			return store.Stretch{}, err
		}
		for i := range messages {
			messages[i].Expire(s.now())
		}
		next := from
		if more {
			next.MessageID = messages[len(messages)-1].ID
			return store.Stretch{Messages: messages, Next: next}, nil
		}
		if err := q.row(ctx, []any{&next.MessageID}, "SELECT id FROM message WHERE app_id = ? AND seq = ?", appID, reach.last); err != nil {
			return store.Stretch{}, err
		}
		return store.Stretch{Messages: messages, Next: next, Done: reach.count < store.StreamReach}, nil
	})
}

// passage is how far a call of Stream looks.
type passage struct {
	count int
	last  int64
}

func streamReach(settled string) string {
	return "SELECT count(*), coalesce(max(seq), 0) FROM" +
		" (SELECT seq FROM message WHERE app_id = ? AND seq > ?" + settled + " ORDER BY seq LIMIT ?) AS part"
}

func streamReachFields(r *passage) []any { return []any{&r.count, &r.last} }

func streamed(appID string, begin, end int64, from store.Position, f store.StreamFilter, limit int) *query {
	q := newQuery("SELECT " + of("m", messageColumns) + ", " + of("p", payloadColumns) + " FROM message m" + joinPayload)
	q.where("m.app_id = ? AND m.seq > ? AND m.seq <= ? AND m.only_endpoint IS NULL", appID, begin, end)
	if !from.After.IsZero() {
		q.where("m.created_at > ?", moment{&from.After})
	}
	for _, eventTypes := range f.EventTypes {
		in(q, "m.event_type", eventTypes)
	}
	for _, channels := range f.Channels {
		q.where("EXISTS (SELECT 1 FROM json_each(m.channels) c WHERE c.value IN (SELECT value FROM json_each(?)))", jsonOf(&channels))
	}
	q.add(" ORDER BY m.seq LIMIT ?", limit)
	return q
}

// place returns the number of the row behind which a position lies.
func place(ctx context.Context, q *Session, appID string, p store.Position) (seq int64, err error) {
	after := p.After
	if p.MessageID != "" {
		err := q.row(ctx, []any{&seq}, "SELECT seq FROM message WHERE id = ? AND app_id = ?", p.MessageID, appID)
		if !errors.Is(err, sql.ErrNoRows) {
			return seq, err
		}
		if made := posthorn.MessageID.Time(p.MessageID); made.After(after) {
			after = made
		}
	}
	if after.IsZero() {
		return 0, nil
	}
	// Messages don't lie in the order of their times, but no farther from it than the slack.
	err = q.row(ctx, []any{&seq}, streamAfter, appID, posthorn.MessageID.Floor(after.Add(-store.StreamSlack)))
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return seq, err
}

const streamAfter = "SELECT seq FROM message WHERE app_id = ? AND id < ? ORDER BY id DESC LIMIT 1"
