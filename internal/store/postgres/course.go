package postgres

import (
	"context"
	"iter"
	"strings"

	"github.com/posthorn/posthorn/internal/store/sqlstore"
)

// course is a write on its way through the transaction of a group. It runs until it asks for something, and goes on when
// the answer is there: nothing else of the group runs at the same time.
type course struct {
	op      *write
	group   *group
	session *sqlstore.Session
	held    lockSet
	wanted  lockSet // that it lacks
	last    int64   // number of its last row
	asked   *request
	err     error
	ended   bool

	next  func() (*request, bool)
	stop  func()
	yield func(*request) bool
	lost  error // why nothing is answered any more
}

func newCourse(g *group, op *write, session func(sqlstore.Transaction) *sqlstore.Session) *course {
	c := &course{op: op, group: g, held: lockSet{}, wanted: lockSet{}}
	c.held.add(op.locks)
	c.session = session(c)
	c.next, c.stop = iter.Pull(func(yield func(*request) bool) {
		c.yield = yield
		c.err = op.Run(c.session)
	})
	return c
}

// resume lets the write go on until it asks for something; false: it has ended.
func (c *course) resume() bool {
	request, more := c.next()
	c.asked, c.ended = request, !more
	return more
}

// ask has something done by the group.
func (c *course) ask(text string, args ...any) (*answer, error) {
	if c.lost != nil {
		return nil, c.lost
	}
	r := &request{text: text, args: args}
	if !c.yield(r) {
		c.lost = errLost
		return nil, c.lost
	}
	if r.err != nil {
		c.lost = r.err
	}
	return r.answer, r.err
}

// Exec implements [sqlstore.Runner].
func (c *course) Exec(_ context.Context, text string, args ...any) (int64, error) {
	done, err := c.ask(text, args...)
	if err != nil {
		return 0, err
	}
	return done.changed, nil
}

// Query implements [sqlstore.Runner].
func (c *course) Query(_ context.Context, text string, args ...any) (sqlstore.Rows, error) {
	found, err := c.ask(text, args...)
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Insert implements [sqlstore.Transaction].
func (c *course) Insert(ctx context.Context, text string, args ...any) (bool, error) {
	if !strings.Contains(text, "ON CONFLICT") {
		text += " ON CONFLICT DO NOTHING"
	}
	inserted, err := c.Exec(ctx, text, args...)
	return inserted > 0, err
}

// Post implements [sqlstore.Transaction].
func (c *course) Post(_ context.Context, text string, args ...any) error {
	r, err := fixed(text, args)
	if err != nil {
		return err
	}
	c.group.posted = append(c.group.posted, r)
	return c.lost
}

// Locked implements [sqlstore.Transaction].
func (c *course) Locked(names ...string) bool { return len(newLockSet(names).without(c.held)) == 0 }

// Lock implements [sqlstore.Transaction].
func (c *course) Lock(names ...string) error {
	if missing := newLockSet(names).without(c.held); len(missing) > 0 {
		c.wanted.add(missing)
		return errAgain
	}
	return nil
}

// LockNow implements [sqlstore.Transaction]. Whoever tries and does not wait keeps nobody waiting in a circle.
func (c *course) LockNow(_ context.Context, names ...string) error {
	missing := newLockSet(names).without(c.held)
	if len(missing) == 0 {
		return nil
	}
	c.wanted.add(missing)
	if missing.touches(c.group.held) {
		return errAgain
	}
	c.group.held.add(missing) // before others of the group run
	c.held.add(missing)
	found, err := c.ask(tryLocks, missing.sorted())
	if err != nil {
		return err
	}
	var taken int
	if err := found.scanOne(&taken); err != nil {
		return err
	}
	if taken < len(missing) {
		return errAgain
	}
	return nil
}

// Number implements [sqlstore.Transaction].
func (c *course) Number() any {
	c.last = c.group.number()
	return c.last
}

// Last implements [sqlstore.Transaction].
func (c *course) Last() int64 { return c.last }

// PayloadKey implements [sqlstore.Transaction].
func (*course) PayloadKey(messageID string) any { return messageID }
