package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// heldRecheck is how often a delivery to a disabled endpoint looks whether the endpoint takes messages again.
const heldRecheck = time.Minute

// SendToEndpointInput names a delivery.
type SendToEndpointInput struct {
	MessageID  string
	AppID      string
	EndpointID string
}

// SendToEndpointResult is how a delivery ended other than by failing.
type SendToEndpointResult struct {
	State    posthorn.DeliveryState // Delivered or Cancelled
	Attempts int                    `json:",omitempty"`
	Reason   string                 `json:",omitempty"`
}

// SendToEndpoint is the durable lane: each run makes at most one attempt of a delivery, and fails with the time of the
// next one. The first run usually finds the fast lane's attempt and reports it, so that the pending activity shows the
// failure and the next time like any later run does.
func (a *Activities) SendToEndpoint(ctx context.Context, in SendToEndpointInput) (SendToEndpointResult, error) {
	defer keepAlive(ctx)()
	if err := a.flights.wait(ctx, in.MessageID, in.EndpointID); err != nil {
		return SendToEndpointResult{}, err
	}
	delivery, err := a.Store.Delivery(ctx, in.MessageID, in.EndpointID)
	if err != nil && posthorn.CodeOf(err) != posthorn.NotFound {
		return SendToEndpointResult{}, storeError(fmt.Errorf("reading the delivery of %s to %s: %w", in.MessageID, in.EndpointID, err))
	}
	switch {
	case delivery.State == posthorn.Delivered, delivery.State == posthorn.Cancelled:
		return SendToEndpointResult{State: delivery.State, Attempts: delivery.Attempts, Reason: delivery.Reason}, nil
	case delivery.State == posthorn.Failed, delivery.Scheduled > reported(ctx) && delivery.NextAt.After(a.Now()):
		last, err := a.Store.LastAttempt(ctx, in.MessageID, in.EndpointID)
		if err != nil {
			return SendToEndpointResult{}, storeError(fmt.Errorf("reading the last attempt of %s to %s: %w", in.MessageID, in.EndpointID, err))
		}
		return SendToEndpointResult{}, a.report(ctx, last, delivery.Scheduled)
	}
	return a.sendNext(ctx, in, delivery)
}

// report fails a run with the outcome of a scheduled attempt, the n-th. The count goes along as heartbeat, which the
// next run can read: where Temporal knows of all attempts on record and starts a run nevertheless, then either the next
// attempt is due or an operator wants it now. An attempt that Temporal does not know of, because a process died before
// it could tell, is reported first.
func (a *Activities) report(ctx context.Context, attempt posthorn.Attempt, n int) error {
	if !attempt.NextAt.IsZero() {
		activity.RecordHeartbeat(ctx, n)
	}
	return attemptError(attempt, a.Now())
}

// HeartbeatTimeout is how long Temporal waits for a sign of life before it runs SendToEndpoint again, in another process
// if need be.
const HeartbeatTimeout = 15 * time.Second

// keepAlive heartbeats while a run waits for a slow receiver, until the returned function is called. A quick run is over
// before the first heartbeat, each of which costs a write.
func keepAlive(ctx context.Context) (stop func()) {
	n := reported(ctx)
	tick := time.NewTicker(HeartbeatTimeout / 3)
	stopped, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-tick.C:
				activity.RecordHeartbeat(ctx, n)
			case <-stopped:
				return
			}
		}
	}()
	return func() {
		tick.Stop()
		close(stopped)
		<-done
	}
}

// reported returns how many scheduled attempts earlier runs have reported.
func reported(ctx context.Context) int {
	var n int
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &n) != nil {
		return 0
	}
	return n
}

func (a *Activities) sendNext(ctx context.Context, in SendToEndpointInput, delivery posthorn.Delivery) (SendToEndpointResult, error) {
	message, err := a.Store.MessageByID(ctx, in.MessageID)
	if err != nil {
		return SendToEndpointResult{}, storeError(fmt.Errorf("reading message %s: %w", in.MessageID, err))
	}
	if message.Payload == nil {
		return a.cancel(ctx, in, delivery, "the payload has expired or was expunged")
	}
	endpoint, err := a.Store.Endpoint(ctx, in.AppID, in.EndpointID)
	switch {
	case posthorn.CodeOf(err) == posthorn.NotFound:
		return a.cancel(ctx, in, delivery, "the endpoint was deleted")
	case err != nil:
		return SendToEndpointResult{}, storeError(fmt.Errorf("reading endpoint %s: %w", in.EndpointID, err))
	case endpoint.Disabled:
		const reason = "the endpoint is disabled"
		if err := a.close(ctx, in, posthorn.Held, reason); err != nil {
			return SendToEndpointResult{}, err
		}
		return SendToEndpointResult{}, heldError(reason, heldRecheck)
	}

	recorded, err := a.record(ctx, store.Record{
		MessageID: in.MessageID, AppID: in.AppID,
		Attempts: []posthorn.Attempt{a.attempt(&message, &endpoint, posthorn.Automatic, delivery.Scheduled)},
	})
	if err != nil {
		return SendToEndpointResult{}, storeError(err)
	}
	if !recorded[0].Success {
		return SendToEndpointResult{}, a.report(ctx, recorded[0], delivery.Scheduled+1)
	}
	return SendToEndpointResult{State: posthorn.Delivered, Attempts: recorded[0].Number}, nil
}

func (a *Activities) cancel(ctx context.Context, in SendToEndpointInput, d posthorn.Delivery, reason string) (SendToEndpointResult, error) {
	if err := a.close(ctx, in, posthorn.Cancelled, reason); err != nil {
		return SendToEndpointResult{}, err
	}
	return SendToEndpointResult{State: posthorn.Cancelled, Attempts: d.Attempts, Reason: reason}, nil
}

func (a *Activities) close(ctx context.Context, in SendToEndpointInput, state posthorn.DeliveryState, reason string) error {
	return a.CloseDelivery(ctx, CloseDeliveryInput{in, state, reason})
}

// CloseDeliveryInput says how a delivery ends that its own activity did not end.
type CloseDeliveryInput struct {
	SendToEndpointInput
	State  posthorn.DeliveryState
	Reason string
}

// CloseDelivery records that a delivery ends without a further attempt: its time window is over, or an operator
// cancelled the workflow.
func (a *Activities) CloseDelivery(ctx context.Context, in CloseDeliveryInput) error {
	_, err := a.record(ctx, store.Record{
		MessageID: in.MessageID, AppID: in.AppID,
		Closed: []posthorn.Delivery{{
			MessageID: in.MessageID, AppID: in.AppID, EndpointID: in.EndpointID, State: in.State, Reason: in.Reason,
		}},
	})
	if err != nil {
		return storeError(err)
	}
	return nil
}
