package dispatch

import (
	"context"
	"log/slog"
	"sync"

	"github.com/posthorn/posthorn"
)

const (
	// maxNotices bounds how many notices wait to be started. More than that are left to the sweep.
	maxNotices = 10_000
	// noticeStarters is how many are started at once.
	noticeStarters = 4
)

// Notices starts the workflows of stored notices in the background, so that what they tell of doesn't wait for it. A
// notice that can't be started now, or whose process ends before it was, is started by the sweep.
type Notices struct {
	start  func(context.Context, posthorn.Message) error
	log    *slog.Logger
	queue  chan posthorn.Message
	cancel context.CancelFunc
	ended  sync.WaitGroup
}

// NewNotices returns one that goes on until it is closed.
func NewNotices(d *Dispatcher, log *slog.Logger) *Notices { return newNotices(d.Start, log) }

func newNotices(start func(context.Context, posthorn.Message) error, log *slog.Logger) *Notices {
	ctx, cancel := context.WithCancel(context.Background())
	n := &Notices{start: start, log: log, queue: make(chan posthorn.Message, maxNotices), cancel: cancel}
	for range noticeStarters {
		n.ended.Go(func() { n.run(ctx) })
	}
	return n
}

// Add has a notice started. It does not wait.
func (n *Notices) Add(m posthorn.Message) {
	select {
	case n.queue <- m:
	default:
		n.log.Warn("a notice is told later, because many are waiting", "message", m.ID)
	}
}

// Close ends the starting. What is still waiting is started by the next process.
func (n *Notices) Close() {
	n.cancel()
	n.ended.Wait()
}

func (n *Notices) run(ctx context.Context) {
	for {
		select {
		case m := <-n.queue:
			err := n.start(ctx, m)
			if err != nil && posthorn.CodeOf(err) != posthorn.Conflict && ctx.Err() == nil {
				n.log.Warn("a notice is told later", "message", m.ID, "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}
