package sqlite

import (
	"context"
	"database/sql"
	"errors"

	driver "modernc.org/sqlite"

	"github.com/posthorn/posthorn/internal/store/sqlstore"
)

// maxGroup bounds how many writes share a commit, and so how long the first of them waits for the last.
const maxGroup = 512

// write is one call's share of a group.
type write struct {
	*sqlstore.Queued
	tx *sqlstore.Session
}

// writer owns the connection that writes.
type writer struct {
	tx      prepared
	queue   chan *write
	stopped chan struct{}
}

func startWriter(conn *sql.Conn) *writer {
	w := &writer{
		tx:      prepared{on: conn},
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
func (w *writer) do(ctx context.Context, run func(ctx context.Context, tx *sqlstore.Session) error) error {
	return sqlstore.Enqueue(ctx, w.queue, &write{Queued: sqlstore.NewQueued(ctx, run)})
}

func (w *writer) loop() {
	defer close(w.stopped)
	group := make([]*write, 0, maxGroup)
	for op := range w.queue {
		group = sqlstore.Take(sqlstore.Collect(w.queue, append(group[:0], op), func(group []*write) bool { return len(group) < maxGroup }))
		w.commit(group)
		for _, op := range group {
			op.Answer()
		}
		clear(group)
	}
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
		op.tx = sqlstore.NewTransaction(&w.tx)
		if op.Err = op.Run(op.tx); isTainted(op) {
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
			op.Err = err // whatever it found out, it found out in a transaction that never was
		}
		return
	}
	for _, op := range group {
		op.tx.Committed()
	}
}

// isTainted reports whether a write that failed may have left something behind, or lost the transaction.
func isTainted(op *write) bool {
	if op.Err == nil {
		return false
	}
	_, database := errors.AsType[*driver.Error](op.Err)
	return database || op.tx.Changed()
}

func (w *writer) exec(text string) error {
	_, err := w.tx.Exec(context.Background(), text)
	return err
}
