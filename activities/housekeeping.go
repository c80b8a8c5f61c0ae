package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/posthorn/posthorn/internal/store"
)

// Retention is how long what happened is kept. 0 means for ever.
type Retention struct {
	Messages time.Duration // with all that hangs on them
	Attempts time.Duration
}

const (
	// keepTasks is how long background tasks are kept: as long as they are listed.
	keepTasks = 90 * 24 * time.Hour
	// keepDeleted is how long the rows of deleted endpoints and applications stay at least: whatever was under way when
	// they were deleted is on record by then.
	keepDeleted = 24 * time.Hour
	// housekeepingFor bounds one run. What is left waits for the next one.
	housekeepingFor = 50 * time.Minute
	// restFor is how long housekeeping rests after each step, in steps.
	restFor = 3
)

// HousekeepingResult counts what KeepHouse removed.
type HousekeepingResult struct {
	Attempts     int  `json:",omitempty"` // those that went before their messages
	Messages     int  `json:",omitempty"`
	Tasks        int  `json:",omitempty"`
	Endpoints    int  `json:",omitempty"`
	Applications int  `json:",omitempty"`
	Unfinished   bool `json:",omitempty"` // the rest waits for the next run
}

// chore is one kind of thing to remove.
type chore struct {
	what    string
	kept    time.Duration
	remove  func(ctx context.Context, before time.Time, from string) (store.Removed, error)
	removed *int
}

// KeepHouse removes what has been kept long enough, after making room for the weeks to come. It knows of nothing that an
// earlier run did: what was removed is not found again. Each step is one short transaction, and after each it rests three
// times as long as that took, the waiting for other writes included: the more there is to write, the more it holds back.
func (a *Activities) KeepHouse(ctx context.Context) (result HousekeepingResult, err error) {
	now, began := a.Now(), time.Now()
	if err := a.Store.MakeRoom(ctx, now); err != nil {
		return result, storeError(fmt.Errorf("making room for what comes: %w", err))
	}
	for _, c := range []chore{
		{"attempts", a.Retention.Attempts, a.Store.RemoveAttempts, &result.Attempts},
		{"messages", a.Retention.Messages, a.Store.RemoveMessages, &result.Messages},
		{"background tasks", keepTasks, a.Store.RemoveTasks, &result.Tasks},
		{"deleted endpoints", keepDeleted, a.Store.RemoveEndpoints, &result.Endpoints},
		{"deleted applications", keepDeleted, a.Store.RemoveApplications, &result.Applications},
	} {
		if c.kept == 0 {
			continue
		}
		for from, done := "", false; !done; {
			step := time.Now()
			removed, err := c.remove(ctx, now.Add(-c.kept), from)
			if err != nil {
				return result, storeError(fmt.Errorf("removing old %s: %w", c.what, err))
			}
			*c.removed += removed.Items
			from, done = removed.Next, removed.Done
			activity.RecordHeartbeat(ctx, result)
			stopped, err := rest(ctx, restFor*time.Since(step))
			if err != nil {
				return result, err
			}
			if stopped || time.Since(began) > housekeepingFor {
				result.Unfinished = true
				return result, nil
			}
		}
	}
	return result, nil
}

// rest waits, and reports whether the process stops meanwhile.
func rest(ctx context.Context, d time.Duration) (stopped bool, err error) {
	timer := time.NewTimer(min(d, time.Second))
	defer timer.Stop()
	select {
	case <-timer.C:
		return false, nil
	case <-activity.GetWorkerStopChannel(ctx):
		return true, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
