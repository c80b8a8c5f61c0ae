package activities

import (
	"context"
	"fmt"
	"time"
)

const (
	// claimStep is how many claims are deleted in one commit: few, because the writes of those who send wait for it.
	claimStep = 200
	// claimsFor bounds the time for deleting. What is left waits for the next sweep.
	claimsFor = 20 * time.Second
)

// deleteExpiredClaims removes what is kept for repeated requests whose day is over, and returns how many there were.
func (a *Activities) deleteExpiredClaims(ctx context.Context) (deleted int, err error) {
	ctx, cancel := context.WithTimeout(ctx, claimsFor)
	defer cancel()
	for {
		n, err := a.Store.DeleteExpiredClaims(ctx, a.Now(), claimStep)
		deleted += n
		if ctx.Err() != nil {
			return deleted, nil
		}
		if err != nil {
			return deleted, storeError(fmt.Errorf("deleting expired claims: %w", err))
		}
		if n == 0 {
			return deleted, nil
		}
	}
}
