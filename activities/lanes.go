package activities

import (
	"context"
	"sync"
)

// maxReplaying is how many requests of tasks can be on their way to one endpoint at once.
const maxReplaying = 20

// lanes bound how many requests of tasks are on their way to each endpoint, whichever tasks they belong to.
type lanes struct {
	mu  sync.Mutex
	all map[string]*lane // those that are in use
}

type lane struct {
	taken chan struct{}
	users int
}

// open returns the lane of an endpoint. Close it.
func (l *lanes) open(endpointID string) *lane {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = make(map[string]*lane)
	}
	if l.all[endpointID] == nil {
		l.all[endpointID] = &lane{taken: make(chan struct{}, maxReplaying)}
	}
	l.all[endpointID].users++
	return l.all[endpointID]
}

func (l *lanes) close(endpointID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all[endpointID].users--; l.all[endpointID].users == 0 {
		delete(l.all, endpointID)
	}
}

// take waits for a slot, and reports whether there was one before ctx ended.
func (l *lane) take(ctx context.Context) bool {
	select {
	case l.taken <- struct{}{}:
		if ctx.Err() != nil {
			l.give()
			return false
		}
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *lane) give() { <-l.taken }
