package api

import (
	"context"
	"sync"
	"time"
)

// openRequests are the requests with a key that this process is at.
type openRequests struct {
	lease, wait time.Duration

	mu      sync.Mutex
	byClaim map[string]chan struct{} // closed when the request has ended
}

func newOpenRequests() *openRequests {
	return &openRequests{lease: claimLease, wait: maxWaiting, byClaim: make(map[string]chan struct{})}
}

// enter returns when no other request of this process is at the claim.
func (o *openRequests) enter(ctx context.Context, id string) (leave func(), err error) {
	for {
		o.mu.Lock()
		ahead, busy := o.byClaim[id]
		if !busy {
			mine := make(chan struct{})
			o.byClaim[id] = mine
			o.mu.Unlock()
			return func() {
				o.mu.Lock()
				delete(o.byClaim, id)
				o.mu.Unlock()
				close(mine)
			}, nil
		}
		o.mu.Unlock()
		select {
		case <-ahead:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
