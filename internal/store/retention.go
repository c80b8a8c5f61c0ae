package store

import (
	"context"
	"time"
)

// Retention ends what is kept for a time only.
type Retention interface {
	// ExpirePayloads removes up to limit payloads whose messages have reached ExpiresAt at a moment, and returns how many it found.
	// A message that has no such moment keeps its payload.
	ExpirePayloads(ctx context.Context, now time.Time, limit int) (int, error)
}
