package sqlstore

import (
	"context"

	"github.com/posthorn/posthorn"
)

// DeliveriesBetween implements [store.Fanout].
func (s *Store) DeliveriesBetween(ctx context.Context, messageID, after, through string) (ds []posthorn.Delivery, err error) {
	defer s.annotate(&err, "reading the deliveries of %s behind %q", messageID, after)
	return many(ctx, s, deliveryFields, deliveriesBetween(messageID, after, through))
}

func deliveriesBetween(messageID, after, through string) *query {
	q := newQuery("SELECT " + deliveryColumns + " FROM delivery")
	q.where("message_id = ? AND endpoint_id > ?", messageID, after)
	if through != "" {
		q.add(" AND endpoint_id <= ?", through)
	}
	q.add(" ORDER BY endpoint_id")
	return q
}

// CountDeliveries implements [store.Fanout].
func (s *Store) CountDeliveries(ctx context.Context, messageID string) (counts map[posthorn.DeliveryState]int, err error) {
	defer s.annotate(&err, "counting the deliveries of %s", messageID)
	states, err := many(ctx, s, func(state *posthorn.DeliveryState) []any { return []any{state} }, deliveryStates(messageID))
	counts = make(map[posthorn.DeliveryState]int)
	for _, state := range states {
		counts[state]++
	}
	return counts, err
}

// deliveryStates leaves the counting to the caller: SQLite would sort the rows for it.
func deliveryStates(messageID string) *query {
	return newQuery("SELECT state FROM delivery WHERE message_id = ?", messageID)
}
