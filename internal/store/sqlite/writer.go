package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"

	driver "modernc.org/sqlite"
)

// maxGroup bounds how many writes share a commit, and so how long the first of them waits for the last.
const maxGroup = 512

// write is one call's share of a group.
type write struct {
	ctx   context.Context // without an end: what has begun is finished
	run   func(ctx context.Context, tx *statements) error
	taken atomic.Bool // by the writer, who will answer, or by the caller, who has given up
	err   error
	done  chan struct{}
}

// writer owns the connection that writes.
type writer struct {
	tx      statements
	queue   chan *write
	stopped chan struct{}
}

func startWriter(conn *sql.Conn) *writer {
	w := &writer{
		tx:      statements{on: conn},
		queue:   make(chan *write, maxGroup),
		stopped: make(chan struct{}),
	}
	go w.loop()
	return w
}

// stop returns when everything queued is committed. Nothing may be queued any more.
func (w *writer) stop() error {
	close(w.queue)
	<-w.stopped
	return w.tx.close()
}

// do has run executed in the next transaction and returns when that is committed, or undone. run is called on the
// writer's goroutine: it must not write through the store, which would wait for itself, and it may be called again in
// another transaction. If ctx ends before run has begun, run is not called at all.
func (w *writer) do(ctx context.Context, run func(ctx context.Context, tx *statements) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	op := &write{ctx: context.WithoutCancel(ctx), run: run, done: make(chan struct{})}
	select {
	case w.queue <- op:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-op.done:
	case <-ctx.Done():
		if op.taken.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		<-op.done
	}
	return op.err
}

func (w *writer) loop() {
	defer close(w.stopped)
	group := make([]*write, 0, maxGroup)
	for op := range w.queue {
		group = take(w.collect(append(group[:0], op)))
		w.commit(group)
		for _, op := range group {
			close(op.done)
		}
		clear(group)
	}
}

// collect adds to the group what is waiting, and waits for nothing.
func (w *writer) collect(group []*write) []*write {
	for len(group) < maxGroup {
		select {
		case op, ok := <-w.queue:
			if !ok {
				return group
			}
			group = append(group, op)
		default:
			return group
		}
	}
	return group
}

// take drops those whose callers have given up; from here on the rest are the writer's.
func take(group []*write) []*write {
	taken := group[:0]
	for _, op := range group {
		if op.taken.CompareAndSwap(false, true) {
			taken = append(taken, op)
		}
	}
	return taken
}

// commit runs a group in one transaction and sets the errors of its writes.
//
// A write that is refused, for a duplicate say, has changed nothing and the others go on. A savepoint around each would
// undo any other failure alone too, but has SQLite copy every page that the write touches: it made the whole three times
// slower. Since other failures are rare, the transaction is undone instead, and each write gets one of its own.
func (w *writer) commit(group []*write) {
	if len(group) == 0 {
		return
	}
	err := w.exec("BEGIN IMMEDIATE")
	for i := 0; i < len(group) && err == nil; i++ {
		op := group[i]
		if op.err = w.call(op); w.isTainted(op.err) {
			_ = w.exec("ROLLBACK") // fails where SQLite has done it by itself
			if len(group) > 1 {
				for i := range group {
					w.commit(group[i : i+1])
				}
			}
			return
		}
	}
	if err == nil {
		err = w.exec("COMMIT")
	}
	if err != nil {
		_ = w.exec("ROLLBACK")
		for _, op := range group {
			op.err = err // whatever it found out, it found out in a transaction that never was
		}
	}
}

// call runs one write. A panic in a caller's function must not end the process: it is the caller's, not the writer's.
func (w *writer) call(op *write) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a write: %v\n%s", p, debug.Stack())
		}
	}()
	w.tx.changed = false
	return op.run(op.ctx, &w.tx)
}

// isTainted reports whether a write that failed like this may have left something behind, or lost the transaction.
func (w *writer) isTainted(err error) bool {
	if err == nil {
		return false
	}
	_, database := errors.AsType[*driver.Error](err)
	return database || w.tx.changed
}

func (w *writer) exec(text string) error {
	_, err := w.tx.exec(context.Background(), text)
	return err
}
