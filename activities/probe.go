package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// probe tries an endpoint whose circuit is open with one of the messages that are held, once in an interval. If nothing is
// held there is nothing to do: the next message to be held calls for attention, and is the next probe if one is due.
func (a *Activities) probe(ctx context.Context, t *tending) (again time.Time, err error) {
	if t.endpoint == nil || blocked(t.endpoint) || !a.isOpen(&t.health) {
		return time.Time{}, nil
	}
	now := a.Now()
	if t.health.NextProbeAt.After(now) {
		return t.health.NextProbeAt, nil
	}
	lease := now.Add(max(a.Health.ProbeInterval, a.AttemptTimeout+probeMargin))
	d, err := a.Store.TakeProbe(ctx, t.EndpointID, now, lease)
	switch posthorn.CodeOf(err) {
	case "":
		return a.probeWith(ctx, t, d)
	case posthorn.NotFound:
		return time.Time{}, nil
	case posthorn.Conflict: // somebody was quicker
		return a.Now(), nil
	default:
		return time.Time{}, err
	}
}

// probeMargin is what a probe gets beyond its timeout before another may be made, for recording it.
const probeMargin = 15 * time.Second

func (a *Activities) probeWith(ctx context.Context, t *tending, d posthorn.Delivery) (again time.Time, err error) {
	message, err := a.Store.MessageByID(ctx, d.MessageID)
	if posthorn.CodeOf(err) == posthorn.NotFound { // it was removed just now, with its deliveries
		return a.Now(), nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("reading message %s: %w", d.MessageID, err)
	}
	c := &candidate{message: &message, endpoint: t.endpoint, delivery: d, now: a.Now(), probe: true}
	defer c.done()
	v, err := a.gate(ctx, c)
	if err != nil {
		return time.Time{}, err
	}
	if message.Payload == nil || !v.sends() || !a.flights.begin(d.MessageID, d.EndpointID) {
		// Its own activity finds out what becomes of it. The next probe is made with another.
		return a.Now().Add(a.Health.ProbeInterval), a.Starter.Wake(ctx, d)
	}
	defer a.flights.land(d.MessageID, d.EndpointID)
	recorded, err := a.record(ctx, store.Record{
		MessageID: d.MessageID, AppID: d.AppID,
		Attempts: []posthorn.Attempt{a.attempt(&message, t.endpoint, posthorn.Probe, d.Scheduled, nil)},
	})
	if err != nil {
		return time.Time{}, err
	}
	if !recorded[0].Success {
		return a.Now().Add(a.Health.ProbeInterval), nil
	}
	return a.Now(), a.Starter.Nudge(ctx, d)
}
