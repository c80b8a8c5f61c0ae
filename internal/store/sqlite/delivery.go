package sqlite

import (
	"context"
	"slices"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const deliveryColumns = "message_id, endpoint_id, app_id, state, reason, attempts, scheduled, next_at, updated_at"

func deliveryFields(d *posthorn.Delivery) []any {
	return []any{
		&d.MessageID, &d.EndpointID, &d.AppID, &d.State, &d.Reason, &d.Attempts, &d.Scheduled,
		moment{&d.NextAt}, moment{&d.UpdatedAt},
	}
}

// Delivery implements [store.Deliveries].
func (s *Store) Delivery(ctx context.Context, messageID, endpointID string) (d posthorn.Delivery, err error) {
	defer annotate(&err, "reading the delivery of %s to %s", messageID, endpointID)
	return read(s, func(q *statements) (posthorn.Delivery, error) {
		d, err := one(ctx, q, deliveryFields,
			"SELECT "+deliveryColumns+" FROM delivery WHERE message_id = ? AND endpoint_id = ?", messageID, endpointID)
		return d, notFound(err, "delivery of message %q to endpoint %q", messageID, endpointID)
	})
}

// MessageDeliveries implements [store.Deliveries].
func (s *Store) MessageDeliveries(ctx context.Context, messageID string) (ds []posthorn.Delivery, err error) {
	defer annotate(&err, "reading the deliveries of %s", messageID)
	return many(ctx, s, deliveryFields, messageDeliveries(messageID))
}

func messageDeliveries(messageID string) *query {
	return newQuery("SELECT "+deliveryColumns+" FROM delivery WHERE message_id = ? ORDER BY endpoint_id", messageID)
}

// ListDestinations implements [store.Deliveries].
func (s *Store) ListDestinations(
	ctx context.Context, messageID string, page store.Page,
) (ds store.List[store.Destination], err error) {
	defer annotate(&err, "listing the destinations of %s", messageID)
	return list(ctx, s, s.destinationFields, page, listDestinations(messageID, page))
}

func (s *Store) destinationFields(d *store.Destination) []any {
	return append(deliveryFields(&d.Delivery), s.endpointFields(&d.Endpoint)...)
}

func listDestinations(messageID string, page store.Page) *query {
	q := newQuery("SELECT " + of("d", deliveryColumns) + ", " + of("e", endpointColumns) +
		" FROM delivery d CROSS JOIN endpoint e ON e.id = d.endpoint_id")
	q.where("d.message_id = ?", messageID)
	return q.page("d.endpoint_id", page)
}

// ListEndpointMessages implements [store.Deliveries].
func (s *Store) ListEndpointMessages(
	ctx context.Context, endpointID string, f store.EndpointMessageFilter, page store.Page,
) (ms store.List[store.EndpointMessage], err error) {
	defer annotate(&err, "listing the messages of endpoint %s", endpointID)
	fields := endpointMessageFields
	if f.WithPayload {
		fields = endpointMessageWithPayloadFields
	}
	return list(ctx, s, fields, page, listEndpointMessages(endpointID, f, page))
}

func endpointMessageFields(m *store.EndpointMessage) []any {
	return append(deliveryFields(&m.Delivery), messageFields(&m.Message)...)
}

func endpointMessageWithPayloadFields(m *store.EndpointMessage) []any {
	return append(deliveryFields(&m.Delivery), messageWithPayloadFields(&m.Message)...)
}

// listEndpointMessages asks for each state apart, in the order of the index, and has SQLite merge the answers: it stops
// when the page is full, however many deliveries there are.
func listEndpointMessages(endpointID string, f store.EndpointMessageFilter, page store.Page) *query {
	states := slices.Compact(slices.Sorted(slices.Values(f.States)))
	if len(states) == 0 {
		states = []posthorn.DeliveryState{
			posthorn.Pending, posthorn.Retrying, posthorn.Delivered, posthorn.Failed, posthorn.Held, posthorn.Cancelled,
		}
	}
	q := newQuery("")
	for i, state := range states {
		if i > 0 {
			q.add(" UNION ALL ")
		}
		q.narrowed = false
		q.add("SELECT " + of("d", deliveryColumns) + ", " + of("m", messageColumns))
		join := " FROM delivery d CROSS JOIN message m ON m.id = d.message_id"
		if f.WithPayload {
			q.add(", p.payload")
			join += joinPayload
		}
		q.add(join)
		q.where("d.endpoint_id = ? AND d.state = ?", endpointID, state)
		q.messages("d.message_id", f.MessageFilter)
		q.from("d.message_id", page)
	}
	q.limit("message_id", page)
	return q
}
