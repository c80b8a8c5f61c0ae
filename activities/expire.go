package activities

import (
	"context"
	"fmt"
	"time"
)

const (
	// expireStep is how many rows are removed in one commit: few, because the writes of those who send wait for it.
	expireStep = 200
	// expireFor bounds the time for removing one kind of thing. What is left waits for the next sweep.
	expireFor = 15 * time.Second
)

// expire removes payloads whose time is over, and the answers that are kept for repeated requests. It returns how many
// payloads there were.
func (a *Activities) expire(ctx context.Context) (payloads int, err error) {
	payloads, err = inSteps(ctx, func(ctx context.Context) (int, error) {
		return a.Store.ExpirePayloads(ctx, a.Now(), expireStep)
	})
	if err != nil {
		return payloads, storeError(fmt.Errorf("removing expired payloads: %w", err))
	}
	if _, err := inSteps(ctx, func(ctx context.Context) (int, error) {
		return a.Store.DeleteExpiredClaims(ctx, a.Now(), expireStep)
	}); err != nil {
		return payloads, storeError(fmt.Errorf("removing expired claims: %w", err))
	}
	return payloads, nil
}

// inSteps repeats a step until it finds nothing more or the time is over.
func inSteps(ctx context.Context, step func(context.Context) (int, error)) (total int, err error) {
	ctx, cancel := context.WithTimeout(ctx, expireFor)
	defer cancel()
	for {
		n, err := step(ctx)
		total += n
		if ctx.Err() != nil {
			return total, nil
		}
		if err != nil || n == 0 {
			return total, err
		}
	}
}
