package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/posthorn/posthorn"
)

const (
	// sweepAge is how old a message must be before the sweep looks at it: one that is being accepted or sent just now
	// is left in peace.
	sweepAge = time.Minute
	// sweepBatch bounds one run of the sweep. The next run goes on.
	sweepBatch = 1000
)

// SweepResult counts what a sweep did.
type SweepResult struct {
	Started int // messages whose workflow had never begun
}

// Sweep starts the workflows of stored messages that have none: those whose process ended between the two steps.
func (a *Activities) Sweep(ctx context.Context) (SweepResult, error) {
	return a.StartUndispatched(ctx, a.Now().Add(-sweepAge))
}

// StartUndispatched is a sweep over all messages that were stored before a moment.
func (a *Activities) StartUndispatched(ctx context.Context, before time.Time) (SweepResult, error) {
	messages, err := a.Store.Undispatched(ctx, before, sweepBatch)
	if err != nil {
		return SweepResult{}, storeError(fmt.Errorf("reading undispatched messages: %w", err))
	}
	var result SweepResult
	for _, m := range messages {
		err := a.Starter.Start(ctx, m)
		switch posthorn.CodeOf(err) {
		case "":
			result.Started++
		case posthorn.Conflict: // its workflow goes on by itself
		default:
			return result, fmt.Errorf("starting the workflow of %s: %w", m.ID, err)
		}
	}
	return result, nil
}
