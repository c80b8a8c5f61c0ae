package dispatch

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/internal/store"
)

const (
	// maxMissed bounds how much is remembered of what was missed. What is beyond it is overdue before long.
	maxMissed = 10_000
	// missedBatch is how many deliveries are woken together.
	missedBatch = 100
	// firstPause and longestPause lie between two repetitions while the outage lasts.
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
	// lastWords is how long Close may take.
	lastWords = time.Second
)

// Insistent is a Starter that repeats in the background the wakes that fail in an outage, until it is over:
// nothing has to wait until it is overdue. Callers hear of the failure all the same. What is missed is remembered only as long as the
// process lives, and a wake too many does no harm.
type Insistent struct {
	activities.Starter
	log    *slog.Logger
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu     sync.Mutex
	missed map[missed]posthorn.Delivery
	some   chan struct{} // has one element if there may be some
}

// missed names a delivery or, without a message, an endpoint that is to be tended.
type missed struct{ messageID, endpointID string }

// NewInsistent returns one that goes on until it is closed.
func NewInsistent(s activities.Starter, log *slog.Logger) *Insistent {
	ctx, cancel := context.WithCancel(context.Background())
	i := &Insistent{Starter: s, log: log, cancel: cancel, missed: make(map[missed]posthorn.Delivery), some: make(chan struct{}, 1)}
	i.ended.Go(func() { i.run(ctx) })
	return i
}

// Close ends the repetitions, after a last one: what stopped in between letting go and waking is woken.
func (i *Insistent) Close() {
	i.cancel()
	i.ended.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), lastWords)
	defer cancel()
	for some := i.take(); len(some) > 0 && i.repeat(ctx, some); some = i.take() {
	}
}

// Wake implements [activities.Waker].
func (i *Insistent) Wake(ctx context.Context, ds ...posthorn.Delivery) error {
	err := i.Starter.Wake(ctx, ds...)
	if passes(err) {
		i.note(ds...)
	}
	return err
}

// Tend implements [activities.Waker].
func (i *Insistent) Tend(ctx context.Context, appID, endpointID string) error {
	err := i.Starter.Tend(ctx, appID, endpointID)
	if passes(err) {
		i.note(posthorn.Delivery{AppID: appID, EndpointID: endpointID})
	}
	return err
}

// passes tells an outage, of Temporal or of the database, from what would fail again.
func passes(err error) bool { return posthorn.CodeOf(err) == posthorn.Unavailable || store.Outage(err) }

func (i *Insistent) note(ds ...posthorn.Delivery) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, d := range ds {
		if len(i.missed) < maxMissed {
			i.missed[missed{d.MessageID, d.EndpointID}] = d
		}
	}
	select {
	case i.some <- struct{}{}:
	default:
	}
}

// take returns some of what was missed, for which the caller is responsible from then on.
func (i *Insistent) take() (some []posthorn.Delivery) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for key, d := range i.missed {
		if len(some) == missedBatch {
			break
		}
		delete(i.missed, key)
		some = append(some, d)
	}
	return some
}

func (i *Insistent) run(ctx context.Context) {
	for {
		select {
		case <-i.some:
		case <-ctx.Done():
			return
		}
		i.log.Warn("wakes of deliveries got no answer; they are repeated until they do")
		for pause := firstPause; ; {
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return
			}
			some := i.take()
			if len(some) == 0 {
				break
			}
			if i.repeat(ctx, some) {
				pause = 0
			} else {
				pause = min(2*max(pause, firstPause), longestPause)
			}
		}
	}
}

// repeat reports whether the outage is over. What is missed again is noted again.
func (i *Insistent) repeat(ctx context.Context, some []posthorn.Delivery) (over bool) {
	var wakes []posthorn.Delivery
	over = true
	for _, d := range some {
		if d.MessageID != "" {
			wakes = append(wakes, d)
			continue
		}
		over = i.succeeds(ctx, i.Tend(ctx, d.AppID, d.EndpointID)) && over
	}
	return i.succeeds(ctx, i.Wake(ctx, wakes...)) && over
}

func (i *Insistent) succeeds(ctx context.Context, err error) bool {
	if err != nil && !passes(err) && ctx.Err() == nil {
		i.log.Warn("some deliveries have to wait until they are overdue", "error", err)
	}
	return !passes(err)
}
