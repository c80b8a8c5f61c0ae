package activities

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const (
	// partSize is how many endpoints one run sends to. What a run leaves open is part of a history, at a hundred bytes
	// each, and where it is all of them, one workflow carries it on, with up to eight events each.
	partSize = 500
	// maxOpenTogether is how many open deliveries a message's own workflow carries on.
	maxOpenTogether = 500
)

// SendToAllInput names the message to send, and which part of its endpoints.
type SendToAllInput struct {
	MessageID string
	After     string `json:",omitempty"` // ID of the endpoint behind which the part begins
	Open      int    `json:",omitempty"` // how many deliveries the message's workflow has to carry on already
}

// SendToAllResult says what the fast lane left to do. It becomes part of the workflow's history, so it is small.
type SendToAllResult struct {
	Endpoints int            // how many endpoints the message goes to
	Delivered int            // how many of them have it
	Held      int            `json:",omitempty"` // how many are disabled or have no room; their deliveries wait in the database only
	Cancelled int            `json:",omitempty"` // how many are not to have it any more
	Open      []OpenDelivery `json:",omitempty"` // the others, by endpoint ID
	// Apart: the open ones are too many for the message's workflow and get one of their own.
	Apart bool `json:",omitempty"`
	// Through is the last endpoint of the part, if there are more; Total, how many there are in all, as things stand.
	Through string `json:",omitempty"`
	Total   int    `json:",omitempty"`
	// Window and AttemptTimeout are the bounds of the durable lane; set where something is open.
	Window         time.Duration `json:",omitempty"`
	AttemptTimeout time.Duration `json:",omitempty"`
}

// OpenDelivery is a delivery for the durable lane.
type OpenDelivery struct {
	EndpointID string
	Label      string // host and path
}

// SendToAll is the fast lane: it posts the message to its endpoints, waits a short time, records what ended and returns what
// is open. Of very many endpoints it takes a part, so that a run is short and its result small. Repeating it, after a
// crash, sends to no endpoint that has an attempt on record.
func (a *Activities) SendToAll(ctx context.Context, in SendToAllInput) (SendToAllResult, error) {
	message, fresh, err := a.load(ctx, in)
	if err != nil {
		return SendToAllResult{}, err
	}
	endpoints, err := a.Routes.Match(ctx, &message)
	if err != nil {
		return SendToAllResult{}, err
	}
	endpoints, result := a.part(endpoints, in.After)
	before, err := a.onRecord(ctx, in, result.Through, fresh)
	if err != nil {
		return SendToAllResult{}, err
	}
	inherited, err := a.typeSchedule(ctx, message.AppID, message.EventType)
	if err != nil {
		return SendToAllResult{}, err
	}

	if err := a.leaveElsewhere(ctx, before); err != nil {
		return SendToAllResult{}, err
	}
	r := newRound(a, message, inherited)
	r.more, r.large = result.Through != "", result.Through != "" || in.After != ""
	for _, ep := range endpoints {
		delivery, known := before[ep.ID]
		delete(before, ep.ID)
		switch {
		case known && delivery.State == posthorn.Delivered:
			r.delivered++
		case known && delivery.State == posthorn.Cancelled:
			r.cancelled++
		case known && delivery.Parked && !delivery.State.Ended():
			r.held++
		case known && !store.SentByHandOnly(&delivery) || message.Payload == nil:
			r.open[ep.ID] = Label(ep.URL)
		case !a.slow.has(ep.ID), a.holds(ctx, ep.ID): // what the gate says at once is no matter for the durable lane
			r.send(ep)
		case a.hasRoom(ep):
			r.open[ep.ID] = Label(ep.URL)
		default:
			r.later(ep)
		}
	}
	// Deliveries of an earlier run whose endpoint no longer matches: the durable lane finds out why and closes them.
	for id, delivery := range before {
		if delivery.State == posthorn.Delivered {
			r.delivered++
		} else {
			r.open[id] = id
		}
	}

	r.start()
	select {
	case <-r.settled:
	case <-ctx.Done():
		return SendToAllResult{}, ctx.Err()
	}
	if r.err != nil {
		return SendToAllResult{}, r.err
	}
	result.Delivered, result.Held, result.Cancelled = r.delivered, r.held, r.cancelled
	result.Endpoints = r.delivered + r.held + r.cancelled + len(r.open)
	for _, id := range slices.Sorted(maps.Keys(r.open)) {
		result.Open = append(result.Open, OpenDelivery{id, r.open[id]})
	}
	if len(result.Open) > 0 {
		result.Window = max(Patience(&message), a.window(result.Open, endpoints, inherited))
		result.AttemptTimeout = a.AttemptTimeout
		result.Apart = in.Open+len(result.Open) > maxOpenTogether
	}
	return result, nil
}

// leaveElsewhere has what an earlier run had parked, and what was let go since and has a workflow of its own, count as parked still:
// only one workflow goes on with a delivery.
func (a *Activities) leaveElsewhere(ctx context.Context, before map[string]posthorn.Delivery) error {
	for id, d := range before {
		if d.State.Ended() || d.Parked {
			continue
		}
		carriedOn, err := a.Starter.CarriedOn(ctx, d.MessageID, id)
		if err != nil {
			return err
		}
		d.Parked = carriedOn
		before[id] = d
	}
	return nil
}

// Patience is how long Temporal goes on with a delivery: it can be held for as long as there is something to send. The day
// more is for what ends it in the database first.
func Patience(m *posthorn.Message) time.Duration { return m.ExpiresAt.Sub(m.CreatedAt) + 24*time.Hour }

// part returns the endpoints behind one that are sent to together, and a result that says whether there are more. They are
// ordered by ID.
func (a *Activities) part(endpoints []*posthorn.Endpoint, after string) ([]*posthorn.Endpoint, SendToAllResult) {
	from := 0
	if after != "" {
		from, _ = slices.BinarySearchFunc(endpoints, after, func(ep *posthorn.Endpoint, after string) int {
			if ep.ID <= after {
				return -1
			}
			return strings.Compare(ep.ID, after)
		})
	}
	if from+a.PartSize >= len(endpoints) {
		return endpoints[from:], SendToAllResult{}
	}
	part := endpoints[from : from+a.PartSize]
	return part, SendToAllResult{Through: part[len(part)-1].ID, Total: len(endpoints)}
}

// load returns the message, and whether it is certain that none of it was sent before.
func (a *Activities) load(ctx context.Context, in SendToAllInput) (m posthorn.Message, fresh bool, err error) {
	if in.After == "" {
		if m, fresh = a.Accepted.Take(in.MessageID); fresh {
			return m, true, nil
		}
	}
	if m, err = a.Store.MessageByID(ctx, in.MessageID); err != nil {
		return m, false, storeError(fmt.Errorf("reading message %s: %w", in.MessageID, err))
	}
	return m, false, nil
}

// onRecord returns the part's deliveries that are on record, by endpoint.
func (a *Activities) onRecord(ctx context.Context, in SendToAllInput, through string, fresh bool) (map[string]posthorn.Delivery, error) {
	if fresh {
		return nil, nil
	}
	deliveries, err := a.Store.DeliveriesBetween(ctx, in.MessageID, in.After, through)
	if err != nil {
		return nil, storeError(fmt.Errorf("reading the deliveries of %s: %w", in.MessageID, err))
	}
	known := make(map[string]posthorn.Delivery, len(deliveries))
	for _, d := range deliveries {
		known[d.EndpointID] = d
	}
	return known, nil
}
