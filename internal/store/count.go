package store

import "context"

// Counts are lists of which only the length is asked.
type Counts interface {
	// CountAttempts counts the attempts at an endpoint that a filter lets through, up to a limit. The filter names no
	// message.
	CountAttempts(ctx context.Context, f AttemptFilter, limit int) (int, error)
}
