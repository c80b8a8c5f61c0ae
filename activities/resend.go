package activities

import (
	"context"
	"fmt"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// ResendInput asks for one more attempt of a delivery.
type ResendInput struct {
	MessageID  string
	AppID      string
	EndpointID string
	AttemptID  string // the attempt to make, chosen beforehand so that a repeated run recognises it
}

// ResendResult is how the attempt ended. A failed one is a result, not an error: nobody tries again by itself.
type ResendResult struct {
	Delivered bool
	Skipped   bool   `json:",omitempty"` // there was nothing to send, or nobody to send it to
	Message   string // such as "200 OK after 12 ms"
}

// Resend makes one attempt by hand, whatever the state of the delivery and the subscriptions of the endpoint are.
func (a *Activities) Resend(ctx context.Context, in ResendInput) (ResendResult, error) {
	made, err := a.Store.Attempt(ctx, in.MessageID, in.AttemptID)
	if err == nil {
		return ResendResult{Delivered: made.Success, Message: made.Message}, nil
	}
	if posthorn.CodeOf(err) != posthorn.NotFound {
		return ResendResult{}, storeError(fmt.Errorf("reading attempt %s: %w", in.AttemptID, err))
	}
	message, err := a.Store.MessageByID(ctx, in.MessageID)
	if err != nil {
		return ResendResult{}, storeError(fmt.Errorf("reading message %s: %w", in.MessageID, err))
	}
	if message.Payload == nil {
		return ResendResult{Skipped: true, Message: "not sent: the payload has expired or was expunged"}, nil
	}
	endpoint, err := a.Store.Endpoint(ctx, in.AppID, in.EndpointID)
	if posthorn.CodeOf(err) == posthorn.NotFound {
		return ResendResult{Skipped: true, Message: "not sent: the endpoint was deleted"}, nil
	}
	if err != nil {
		return ResendResult{}, storeError(fmt.Errorf("reading endpoint %s: %w", in.EndpointID, err))
	}
	if made, err = a.sendByHand(ctx, &message, &endpoint, in.AttemptID); err != nil {
		return ResendResult{}, storeError(err)
	}
	return ResendResult{Delivered: made.Success, Message: made.Message}, nil
}

// sendByHand makes an attempt and records it. A delivery that was waiting and has been made hears of it.
func (a *Activities) sendByHand(ctx context.Context, m *posthorn.Message, ep *posthorn.Endpoint, attemptID string) (posthorn.Attempt, error) {
	before, err := a.Store.Delivery(ctx, m.ID, ep.ID)
	if err != nil && posthorn.CodeOf(err) != posthorn.NotFound {
		return posthorn.Attempt{}, fmt.Errorf("reading the delivery of %s to %s: %w", m.ID, ep.ID, err)
	}
	made := a.attempt(m, ep, posthorn.Manual, 0, nil)
	made.ID = attemptID
	if _, err := a.record(ctx, store.Record{MessageID: m.ID, AppID: m.AppID, Attempts: []posthorn.Attempt{made}}); err != nil {
		return posthorn.Attempt{}, err
	}
	if made.Success && before.State != "" && !before.State.Ended() {
		if err := a.Starter.Nudge(ctx, before); err != nil {
			a.Logger.Warn("a delivery goes on waiting although it has been made", "message", m.ID, "endpoint", ep.ID, "error", err)
		}
	}
	return made, nil
}
