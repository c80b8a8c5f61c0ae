package activities

import (
	"context"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// ClosePartInput says how deliveries end that nobody has begun to carry on.
type ClosePartInput struct {
	MessageID   string
	AppID       string
	EndpointIDs []string
	State       posthorn.DeliveryState
	Reason      string
}

// ClosePart is CloseDelivery for many deliveries of a message at once.
func (a *Activities) ClosePart(ctx context.Context, in ClosePartInput) error {
	r := store.Record{MessageID: in.MessageID, AppID: in.AppID}
	for _, id := range in.EndpointIDs {
		r.Closed = append(r.Closed, posthorn.Delivery{
			MessageID: in.MessageID, AppID: in.AppID, EndpointID: id, State: in.State, Reason: in.Reason,
		})
	}
	if _, err := a.record(ctx, r); err != nil {
		return storeError(err)
	}
	return nil
}
