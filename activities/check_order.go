package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/posthorn/posthorn"
)

const (
	// orderPage is how many ordering keys are looked at in one transaction.
	orderPage = 100
	// orderRecheck is how often somebody looks whether what waits for its turn is still rightly waiting.
	orderRecheck = 30 * time.Second
)

// checkOrder lets a message for an ordered endpoint wait until those before it have ended.
func (a *Activities) checkOrder(ctx context.Context, c *candidate) (verdict, error) {
	if !c.endpoint.Ordered {
		return verdict{}, nil
	}
	blocker, err := a.Store.Blocker(ctx, c.endpoint, c.message)
	if err != nil {
		return verdict{}, storeError(fmt.Errorf("looking for what comes before %s: %w", c.message.ID, err))
	}
	if blocker == "" {
		return verdict{}, nil
	}
	return verdict{waits: posthorn.WaitOrder, reason: "its turn comes when the messages before it have ended"}, nil
}

// WakeSoon has a delivery that was let go looked at without keeping the caller waiting. Where that fails, WakeOverdue
// does it.
func (a *Activities) WakeSoon(d posthorn.Delivery) {
	a.rounds.Go(func() {
		if err := a.Starter.Wake(a.sending, d); err != nil {
			a.Logger.Warn("a delivery whose turn has come has to wait for the next round", "message", d.MessageID, "endpoint", d.EndpointID, "error", err)
		}
	})
}

// advance lets those go whose turn has come without anybody saying so: a process died, or what they waited for was never
// to be sent there after all.
func (a *Activities) advance(ctx context.Context, t *tending) (again time.Time, err error) {
	for after := ""; ; {
		released, last, err := a.Store.Unblocked(ctx, t.EndpointID, after, a.Now(), orderPage)
		if err != nil {
			return time.Time{}, err
		}
		if err := a.Starter.Wake(ctx, released...); err != nil {
			return time.Time{}, err
		}
		if last == "" {
			break
		}
		after = last
	}
	counts, err := a.Store.CountWaiting(ctx, t.EndpointID)
	if err != nil || counts[posthorn.WaitOrder] == 0 {
		return time.Time{}, err
	}
	return a.Now().Add(orderRecheck), nil
}
