package store

import "context"

// Replays tell which messages bulk work is about.
type Replays interface {
	// NeverSent returns those of some messages, given by ID, that have no delivery to an endpoint and are not
	// Undispatched either, in the order given. An ID that isn't known counts as one that was never sent.
	NeverSent(ctx context.Context, endpointID string, messageIDs []string) ([]string, error)
	// LastStatusClasses returns the class of the status with which an endpoint answered the newest attempt of each of
	// some messages, by message ID: 0 for no response, 100, 200, …; a success has 200. A message without an attempt
	// there is left out.
	LastStatusClasses(ctx context.Context, endpointID string, messageIDs []string) (map[string]int, error)
}
