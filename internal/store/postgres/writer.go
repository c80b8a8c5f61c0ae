package postgres

import (
	"context"
	"errors"
	"sync"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/posthorn/posthorn/internal/store/sqlstore"
)

// maxGroup bounds how many writes share a transaction, and maxLocks how many locks they name before no further one joins
// them: a server has room for some thousand locks altogether, 64 for each connection that it allows unless it is told
// otherwise.
const (
	maxGroup = 64
	maxLocks = 256
)

// write is one call's share of a group.
type write struct {
	*sqlstore.Queued
	locks lockSet // that are taken before it is run
	tries int
}

// writer owns the connections that write.
type writer struct {
	pool     *pgxpool.Pool
	versions *routeVersions
	queue    chan *write
	running  sync.WaitGroup
}

func startWriter(pool *pgxpool.Pool, connections int, versions *routeVersions) *writer {
	w := &writer{pool: pool, versions: versions, queue: make(chan *write, connections*maxGroup)}
	for range connections {
		w.running.Go(w.loop)
	}
	return w
}

// stop returns when everything queued is committed. Nothing may be queued any more.
func (w *writer) stop() {
	close(w.queue)
	w.running.Wait()
}

// do has run executed in one of the next transactions and returns when that is committed, or undone. run is called on a
// goroutine of the writer's: it must not write through the store, and it may be called again in another transaction. If
// ctx ends before run has begun, run is not called at all.
func (w *writer) do(ctx context.Context, locks []string, run func(ctx context.Context, tx *sqlstore.Session) error) error {
	return sqlstore.Enqueue(ctx, w.queue, &write{Queued: sqlstore.NewQueued(ctx, run), locks: newLockSet(locks)})
}

func (w *writer) loop() {
	for op := range w.queue {
		group := sqlstore.Take(sqlstore.Collect(w.queue, []*write{op}, hasRoom))
		for len(group) > 0 {
			group = w.commit(group)
		}
	}
}

// hasRoom reports whether a further write may join a group.
func hasRoom(group []*write) bool {
	locks := 0
	for _, op := range group {
		locks += len(op.locks)
	}
	return len(group) < maxGroup && locks < maxLocks
}

// maxTries is how many transactions a write may lose to others, or to locks that it finds out about one after the other.
const maxTries = 100

// commit runs a group in one transaction, answers its callers, and returns those writes that have to begin anew. If the
// whole had to be undone because of one of them, each gets a transaction of its own.
func (w *writer) commit(writes []*write) (again []*write) {
	g, err := begin(w.pool, writes)
	if err != nil {
		return settle(writes, err)
	}
	defer g.release()
	if again, err = g.run(); err == nil {
		if err = g.end(); err == nil {
			w.versions.noteAll(g.versions)
			g.answer()
			return again
		}
	}
	g.undo()
	switch {
	case g.isBroken(): // if it was the end that got no answer, nobody knows whether there was one
		return settle(writes, err)
	case len(writes) == 1 && writes[0].repeats(err):
		return writes
	case len(writes) == 1:
		return settle(writes, err)
	}
	g.release()
	for i := range writes {
		for alone := writes[i : i+1]; len(alone) > 0; {
			alone = w.commit(alone)
		}
	}
	return nil
}

// repeats reports whether a write that failed alone is run again.
func (op *write) repeats(err error) bool {
	op.tries++
	return op.tries < maxTries && (isLost(err) || errors.Is(err, errAgain))
}

// settle gives writes an error, unless they are repeated.
func settle(writes []*write, err error) (again []*write) {
	for _, op := range writes {
		if isLost(err) && op.repeats(err) {
			again = append(again, op)
			continue
		}
		op.Err = err
		op.Answer()
	}
	return again
}
