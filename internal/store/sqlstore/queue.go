package sqlstore

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync/atomic"
)

// Queued is a write on its way into a transaction that it may share with others: what the queues of all databases have in
// common.
type Queued struct {
	ctx   context.Context // without an end: what has begun is finished
	run   func(ctx context.Context, tx *Session) error
	taken atomic.Bool // by the database, which will answer, or by the caller, who has given up
	done  chan struct{}
	// Err is what the caller is answered.
	Err error
}

// NewQueued returns a write that is yet to be enqueued.
func NewQueued(ctx context.Context, run func(ctx context.Context, tx *Session) error) *Queued {
	return &Queued{ctx: context.WithoutCancel(ctx), run: run, done: make(chan struct{})}
}

// Run runs it. A panic in a caller's function must not end the process: it is the caller's, not the database's.
func (q *Queued) Run(tx *Session) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a write: %v\n%s", p, debug.Stack())
		}
	}()
	return q.run(q.ctx, tx)
}

// Answer lets the caller have Err.
func (q *Queued) Answer() { close(q.done) }

func (q *Queued) queued() *Queued { return q }

// queued is a Queued with what a database adds to it.
type queued interface{ queued() *Queued }

// Enqueue puts a write into a queue and returns when it is answered. If ctx ends before it is taken, it is not run at all.
func Enqueue[W queued](ctx context.Context, queue chan<- W, write W) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case queue <- write:
	case <-ctx.Done():
		return ctx.Err()
	}
	q := write.queued()
	select {
	case <-q.done:
	case <-ctx.Done():
		if q.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		<-q.done
	}
	return q.Err
}

// Collect adds to a group what is waiting in a queue, as long as there is room, and waits for nothing.
func Collect[W queued](queue <-chan W, group []W, room func(group []W) bool) []W {
	for room(group) {
		select {
		case write, ok := <-queue:
			if !ok {
				return group
			}
			group = append(group, write)
		default:
			return group
		}
	}
	return group
}

// Take drops those whose callers have given up; from here on the rest are the database's.
func Take[W queued](group []W) []W {
	taken := group[:0]
	for _, write := range group {
		if write.queued().taken.CompareAndSwap(false, true) {
			taken = append(taken, write)
		}
	}
	return taken
}
