package activities

import (
	"context"
	"sync"
)

// flight is a delivery that is being dealt with: a request on its way in the fast lane, or a run of the durable lane. Landed
// is closed when what came of it is recorded, or could not be.
type flight struct {
	landed chan struct{}
}

type flightKey struct{ messageID, endpointID string }

// flights are what this process deals with just now, so that nothing is sent twice at once.
type flights struct {
	mu  sync.Mutex
	all map[flightKey]*flight
}

// begin registers a flight. It returns false if there is one already.
func (f *flights) begin(messageID, endpointID string) bool {
	key := flightKey{messageID, endpointID}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.all == nil {
		f.all = make(map[flightKey]*flight)
	}
	if _, ok := f.all[key]; ok {
		return false
	}
	f.all[key] = &flight{landed: make(chan struct{})}
	return true
}

func (f *flights) has(messageID, endpointID string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all[flightKey{messageID, endpointID}] != nil
}

func (f *flights) land(messageID, endpointID string) {
	key := flightKey{messageID, endpointID}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl, ok := f.all[key]; ok {
		close(fl.landed)
		delete(f.all, key)
	}
}

// take registers a flight as soon as there is no other of the delivery, or returns ctx's error.
func (f *flights) take(ctx context.Context, messageID, endpointID string) error {
	for !f.begin(messageID, endpointID) {
		if err := f.wait(ctx, messageID, endpointID); err != nil {
			return err
		}
	}
	return nil
}

// wait returns when there is no flight of the delivery, or with ctx's error.
func (f *flights) wait(ctx context.Context, messageID, endpointID string) error {
	f.mu.Lock()
	fl := f.all[flightKey{messageID, endpointID}]
	f.mu.Unlock()
	if fl == nil {
		return nil
	}
	select {
	case <-fl.landed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
