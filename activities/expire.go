package activities

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/activity"
)

// ExpireResult counts what ExpirePayloads did.
type ExpireResult struct {
	Removed int
}

// ExpirePayloads removes the payloads whose time is over. Nobody sees them any more, so it takes its time: one short
// transaction after the other, between which everything else is written.
func (a *Activities) ExpirePayloads(ctx context.Context) (ExpireResult, error) {
	var result ExpireResult
	now := a.Now()
	for {
		n, err := a.Store.ExpirePayloads(ctx, now)
		if err != nil {
			return result, storeError(fmt.Errorf("removing expired payloads: %w", err))
		}
		if n == 0 {
			return result, nil
		}
		result.Removed += n
		activity.RecordHeartbeat(ctx, result.Removed)
		select {
		case <-ctx.Done():
			return result, ctx.Err()
		case <-activity.GetWorkerStopChannel(ctx):
			return result, nil // the schedule comes round again
		default:
		}
	}
}
