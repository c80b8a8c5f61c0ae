package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/posthorn/posthorn/internal/store/sqlstore"
)

// group is a transaction in which several writes run side by side.
type group struct {
	conn   *pgxpool.Conn
	writes []*write
	next   int64      // number of the next row
	held   lockSet    // by those that run
	posted []*request // to be sent before the next requests
	ended  []*course  // that have done what they wanted
	failed []*write   // that were refused

	versions []asked // of the routes of applications
}

// begin begins a transaction that holds the locks of all its writes.
func begin(pool *pgxpool.Pool, writes []*write) (*group, error) {
	wait := waitFor(context.Background(), groupTimeout)
	defer wait.end()
	conn, err := pool.Acquire(wait)
	if err != nil {
		return nil, wait.explain(err)
	}
	g := &group{conn: conn, writes: writes, held: lockSet{}}
	locks := lockSet{}
	for _, op := range writes {
		locks.add(op.locks)
	}
	number := &request{text: "SELECT numbers_now()"}
	opening := []*request{
		{text: "BEGIN ISOLATION LEVEL READ COMMITTED"},
		{text: "SET LOCAL idle_in_transaction_session_timeout = '30s'"}, // lest a process that hangs keeps its locks
		{text: "SET LOCAL plan_cache_mode = force_generic_plan"},        // to plan with partitions costs more than to execute
	}
	if err = g.send(append(append(opening, locks.take()...), number)); err == nil {
		err = number.answer.scanOne(&g.next)
	}
	if err != nil {
		g.undo()
		g.release()
		return nil, err
	}
	return g, nil
}

// run runs the writes until all have ended. After an error everything has to be undone.
func (g *group) run() (again []*write, err error) {
	waiting := g.writes
	var active []*course
	defer func() {
		for _, c := range active {
			c.stop()
		}
	}()
	for len(waiting)+len(active) > 0 {
		var later []*write
		for _, op := range waiting {
			if op.locks.touches(g.held) {
				later = append(later, op)
				continue
			}
			g.held.add(op.locks)
			active = append(active, g.start(op))
		}
		waiting = later

		var asking []*course
		var requests []*request
		for _, c := range active {
			if c.resume() {
				asking = append(asking, c)
				requests = append(requests, c.asked)
				continue
			}
			if repeat, err := g.finish(c); err != nil {
				return nil, err
			} else if repeat {
				again = append(again, c.op)
			}
		}
		active = asking
		if len(requests) == 0 {
			continue
		}
		if err := g.flush(requests); err != nil {
			if len(g.writes) > 1 {
				return nil, err
			}
			active[0].resume() // alone, a write may know what an error of the database means
			if active[0].ended && active[0].err != nil {
				err = active[0].err
			}
			return nil, err
		}
	}
	return again, nil
}

// finish takes note of the end of a write. An error undoes everything, because something was done halfway.
func (g *group) finish(c *course) (repeat bool, err error) {
	for lock := range c.held {
		delete(g.held, lock)
	}
	switch {
	case c.err == nil:
		g.ended = append(g.ended, c)
		return false, nil
	case errors.Is(c.err, errAgain):
		c.op.locks.add(c.wanted)
		if c.session.Changed() {
			return false, errAgain
		}
		if c.op.tries++; c.op.tries < maxTries {
			return true, nil
		}
		c.err = fmt.Errorf("the write was run %d times: %w", maxTries, c.err)
	case c.session.Changed():
		return false, c.err
	}
	c.op.Err = c.err
	g.failed = append(g.failed, c.op)
	return false, nil
}

// flush sends what was posted, and requests.
func (g *group) flush(requests []*request) error {
	all := append(g.posted, requests...)
	g.posted = nil
	return g.send(all)
}

// end commits.
func (g *group) end() error { return g.flush([]*request{{text: "COMMIT"}}) }

// undo gives up the transaction.
func (g *group) undo() {
	if !g.isBroken() {
		_ = g.send([]*request{{text: "ROLLBACK"}}) // a connection that can't is not used again
	}
}

func (g *group) isBroken() bool { return g.conn == nil || g.conn.Conn().IsClosed() }

// release gives the connection back. To call it again has no effect.
func (g *group) release() {
	if g.conn != nil {
		g.conn.Release()
		g.conn = nil
	}
}

// answer tells the callers, once everything is committed.
func (g *group) answer() {
	for _, c := range g.ended {
		c.session.Committed()
		c.op.Err = nil
		c.op.Answer()
	}
	for _, op := range g.failed {
		op.Answer()
	}
}

// send sends requests in one round trip and fills in their answers. The error is that of the first that failed; those
// behind it were not run.
func (g *group) send(requests []*request) error {
	wait := waitFor(context.Background(), groupTimeout)
	defer wait.end()
	conn := g.conn.Conn()
	batch := &pgx.Batch{}
	for _, r := range requests {
		if err := r.queue(wait, conn, batch); err != nil {
			r.err = wait.explain(err)
			return r.err
		}
	}
	results := conn.SendBatch(wait, batch)
	defer results.Close() //nolint:errcheck // it repeats an error that came before
	for i, r := range requests {
		found, err := results.Query()
		if err == nil {
			r.answer, err = readAnswer(conn.TypeMap(), found)
		}
		if err != nil {
			err = wait.explain(classified(err))
			for _, left := range requests[i:] {
				left.err = err
			}
			return err
		}
	}
	return wait.explain(results.Close())
}

// number is that of the next row.
func (g *group) number() int64 {
	g.next++
	return g.next - 1
}

// start begins a write, which has its locks.
func (g *group) start(op *write) *course { return newCourse(g, op, sqlstore.NewTransaction) }
