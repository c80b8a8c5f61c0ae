package store

import (
	"context"
	"time"
)

// Retention removes for good what has been kept long enough, a little at a time: each call is one short transaction, so
// that messages and attempts are written meanwhile.
//
// A store that keeps messages and attempts of different weeks apart may remove them by whole weeks in UTC: then what is kept
// for four weeks or longer is kept until the week of the moment is over.
//
// Each method goes through what there is, oldest first. from is where the call begins: Removed.Next of the call before,
// empty for the first one. To begin anew at any time is no error and leaves nothing out.
type Retention interface {
	// RemoveMessages removes messages that were made before a moment, with everything that hangs on them: payload in all
	// versions, deliveries and attempts. A message stays that is Undispatched, or of which a delivery has not ended. What
	// hangs on a message is removed before it, in several calls if it is much; so there are never parts without a message.
	RemoveMessages(ctx context.Context, before time.Time, from string) (Removed, error)
	// RemoveAttempts removes attempts that were made before a moment. Of a delivery that has not ended, the newest attempt
	// and the newest scheduled one stay. Deliveries stay as they are: how many attempts there were is still known.
	RemoveAttempts(ctx context.Context, before time.Time, from string) (Removed, error)
	// RemoveTasks removes background tasks that were made, and ended, before a moment.
	RemoveTasks(ctx context.Context, before time.Time, from string) (Removed, error)
	// RemoveEndpoints removes endpoints that were deleted before a moment and have neither deliveries nor attempts any more.
	RemoveEndpoints(ctx context.Context, before time.Time, from string) (Removed, error)
	// RemoveApplications removes applications that were deleted before a moment and have neither messages nor endpoints any
	// more, deleted endpoints included.
	RemoveApplications(ctx context.Context, before time.Time, from string) (Removed, error)
	// MakeRoom prepares for the messages and attempts of the weeks to come, where a store keeps weeks apart. Not to call it
	// for some time loses nothing.
	MakeRoom(ctx context.Context, now time.Time) error
}

// Removed is what one call of a method of Retention did.
type Removed struct {
	Items int    // how many were removed; 0 also where a call had time for a part of one only
	Next  string // where to go on
	Done  bool   // there is nothing further to remove
}
