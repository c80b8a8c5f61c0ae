package store

import (
	"context"
	"time"
)

// Contents are removed for good, a little at a time: each call is one short transaction, so that messages and attempts
// are written meanwhile.
type Contents interface {
	// ExpirePayloads removes payloads whose time is over at a moment, the oldest first, and returns how many. 0 means
	// that none is left.
	ExpirePayloads(ctx context.Context, now time.Time) (int, error)
	// PurgePayloads removes payloads of an application's messages behind the ID after and before the ID before.
	PurgePayloads(ctx context.Context, appID, after, before string) (Purged, error)
	// ExpungeAttempt removes what an attempt keeps of its response and of the request's header. Its body becomes
	// posthorn.ExpungedBody. To repeat it is no error. NotFound: also if it is another message's.
	ExpungeAttempt(ctx context.Context, messageID, attemptID string) error
}

// Purged is what one call of PurgePayloads did.
type Purged struct {
	Payloads int    // how many were removed
	Last     string // ID of the last message that was looked at: where to go on. Empty if there was none
	Done     bool   // there are no further messages
}
