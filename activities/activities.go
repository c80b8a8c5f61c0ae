package activities

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/catalogue"
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
	Wakes    *Wakes    // deliveries that this process is at work on; nil: a new one
	Starter  Starter
	Schedule posthorn.Schedule // where neither endpoint nor event type has one of its own
	// Catalogue knows the schedules of event types; default: one that reads from Store.
	Catalogue *catalogue.Table
	Circuits  *routing.Circuits    // nil: no circuit holds anything
	Health    posthorn.HealthRules // what follows for endpoints that fail
	// AttemptTimeout bounds one request, response body included. It must be the one that Egress was made with.
	AttemptTimeout time.Duration
	// FastLaneWait is how long the fast lane waits for slow receivers before it hands them on; default 3 s.
	FastLaneWait time.Duration
	// SlowAfter is the response time from which an endpoint counts as slow and skips the fast lane; default 1 s.
	SlowAfter time.Duration
	// PartSize is how many endpoints of a message are sent to in one run of the fast lane; default 500.
	PartSize int
	// PerEndpoint and PerApplication are how many requests can be under way from this process; default 100 and 500.
	PerEndpoint, PerApplication int
	Retention                   Retention
	Logger                      *slog.Logger
	Now                         func() time.Time // default time.Now
}

// Starter begins the delivery of a stored message.
type Starter interface {
	// Start begins the message's workflow. Conflict: it has begun before.
	Start(ctx context.Context, m posthorn.Message) error
	// Running reports whether the message's workflow has begun and not ended.
	Running(ctx context.Context, messageID string) (bool, error)
	TaskStarter
	Waker
}

// Activities are the activities with what they depend on. Make one with New, end it with Close.
type Activities struct {
	Options
	flights flights
	slow    slowEndpoints
	crowds  crowds
	lanes   lanes

	landings leisure // of records of requests that nobody waits for
	tends    leisure // of endpoints that come to be looked after, each of which is a dozen writes at Temporal

	// sending is the context of requests and their recording. It outlives the activity that began them.
	sending context.Context
	abort   context.CancelFunc
	rounds  sync.WaitGroup

	// calling is the context of those who call in what waits for room; it ends when nothing more is to begin.
	calling     context.Context
	stopCalling context.CancelFunc
	callers     sync.WaitGroup
}

// New returns activities ready to be registered with a worker.
func New(o Options) *Activities {
	o.FastLaneWait = cmp.Or(o.FastLaneWait, 3*time.Second)
	o.SlowAfter = cmp.Or(o.SlowAfter, time.Second)
	o.PartSize = cmp.Or(o.PartSize, partSize)
	o.PerEndpoint = cmp.Or(o.PerEndpoint, defaultPerEndpoint)
	o.PerApplication = cmp.Or(o.PerApplication, defaultPerApplication)
	if o.Wakes == nil {
		o.Wakes = NewWakes()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Catalogue == nil {
		o.Catalogue = catalogue.New(o.Store)
	}
	a := &Activities{
		Options: o, landings: leisure{perSecond: 20, atOnce: 1}, tends: leisure{perSecond: 10, atOnce: 3},
	}
	a.sending, a.abort = context.WithCancel(context.Background())
	a.calling, a.stopCalling = context.WithCancel(context.Background())
	return a
}

// Close waits until the requests in flight have ended and are recorded. When ctx ends first it cuts them off; they are
// sent again by whichever process carries on. Call it after the worker has stopped and before the store is closed.
func (a *Activities) Close(ctx context.Context) {
	a.stopCalling()
	a.callers.Wait()
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
