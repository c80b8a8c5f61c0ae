package sqlstore

import (
	"context"
	"slices"
)

// NeverSent implements [store.Replays].
func (s *Store) NeverSent(ctx context.Context, endpointID string, messageIDs []string) (ids []string, err error) {
	defer s.annotate(&err, "asking what was never sent to endpoint %s", endpointID)
	sent, err := many(ctx, s, func(id *string) []any { return []any{id} }, everSent(endpointID, messageIDs))
	if err != nil {
		return nil, err
	}
	known := make(map[string]bool, len(sent))
	for _, id := range sent {
		known[id] = true
	}
	return slices.DeleteFunc(slices.Clone(messageIDs), func(id string) bool { return known[id] }), nil
}

// everSent are those of some messages that have been on their way to an endpoint, or may be just now.
func everSent(endpointID string, messageIDs []string) *query {
	return newQuery("SELECT k.value FROM json_each(?) k"+
		" WHERE EXISTS (SELECT 1 FROM delivery d WHERE d.message_id = k.value AND d.endpoint_id = ?)"+
		" OR EXISTS (SELECT 1 FROM undispatched u WHERE u.message_id = k.value)", jsonOf(&messageIDs), endpointID)
}

// lastOutcome is how the newest attempt of a message ended.
type lastOutcome struct {
	messageID string
	outcome   int
}

func lastOutcomeFields(l *lastOutcome) []any { return []any{&l.messageID, &l.outcome} }

// LastStatusClasses implements [store.Replays].
func (s *Store) LastStatusClasses(ctx context.Context, endpointID string, messageIDs []string) (classes map[string]int, err error) {
	defer s.annotate(&err, "asking what endpoint %s answered last", endpointID)
	found, err := many(ctx, s, lastOutcomeFields, lastOutcomes(endpointID, messageIDs))
	if err != nil {
		return nil, err
	}
	classes = make(map[string]int, len(found))
	for _, l := range found {
		classes[l.messageID] = l.outcome * 100
		if l.outcome == success {
			classes[l.messageID] = 200
		}
	}
	return classes, nil
}

// lastOutcomes numbers are in the attempts: an ID may be derived from an earlier moment. The signs keep SQLite from the
// endpoint's index: a message has few attempts, an endpoint has many.
func lastOutcomes(endpointID string, messageIDs []string) *query {
	return newQuery("SELECT k.value, CAST(a.outcome AS INTEGER) FROM json_each(?) k CROSS JOIN attempt a ON a.message_id = k.value"+
		" AND +a.endpoint_id = ? AND a.number = (SELECT max(b.number) FROM attempt b WHERE b.message_id = k.value AND +b.endpoint_id = ?)",
		jsonOf(&messageIDs), endpointID, endpointID)
}
