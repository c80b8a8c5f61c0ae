package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// ScheduledInput names a message that waits for its time.
type ScheduledInput struct {
	MessageID string
	AppID     string
}

// MarkScheduled notes that a message's workflow waits for its time, so that the sweep leaves the message alone.
func (a *Activities) MarkScheduled(ctx context.Context, in ScheduledInput) error {
	if err := a.Store.MarkScheduled(ctx, in.MessageID); err != nil {
		return storeError(fmt.Errorf("noting that %s is scheduled: %w", in.MessageID, err))
	}
	return nil
}

// CancelScheduled cancels a message whose workflow was cancelled while it waited.
func (a *Activities) CancelScheduled(ctx context.Context, in ScheduledInput) error {
	if _, err := a.Store.CancelMessage(ctx, in.AppID, in.MessageID, a.moment()); err != nil {
		return storeError(fmt.Errorf("cancelling %s: %w", in.MessageID, err))
	}
	return nil
}

// cancelOlder ends what is open for an endpoint whose messages from before a moment were cancelled. What begins later ends
// at the gate.
func (a *Activities) cancelOlder(ctx context.Context, t *tending) (again time.Time, err error) {
	if t.endpoint == nil || t.endpoint.CancelBefore.IsZero() {
		return time.Time{}, nil
	}
	before := store.Before(posthorn.MessageID, t.endpoint.CancelBefore)
	return a.end(ctx, func() ([]posthorn.Delivery, error) {
		return a.Store.CancelOlder(ctx, t.EndpointID, before, t.endpoint.OlderCancelled(), endPage)
	})
}
