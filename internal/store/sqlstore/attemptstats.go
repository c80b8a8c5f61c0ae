package sqlstore

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// countedAttempts are attempts with every outcome.
func countedAttempts(endpoints *query, eventTypes []string) *countable {
	outcomes := []any{noResponse, 1, 2, 3, 4, 5, otherClass, success}
	return &countable{"attempt", "outcome", "id", posthorn.AttemptID, endpoints, outcomes, distinct(eventTypes)}
}

// countedDeliveries are deliveries in some states.
func countedDeliveries(endpoints *query, eventTypes []string, states ...any) *countable {
	return &countable{"delivery", "state", "message_id", posthorn.MessageID, endpoints, states, distinct(eventTypes)}
}

// addAttempts counts attempts with an outcome.
func addAttempts(f *store.Figures, outcome any, n int) {
	if outcome == int64(success) {
		f.Success += n
	} else {
		f.Failure += n
	}
}

// EndpointFigures implements [store.AttemptStatistics].
func (s *Store) EndpointFigures(
	ctx context.Context, endpointID string, w store.Window,
) (figures store.EndpointFigures, err error) {
	defer s.annotate(&err, "counting what happened at endpoint %s", endpointID)
	return snapshot(ctx, s, func(on *Session) (figures store.EndpointFigures, err error) {
		attempts, err := countedAttempts(oneEndpoint(endpointID), nil).count(ctx, on, w)
		if err != nil {
			return figures, err
		}
		for _, t := range attempts {
			addAttempts(&figures.Figures, t.standing, t.n)
		}
		deliveries, err := countedDeliveries(oneEndpoint(endpointID), nil,
			posthorn.Pending, posthorn.Retrying, posthorn.Held, posthorn.Cancelled).count(ctx, on, w)
		for _, t := range deliveries {
			switch t.standing {
			case string(posthorn.Cancelled):
				figures.Cancelled += t.n
			case string(posthorn.Pending):
				figures.Pending += t.n
			default:
				figures.Sending += t.n
			}
		}
		return figures, err
	})
}

// FiguresByEventType implements [store.AttemptStatistics].
func (s *Store) FiguresByEventType(
	ctx context.Context, appID string, eventTypes []string, w store.Window,
) (figures map[string]store.Figures, err error) {
	defer s.annotate(&err, "counting what happened to the messages of %s", appID)
	return snapshot(ctx, s, func(on *Session) (map[string]store.Figures, error) {
		attempts, err := countedAttempts(everyEndpoint(appID), eventTypes).count(ctx, on, w)
		if err != nil {
			return nil, err
		}
		cancelled, err := countedDeliveries(everyEndpoint(appID), eventTypes, posthorn.Cancelled).count(ctx, on, w)
		if err != nil {
			return nil, err
		}
		figures := map[string]store.Figures{}
		for _, t := range attempts {
			sum := figures[t.eventType]
			addAttempts(&sum, t.standing, t.n)
			figures[t.eventType] = sum
		}
		for _, t := range cancelled {
			sum := figures[t.eventType]
			sum.Cancelled += t.n
			figures[t.eventType] = sum
		}
		return figures, nil
	})
}

// FiguresByPeriod implements [store.AttemptStatistics].
func (s *Store) FiguresByPeriod(
	ctx context.Context, appID string, eventTypes []string, bounds []time.Time,
) (figures []store.Figures, err error) {
	defer s.annotate(&err, "counting what happened to the messages of %s", appID)
	if len(bounds) < 2 {
		return nil, nil
	}
	return snapshot(ctx, s, func(on *Session) ([]store.Figures, error) {
		attempts, err := countedAttempts(everyEndpoint(appID), eventTypes).byPeriod(ctx, on, bounds)
		if err != nil {
			return nil, err
		}
		cancelled, err := countedDeliveries(everyEndpoint(appID), eventTypes, posthorn.Cancelled).byPeriod(ctx, on, bounds)
		if err != nil {
			return nil, err
		}
		figures := make([]store.Figures, len(bounds)-1)
		for _, found := range attempts {
			addAttempts(&figures[found.period], found.standing, found.n)
		}
		for _, found := range cancelled {
			figures[found.period].Cancelled += found.n
		}
		return figures, nil
	})
}
