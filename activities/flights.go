package activities

import (
	"context"
	"sync"
)

// flight is a request of the fast lane on its way. Landed is closed when its attempt is recorded, or could not be.
type flight struct {
	landed chan struct{}
}

type flightKey struct{ messageID, endpointID string }

// flights are the requests of this process's fast lane that have not ended.
type flights struct {
	mu  sync.Mutex
	all map[flightKey]*flight
}

// begin registers a request. It returns false if there is one already.
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

func (f *flights) land(messageID, endpointID string) {
	key := flightKey{messageID, endpointID}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl, ok := f.all[key]; ok {
		close(fl.landed)
		delete(f.all, key)
	}
}

// wait returns when no request of the delivery is in flight, or with ctx's error.
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
