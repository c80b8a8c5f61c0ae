package store

import (
	"context"

	"github.com/posthorn/posthorn"
)

// Fanout is about messages that go to very many endpoints.
type Fanout interface {
	// DeliveriesBetween returns a message's deliveries to the endpoints behind one and up to another (empty: to the end), by
	// endpoint ID.
	DeliveriesBetween(ctx context.Context, messageID, after, through string) ([]posthorn.Delivery, error)
	// CountDeliveries counts a message's deliveries by their state.
	CountDeliveries(ctx context.Context, messageID string) (map[posthorn.DeliveryState]int, error)
}
