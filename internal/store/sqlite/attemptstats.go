package sqlite

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// EndpointFigures implements [store.AttemptStatistics].
func (s *Store) EndpointFigures(
	ctx context.Context, endpointID string, w store.Window,
) (figures store.EndpointFigures, err error) {
	defer annotate(&err, "counting what happened at endpoint %s", endpointID)
	return read(s, func(q *statements) (store.EndpointFigures, error) {
		wanted := endpointFigures(endpointID, w)
		return one(ctx, q, endpointFiguresFields, wanted.text.String(), wanted.args...)
	})
}

func endpointFiguresFields(f *store.EndpointFigures) []any {
	return []any{&f.Success, &f.Failure, &f.Cancelled, &f.Pending, &f.Sending}
}

func endpointFigures(endpointID string, w store.Window) *query {
	q := newQuery("SELECT ")
	for i, success := range []bool{true, false} {
		if i > 0 {
			q.add(", ")
		}
		q.add("(SELECT count(*) FROM attempt WHERE endpoint_id = ? AND success = ?", endpointID, success)
		q.within("id", posthorn.AttemptID, w)
		q.add(")")
	}
	for _, states := range [][]posthorn.DeliveryState{
		{posthorn.Cancelled}, {posthorn.Pending}, {posthorn.Retrying, posthorn.Held},
	} {
		q.add(", 0")
		for _, state := range states {
			q.add(" + (SELECT count(*) FROM delivery WHERE endpoint_id = ? AND state = ?", endpointID, state)
			q.within("message_id", posthorn.MessageID, w)
			q.add(")")
		}
	}
	return q
}

// within adds a time window to a WHERE clause that has begun.
func (q *query) within(key string, kind posthorn.IDKind, w store.Window) {
	begun := q.narrowed
	q.narrowed = true
	q.window(key, kind, w)
	q.narrowed = begun
}

// figure is a number of attempts, or of cancelled deliveries, of an event type.
type figure struct {
	eventType string
	success   bool
	count     int
}

func figureFields(f *figure) []any { return []any{&f.eventType, &f.success, &f.count} }

// FiguresByEventType implements [store.AttemptStatistics].
func (s *Store) FiguresByEventType(
	ctx context.Context, appID string, eventTypes []string, w store.Window,
) (figures map[string]store.Figures, err error) {
	defer annotate(&err, "counting what happened to the messages of %s", appID)
	attempts, err := many(ctx, s, figureFields, attemptsByEventType(appID, eventTypes, w))
	if err != nil {
		return nil, err
	}
	cancelled, err := many(ctx, s, figureFields, cancelledByEventType(appID, eventTypes, w))
	if err != nil {
		return nil, err
	}
	figures = map[string]store.Figures{}
	for _, f := range attempts {
		sum := figures[f.eventType]
		if f.success {
			sum.Success += f.count
		} else {
			sum.Failure += f.count
		}
		figures[f.eventType] = sum
	}
	for _, f := range cancelled {
		sum := figures[f.eventType]
		sum.Cancelled += f.count
		figures[f.eventType] = sum
	}
	return figures, nil
}

func attemptsByEventType(appID string, eventTypes []string, w store.Window) *query {
	q := newQuery("SELECT a.event_type, a.success, count(*) FROM endpoint e CROSS JOIN attempt a ON a.endpoint_id = e.id")
	q.where("e.app_id = ?", appID)
	q.window("a.id", posthorn.AttemptID, w)
	in(q, "a.event_type", eventTypes)
	q.add(" GROUP BY a.event_type, a.success")
	return q
}

func cancelledByEventType(appID string, eventTypes []string, w store.Window) *query {
	q := newQuery("SELECT m.event_type, 0, count(*) FROM endpoint e CROSS JOIN delivery d ON d.endpoint_id = e.id" +
		" CROSS JOIN message m ON m.id = d.message_id")
	q.where("e.app_id = ? AND d.state = ?", appID, posthorn.Cancelled)
	q.window("d.message_id", posthorn.MessageID, w)
	in(q, "m.event_type", eventTypes)
	q.add(" GROUP BY m.event_type")
	return q
}

// FiguresByPeriod implements [store.AttemptStatistics].
func (s *Store) FiguresByPeriod(
	ctx context.Context, appID string, eventTypes []string, bounds []time.Time,
) (figures []store.Figures, err error) {
	defer annotate(&err, "counting what happened to the messages of %s", appID)
	if len(bounds) < 2 {
		return nil, nil
	}
	found, err := many(ctx, s, periodFields, byPeriod(appID, eventTypes, bounds))
	if err != nil {
		return nil, err
	}
	figures = make([]store.Figures, len(bounds)-1)
	for _, f := range found {
		figures[f.period] = f.Figures
	}
	return figures, nil
}

// period is a period with its number.
type period struct {
	period int
	store.Figures
}

func periodFields(p *period) []any { return []any{&p.period, &p.Success, &p.Failure, &p.Cancelled} }

// byPeriod seeks each period in the index of each endpoint that had an attempt or a cancelled delivery at all: grouping
// the rows would have to sort them, and the time is inside their IDs.
func byPeriod(appID string, eventTypes []string, bounds []time.Time) *query {
	type limits struct {
		FromAttempt, ToAttempt, FromMessage, ToMessage string
	}
	periods := make([]limits, len(bounds)-1)
	for i := range periods {
		from, to := bounds[i], bounds[i+1]
		periods[i] = limits{
			store.Before(posthorn.AttemptID, from), store.Before(posthorn.AttemptID, to),
			store.Before(posthorn.MessageID, from), store.Before(posthorn.MessageID, to),
		}
	}
	last := periods[len(periods)-1]
	q := newQuery("SELECT p.key")
	for _, success := range []bool{true, false} {
		q.add(", sum((SELECT count(*) FROM attempt a WHERE a.endpoint_id = e.id AND a.success = ?"+
			" AND a.id >= p.value ->> 'FromAttempt' AND a.id < p.value ->> 'ToAttempt'", success)
		q.narrowed = true
		in(q, "a.event_type", eventTypes)
		q.add("))")
	}
	q.add(", sum((SELECT count(*) FROM delivery d")
	if len(eventTypes) > 0 {
		q.add(" CROSS JOIN message m ON m.id = d.message_id")
	}
	q.add(" WHERE d.endpoint_id = e.id AND d.state = ?"+
		" AND d.message_id >= p.value ->> 'FromMessage' AND d.message_id < p.value ->> 'ToMessage'", posthorn.Cancelled)
	q.narrowed = true
	in(q, "m.event_type", eventTypes)
	q.add(")) FROM endpoint e CROSS JOIN json_each(?) p WHERE e.app_id = ?"+
		" AND (EXISTS (SELECT 1 FROM attempt a WHERE a.endpoint_id = e.id AND a.id >= ? AND a.id < ?)"+
		" OR EXISTS (SELECT 1 FROM delivery d WHERE d.endpoint_id = e.id AND d.state = ? AND d.message_id >= ? AND d.message_id < ?))"+
		" GROUP BY p.key",
		jsonOf(&periods), appID,
		periods[0].FromAttempt, last.ToAttempt, posthorn.Cancelled, periods[0].FromMessage, last.ToMessage)
	return q
}
