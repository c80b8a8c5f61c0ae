package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// gatherFor is how long the fast lane gathers ended attempts so that the whole fan-out shares one commit. After it,
// each attempt is recorded as it ends: a slow sibling does not keep a quick one from becoming durable.
const gatherFor = 200 * time.Millisecond

// SendToAllInput names the message to send.
type SendToAllInput struct {
	MessageID string
}

// SendToAllResult says what the fast lane left to do. It becomes part of the workflow's history, so it is small.
type SendToAllResult struct {
	Endpoints int            // how many endpoints the message goes to
	Delivered int            // how many of them have it
	Open      []OpenDelivery `json:",omitempty"` // the others
	// Window and AttemptTimeout are the bounds of the durable lane; set where something is open.
	Window         time.Duration `json:",omitempty"`
	AttemptTimeout time.Duration `json:",omitempty"`
}

// OpenDelivery is a delivery for the durable lane.
type OpenDelivery struct {
	EndpointID string
	Label      string // host and path
}

// SendToAll is the fast lane: it posts the message to all its endpoints at once, waits a short time, records what
// ended and returns what is open. Repeating it, after a crash, sends to no endpoint that has an attempt on record.
func (a *Activities) SendToAll(ctx context.Context, in SendToAllInput) (SendToAllResult, error) {
	message, before, err := a.load(ctx, in.MessageID)
	if err != nil {
		return SendToAllResult{}, err
	}
	endpoints, err := a.Routes.Match(ctx, &message)
	if err != nil {
		return SendToAllResult{}, err
	}

	r := &round{a: a, message: message, settled: make(chan struct{}), open: make(map[string]string)}
	result := SendToAllResult{}
	var send []*posthorn.Endpoint
	for _, ep := range endpoints {
		delivery, known := before[ep.ID]
		delete(before, ep.ID)
		switch {
		case known && delivery.State == posthorn.Delivered:
			result.Delivered++
		case known || message.Payload == nil || a.slow.has(ep.ID) || !a.flights.begin(message.ID, ep.ID):
			r.open[ep.ID] = Label(ep.URL)
		default:
			send = append(send, ep)
		}
	}
	// Deliveries of an earlier run whose endpoint no longer matches: the durable lane finds out why and closes them.
	for id, delivery := range before {
		if delivery.State == posthorn.Delivered {
			result.Delivered++
		} else {
			r.open[id] = id
		}
	}

	result.Endpoints = result.Delivered + len(r.open) + len(send)
	r.start(send)
	select {
	case <-r.settled:
	case <-ctx.Done():
		return SendToAllResult{}, ctx.Err()
	}
	if r.err != nil {
		return SendToAllResult{}, r.err
	}
	result.Delivered += r.delivered
	for _, ep := range endpoints {
		if label, ok := r.open[ep.ID]; ok {
			result.Open = append(result.Open, OpenDelivery{ep.ID, label})
			delete(r.open, ep.ID)
		}
	}
	for id, label := range r.open {
		result.Open = append(result.Open, OpenDelivery{id, label})
	}
	if len(result.Open) > 0 {
		result.Window = a.Schedule.Window(a.AttemptTimeout)
		result.AttemptTimeout = a.AttemptTimeout
	}
	return result, nil
}

// load returns the message and the deliveries that are on record for it.
func (a *Activities) load(ctx context.Context, id string) (posthorn.Message, map[string]posthorn.Delivery, error) {
	if m, fresh := a.Accepted.Take(id); fresh {
		return m, nil, nil
	}
	m, err := a.Store.MessageByID(ctx, id)
	if err != nil {
		return m, nil, storeError(fmt.Errorf("reading message %s: %w", id, err))
	}
	deliveries, err := a.Store.MessageDeliveries(ctx, id)
	if err != nil {
		return m, nil, storeError(fmt.Errorf("reading the deliveries of %s: %w", id, err))
	}
	known := make(map[string]posthorn.Delivery, len(deliveries))
	for _, d := range deliveries {
		known[d.EndpointID] = d
	}
	return m, known, nil
}

// round is the fast lane's sending of one message. Its goroutines go on after the activity has returned, until the
// last request has ended and is recorded.
type round struct {
	a       *Activities
	message posthorn.Message
	settled chan struct{} // closed when the fields below hold the outcome

	delivered int
	open      map[string]string // endpoint ID → label
	err       error
}

func (r *round) start(endpoints []*posthorn.Endpoint) {
	ended := make(chan posthorn.Attempt, len(endpoints))
	for _, ep := range endpoints {
		r.open[ep.ID] = Label(ep.URL)
		r.a.rounds.Go(func() { ended <- r.a.attempt(&r.message, ep, posthorn.Automatic, 0) })
	}
	r.a.rounds.Go(func() { r.collect(ended, len(endpoints)) })
}

// collect records attempts as they end. It settles the round when all have, or when the fast lane's wait is over.
func (r *round) collect(ended <-chan posthorn.Attempt, flying int) {
	gather := time.NewTimer(gatherFor)
	defer gather.Stop()
	wait := time.NewTimer(r.a.FastLaneWait)
	defer wait.Stop()

	var batch []posthorn.Attempt
	gathering, settled := true, false
	for !settled || flying > 0 {
		settle := flying == 0 && !settled
		if !settle {
			select {
			case attempt := <-ended:
				flying--
				batch = append(batch, attempt)
				settle = flying == 0 && !settled
			case <-gather.C:
				gathering = false
			case <-wait.C:
				settle = !settled
			}
		}
		if settle || ((settled || !gathering) && len(batch) > 0) {
			r.commit(batch, settle, settled)
			batch = nil
			settled = settled || settle
		}
	}
}

// commit records ended attempts and, where it settles the round, the deliveries that go on in the durable lane.
func (r *round) commit(batch []posthorn.Attempt, settle, settled bool) {
	rec := store.Record{MessageID: r.message.ID, AppID: r.message.AppID, Attempts: batch, Dispatched: settle}
	if !settled {
		for _, attempt := range batch {
			if attempt.Success {
				r.delivered++
				delete(r.open, attempt.EndpointID)
			}
		}
	}
	if settle {
		for id := range r.open {
			rec.Pending = append(rec.Pending, id)
		}
	}
	_, err := r.a.record(r.a.sending, rec)
	for _, attempt := range batch {
		r.a.flights.land(attempt.MessageID, attempt.EndpointID)
	}
	switch {
	case err == nil:
	case settled:
		// The durable lane finds no record and sends again; nobody else hears of the error.
		r.a.Logger.Error("an attempt could not be recorded and will be made again", "message", r.message.ID, "error", err)
	default:
		r.err = storeError(err)
	}
	if settle {
		close(r.settled)
	}
}
