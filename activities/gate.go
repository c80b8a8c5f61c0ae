package activities

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

// candidate is a delivery that could be sent now.
type candidate struct {
	message  *posthorn.Message
	endpoint *posthorn.Endpoint
	delivery posthorn.Delivery // as it is on record; without a state if it isn't
	now      time.Time
	patience time.Duration // how long its lane can wait for its turn
	probe    bool          // it is to find out whether the circuit can be closed
	parks    bool          // no workflow has it: it can wait in the database only
	release  []func()      // what has to be given back once the attempt is recorded, or is not made after all

	notBefore time.Time // when its turn is; zero: now
}

// onRelease has something given back when the candidate has been dealt with.
func (c *candidate) onRelease(f func()) { c.release = append(c.release, f) }

func (c *candidate) done() {
	for _, f := range c.release {
		f()
	}
	c.release = nil
}

// verdict is what the gate says of a candidate. The zero value: send it.
type verdict struct {
	waits  posthorn.Wait          // what it has to wait for
	until  time.Time              // when to ask again if nobody wakes it before; zero: only then
	ends   posthorn.DeliveryState // how it ends, if it is not to be sent at all
	reason string                 // why it waits or ends

	recorded bool // that it waits is on record already
}

func (v verdict) sends() bool { return v.waits == posthorn.WaitNothing && v.ends == "" }

// expiry is when there is nothing left to send, so that the delivery ends.
func (c *candidate) expiry() time.Time { return c.message.ExpiresAt.Add(time.Second) }

// delivery is the candidate's delivery as it waits.
func (v verdict) delivery(c *candidate) posthorn.Delivery {
	d := posthorn.Delivery{
		MessageID: c.message.ID, AppID: c.message.AppID, EndpointID: c.endpoint.ID, Waits: v.waits, Reason: v.reason, NextAt: v.until,
		Parked: c.parks && parks(v.waits),
	}
	if d.Parked && d.NextAt.IsZero() {
		d.NextAt = c.expiry()
	}
	return d
}

// end is the candidate's delivery as it ends.
func (v verdict) end(c *candidate) posthorn.Delivery {
	return posthorn.Delivery{
		MessageID: c.message.ID, AppID: c.message.AppID, EndpointID: c.endpoint.ID, State: v.ends, Reason: v.reason,
	}
}

// check looks at one thing that can be in the way of an attempt. It is asked before every scheduled attempt, in both lanes,
// so for endpoints and messages that don't use what it is about it must cost nothing.
type check func(ctx context.Context, c *candidate) (verdict, error)

// checks are asked in this order, and the first that doesn't say "send" decides. What takes something, a turn or a slot,
// comes last.
func (a *Activities) checks() []check {
	return []check{
		checkTime,
		a.checkSchedule,
		checkEndpoint,
		a.checkOrder,
		a.checkCircuit, // of an ordered endpoint it holds the first of each key only, so probes keep the order
		a.checkRoom,
		a.checkThrottle,
		a.checkFlight,
	}
}

// gate says whether a candidate is sent now. If it is, the caller calls done when the attempt is recorded.
func (a *Activities) gate(ctx context.Context, c *candidate) (verdict, error) {
	for _, check := range a.checks() {
		v, err := check(ctx, c)
		if err != nil || !v.sends() {
			c.done()
			if c.delivery.Waits == posthorn.WaitFlight && v.waits != posthorn.WaitFlight {
				a.land(c.endpoint.ID, c.message.ID) // it may have been handed what it does not use now
			}
			return v.bounded(c.message), err
		}
	}
	return verdict{}, nil
}

// checkEndpoint holds what is for an endpoint that takes no messages.
func checkEndpoint(_ context.Context, c *candidate) (verdict, error) {
	waits, reason := c.endpoint.Blocked()
	return verdict{waits: waits, reason: reason}, nil
}
