package activities

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

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
// failure and the next time like any later run does. What the gate lets wait comes back when the wait is over, or is woken.
func (a *Activities) SendToEndpoint(ctx context.Context, in SendToEndpointInput) (result SendToEndpointResult, err error) {
	defer keepAlive(ctx)()
	a.Wakes.run(in.MessageID, in.EndpointID, func() (waits bool) {
		result, err = a.carryOn(ctx, in)
		return isWaiting(err) && ctx.Err() == nil
	})
	return result, err
}

// carryOn waits for whoever else in this process deals with the delivery: the fast lane, a probe, or another run.
func (a *Activities) carryOn(ctx context.Context, in SendToEndpointInput) (SendToEndpointResult, error) {
	if err := a.flights.take(ctx, in.MessageID, in.EndpointID); err != nil {
		return SendToEndpointResult{}, err
	}
	defer a.flights.land(in.MessageID, in.EndpointID)
	return a.decide(ctx, in)
}

// decide goes on with a delivery as it stands. No other run of this process is at it meanwhile.
func (a *Activities) decide(ctx context.Context, in SendToEndpointInput) (SendToEndpointResult, error) {
	delivery, err := a.Store.Delivery(ctx, in.MessageID, in.EndpointID)
	if err != nil && posthorn.CodeOf(err) != posthorn.NotFound {
		return SendToEndpointResult{}, storeError(fmt.Errorf("reading the delivery of %s to %s: %w", in.MessageID, in.EndpointID, err))
	}
	waits := delivery.Waits != posthorn.WaitNothing
	switch {
	case delivery.State == posthorn.Delivered, delivery.State == posthorn.Cancelled:
		return SendToEndpointResult{State: delivery.State, Attempts: delivery.Attempts, Reason: delivery.Reason}, nil
	case delivery.State == posthorn.Failed && delivery.Reason != "":
		return SendToEndpointResult{}, failedError(delivery.Reason)
	case delivery.State == posthorn.Failed && !store.SentByHandOnly(&delivery), !waits && delivery.Scheduled > reported(ctx) && delivery.NextAt.After(a.Now()):
		last, err := a.Store.LastAttempt(ctx, in.MessageID, in.EndpointID)
		if err != nil {
			return SendToEndpointResult{}, storeError(fmt.Errorf("reading the last attempt of %s to %s: %w", in.MessageID, in.EndpointID, err))
		}
		last.NextAt = delivery.NextAt // it may have been moved since
		return SendToEndpointResult{}, attemptError(last, delivery.Scheduled, a.Now())
	}
	return a.sendNext(ctx, in, delivery)
}

// HeartbeatTimeout is how long Temporal waits for a sign of life before it runs SendToEndpoint again, in another process
// if need be.
const HeartbeatTimeout = 24 * time.Second

// keepAlive heartbeats while a run waits for a slow receiver, until the returned function is called. Most runs are over
// before the first heartbeat, each of which costs a write: those too whose receiver doesn't answer within the usual 15 s.
func keepAlive(ctx context.Context) (stop func()) {
	n := reported(ctx)
	tick := time.NewTicker(HeartbeatTimeout * 2 / 3)
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

// reported returns how many scheduled attempts earlier runs have reported. The details of their failures become those of
// the last heartbeat (engine.KeepDetails), which heartbeats repeat.
func reported(ctx context.Context) int {
	var n int
	if activity.HasHeartbeatDetails(ctx) && activity.GetHeartbeatDetails(ctx, &n) != nil {
		return 0
	}
	return n
}

func (a *Activities) sendNext(ctx context.Context, in SendToEndpointInput, delivery posthorn.Delivery) (SendToEndpointResult, error) {
	message, err := a.Store.MessageByID(ctx, in.MessageID)
	if posthorn.CodeOf(err) == posthorn.NotFound { // its delivery has ended by hand while a retry was waiting, long ago
		return SendToEndpointResult{State: posthorn.Cancelled, Reason: "the message is not kept any more"}, nil
	}
	if err != nil {
		return SendToEndpointResult{}, storeError(fmt.Errorf("reading message %s: %w", in.MessageID, err))
	}
	if message.Payload == nil {
		return a.cancel(ctx, in, delivery, "the payload has expired or was expunged")
	}
	endpoint, err := a.Store.Endpoint(ctx, in.AppID, in.EndpointID)
	switch {
	case posthorn.CodeOf(err) == posthorn.NotFound:
		return a.cancel(ctx, in, delivery, deletedReason)
	case err != nil:
		return SendToEndpointResult{}, storeError(fmt.Errorf("reading endpoint %s: %w", in.EndpointID, err))
	}
	c := &candidate{message: &message, endpoint: &endpoint, delivery: delivery, now: a.Now(), patience: durablePatience, parks: delivery.Parked}
	defer c.done()
	switch v, err := a.gate(ctx, c); {
	case err != nil:
		return SendToEndpointResult{}, err
	case v.waits != posthorn.WaitNothing:
		changed, err := a.noteWait(ctx, c, v)
		if err != nil {
			return SendToEndpointResult{}, err
		}
		if changed {
			// What it waits for may have happened before anybody could see it wait.
			return a.decide(ctx, in)
		}
		return SendToEndpointResult{}, a.waitOn(c, v)
	case v.ends == posthorn.Failed:
		if err := a.close(ctx, in, v.ends, v.reason); err != nil {
			return SendToEndpointResult{}, err
		}
		return SendToEndpointResult{}, failedError(v.reason)
	case v.ends != "":
		return a.cancel(ctx, in, delivery, v.reason)
	}

	inherited, err := a.typeSchedule(ctx, message.AppID, message.EventType)
	if err != nil {
		return SendToEndpointResult{}, err
	}
	a.untilTurn(c)
	made := a.attempt(&message, &endpoint, posthorn.Automatic, delivery.Scheduled, inherited)
	record := store.Record{MessageID: in.MessageID, AppID: in.AppID, Attempts: []posthorn.Attempt{made}}
	cutOff(&message, &record)
	recorded, err := a.record(ctx, record)
	if err != nil {
		return SendToEndpointResult{}, storeError(err)
	}
	if !recorded[0].Success {
		if recorded[0].NextAt.IsZero() && !made.NextAt.IsZero() { // it was cancelled meanwhile, or its time is over
			return a.decide(ctx, in)
		}
		return SendToEndpointResult{}, attemptError(recorded[0], delivery.Scheduled+1, a.Now())
	}
	return SendToEndpointResult{State: posthorn.Delivered, Attempts: recorded[0].Number}, nil
}

// noteWait records what a delivery waits for, and reports whether that is news.
func (a *Activities) noteWait(ctx context.Context, c *candidate, v verdict) (changed bool, err error) {
	before, d := c.delivery, v.delivery(c)
	if v.recorded || before.Waits == d.Waits && before.Reason == d.Reason && before.NextAt.Equal(d.NextAt) && before.Parked == d.Parked {
		return false, nil
	}
	_, err = a.record(ctx, store.Record{MessageID: d.MessageID, AppID: d.AppID, Waiting: []posthorn.Delivery{d}})
	if err != nil {
		return false, storeError(err)
	}
	return before.Waits != d.Waits, nil
}

// waitOn has Temporal come back when the wait is over: at the latest when there is nothing left to send.
func (a *Activities) waitOn(c *candidate, v verdict) error {
	until := v.until
	if until.IsZero() {
		until = c.expiry()
	}
	return waitingError(v.waits, v.reason, until.Sub(a.Now()))
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
