package store

import "context"

// Usage counts.
type Usage interface {
	// CountDestinations counts the deliveries of an application's messages behind the ID after and before the ID before,
	// of so many messages at most.
	CountDestinations(ctx context.Context, appID, after, before string, limit int) (Destinations, error)
}

// Destinations is what CountDestinations found.
type Destinations struct {
	Messages   int
	Deliveries int
	Last       string // ID of the last message counted: where to go on. Empty if there was none
}
