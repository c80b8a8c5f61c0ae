package activities

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/internal/routing"
	"github.com/posthorn/posthorn/internal/store"
)

// Options are what activities work with.
type Options struct {
	Store    store.Store
	Routes   *routing.Table
	Egress   *egress.Client
	Accepted *Accepted // messages that this process has just accepted
	Starter  Starter
	Schedule posthorn.Schedule
	// AttemptTimeout bounds one request, response body included. It must be the one that Egress was made with.
	AttemptTimeout time.Duration
	// FastLaneWait is how long the fast lane waits for slow receivers before it hands them on; default 3 s.
	FastLaneWait time.Duration
	// SlowAfter is the response time from which an endpoint counts as slow and skips the fast lane; default 1 s.
	SlowAfter time.Duration
	Logger    *slog.Logger
	Now       func() time.Time // default time.Now
}

// Starter begins the delivery of a stored message.
type Starter interface {
	// Start begins the message's workflow. Conflict: it has begun before.
	Start(ctx context.Context, m posthorn.Message) error
	TaskStarter
}

// Activities are the activities with what they depend on. Make one with New, end it with Close.
type Activities struct {
	Options
	flights flights
	slow    slowEndpoints

	// sending is the context of requests and their recording. It outlives the activity that began them.
	sending context.Context
	abort   context.CancelFunc
	rounds  sync.WaitGroup
}

// New returns activities ready to be registered with a worker.
func New(o Options) *Activities {
	o.FastLaneWait = cmp.Or(o.FastLaneWait, 3*time.Second)
	o.SlowAfter = cmp.Or(o.SlowAfter, time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Activities{Options: o}
	a.sending, a.abort = context.WithCancel(context.Background())
	return a
}

// Close waits until the requests in flight have ended and are recorded. When ctx ends first it cuts them off; they are
// sent again by whichever process carries on. Call it after the worker has stopped and before the store is closed.
func (a *Activities) Close(ctx context.Context) {
	done := make(chan struct{})
	go func() {
		a.rounds.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		a.abort()
		<-done
	}
	a.abort()
}
