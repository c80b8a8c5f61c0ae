package sqlstore

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/fair"
	"github.com/posthorn/posthorn/internal/seal"
	"github.com/posthorn/posthorn/internal/store"
)

// Store is a [store.Store] in a database.
type Store struct {
	gate       gate
	db         Database
	dialect    Dialect
	pool       *Session
	box        *seal.Box // nil: secrets are in the clear
	now        func() time.Time
	notify     []func(appID, endpointID string)
	onNotice   []func(posthorn.Message)
	attentive  []func(appID, endpointID string)
	onHealth   []func(posthorn.HealthChange)
	failing    failing // unless the database is shared
	releases   []func(posthorn.Delivery)
	eventTypes eventTypeListeners
	bulk       *fair.Gate // in front of batches of messages
	large      *fair.Gate // in front of large records
	close      func() error
}

var _ store.Store = (*Store)(nil)

// Options are the settings of a store.
type Options struct {
	// Box seals signing secrets and the values of custom headers. The first one that a database is opened with stays the
	// only one. Default: none, they are kept in the clear.
	Box *seal.Box
	// Now is the clock for Delivery.UpdatedAt and for what has expired. Default: time.Now.
	Now func() time.Time
}

// Open returns a store in a database whose schema is up to date. The store closes it; after an error the caller does.
// sealed says that what was in the clear in the database has just been sealed.
func Open(ctx context.Context, db Database, o Options) (s *Store, sealed bool, err error) {
	s = &Store{db: db, dialect: db.Dialect(), pool: db.Pool(), box: o.Box, now: o.Now, bulk: fair.New(1), large: fair.New(2)}
	if s.now == nil {
		s.now = time.Now
	}
	s.close = sync.OnceValue(s.shutDown)
	if sealed, err = s.sealUp(ctx); err != nil {
		return nil, false, err
	}
	if err := s.loadFailing(ctx); err != nil {
		return nil, false, fmt.Errorf("reading which endpoints fail: %w", err)
	}
	return s, sealed, nil
}

// Ping implements [store.Store].
func (s *Store) Ping(ctx context.Context) (err error) {
	defer s.annotate(&err, "asking the database for an answer")
	_, err = read(s, func(q *Session) (answer int, err error) {
		err = q.row(ctx, []any{&answer}, "SELECT 1")
		return answer, err
	})
	return err
}

// Close refuses new calls, waits for those under way, and closes the database. To call it again has no effect.
func (s *Store) Close() error { return s.close() }

func (s *Store) shutDown() error {
	s.gate.close()
	return s.db.Close()
}

// write runs a change in a transaction. Notices that it stored are passed on after that.
func (s *Store) write(ctx context.Context, run func(ctx context.Context, tx *Session) error) error {
	return s.writeLocked(ctx, nil, run)
}

// writeLocked is write for a change that names locks before it begins. That saves it from having to begin anew.
func (s *Store) writeLocked(ctx context.Context, locks []string, run func(ctx context.Context, tx *Session) error) error {
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	var notices []posthorn.Message
	err := s.db.Write(ctx, locks, func(ctx context.Context, tx *Session) error {
		err := run(ctx, tx)
		notices = tx.notices
		return err
	})
	if err != nil {
		return err
	}
	for _, m := range notices {
		for _, f := range s.onNotice {
			f(m)
		}
	}
	return nil
}

// read runs a query while the store is open.
func read[T any](s *Store, find func(q *Session) (T, error)) (T, error) {
	if err := s.gate.enter(); err != nil {
		var none T
		return none, err
	}
	defer s.gate.leave()
	return find(s.pool)
}

// update reads, changes and saves one row in a transaction, with a lock on it. An error of change comes back as it is.
func update[T any](
	ctx context.Context, s *Store,
	find func(ctx context.Context, tx *Session) (T, error),
	lock func(*T) string,
	change func(*T) error,
	save func(ctx context.Context, tx *Session, item *T) error,
) (T, error) {
	var item T
	err := s.write(ctx, func(ctx context.Context, tx *Session) (err error) {
		if item, err = find(ctx, tx); err != nil {
			return err
		}
		if err := tx.lock(lock(&item)); err != nil {
			return err
		}
		if err := change(&item); err != nil {
			return refused{err}
		}
		return save(ctx, tx, &item)
	})
	if err != nil {
		var none T
		return none, err
	}
	return item, nil
}

// RoutesOutdated tells that another process has changed an application's endpoints.
func (s *Store) RoutesOutdated(appID string) { s.routesChanged(appID, "") }

func (s *Store) routesChanged(appID, endpointID string) {
	for _, f := range s.notify {
		f(appID, endpointID)
	}
}
