package sqlstore

import (
	"context"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const deliveryColumns = "message_id, endpoint_id, app_id, state, reason, attempts, scheduled, next_at, updated_at, waits, released_at, alarmed, parked"

func deliveryFields(d *posthorn.Delivery) []any {
	return []any{
		&d.MessageID, &d.EndpointID, &d.AppID, &d.State, &d.Reason, &d.Attempts, &d.Scheduled,
		moment{&d.NextAt}, moment{&d.UpdatedAt}, &d.Waits, moment{&d.ReleasedAt}, &d.Alarmed, &d.Parked,
	}
}

// Delivery implements [store.Deliveries].
func (s *Store) Delivery(ctx context.Context, messageID, endpointID string) (d posthorn.Delivery, err error) {
	defer s.annotate(&err, "reading the delivery of %s to %s", messageID, endpointID)
	return read(s, func(q *Session) (posthorn.Delivery, error) {
		d, err := one(ctx, q, deliveryFields,
			"SELECT "+deliveryColumns+" FROM delivery WHERE message_id = ? AND endpoint_id = ?", messageID, endpointID)
		return d, notFound(err, "delivery of message %q to endpoint %q", messageID, endpointID)
	})
}

// MessageDeliveries implements [store.Deliveries].
func (s *Store) MessageDeliveries(ctx context.Context, messageID string) (ds []posthorn.Delivery, err error) {
	defer s.annotate(&err, "reading the deliveries of %s", messageID)
	return many(ctx, s, deliveryFields, messageDeliveries(messageID))
}

func messageDeliveries(messageID string) *query {
	return newQuery("SELECT "+deliveryColumns+" FROM delivery WHERE message_id = ? ORDER BY endpoint_id", messageID)
}

// ListDestinations implements [store.Deliveries].
func (s *Store) ListDestinations(
	ctx context.Context, messageID string, page store.Page,
) (ds store.List[store.Destination], err error) {
	defer s.annotate(&err, "listing the destinations of %s", messageID)
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
	defer s.annotate(&err, "listing the messages of endpoint %s", endpointID)
	fields := endpointMessageFields
	if f.WithPayload {
		fields = endpointMessageWithPayloadFields
	}
	ms, err = snapshot(ctx, s, func(on *Session) (ms store.List[store.EndpointMessage], err error) {
		found, err := findKeys(ctx, on, deliveryShelf(endpointID, f.MessageFilter), wantedDeliveries(f), posthorn.MessageID, f.Window, page)
		if err != nil {
			return ms, err
		}
		return readKeyed(ctx, on, fields, func(m *store.EndpointMessage) string { return m.Delivery.MessageID }, page,
			endpointMessagesByID(endpointID, found, f.WithPayload))
	})
	for i := range ms.Items {
		ms.Items[i].Message.Expire(s.now())
	}
	return ms, err
}

func endpointMessageFields(m *store.EndpointMessage) []any {
	return append(deliveryFields(&m.Delivery), messageFields(&m.Message)...)
}

func endpointMessageWithPayloadFields(m *store.EndpointMessage) []any {
	return append(deliveryFields(&m.Delivery), messageWithPayloadFields(&m.Message)...)
}

func endpointMessagesByID(endpointID string, keys []key, withPayload bool) *query {
	q := newQuery("SELECT " + of("d", deliveryColumns) + ", " + of("m", messageColumns))
	join := " FROM json_each(?) k CROSS JOIN delivery d ON d.message_id = k.value AND d.endpoint_id = ?" +
		" CROSS JOIN message m ON m.id = d.message_id"
	if withPayload {
		q.add(", " + of("p", payloadColumns))
		join += joinPayload
	}
	q.add(join, ids(keys), endpointID)
	return q.among("d.message_id", keys).among("m.id", keys)
}

func wantedDeliveries(f store.EndpointMessageFilter) wanted {
	w := wanted{eventTypes: distinct(f.EventTypes)}
	for _, state := range distinct(f.States) {
		w.standings = append(w.standings, state)
	}
	return w
}
