package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/posthorn/posthorn/internal/seal"
	"github.com/posthorn/posthorn/internal/store"
)

// Store is a [store.Store] in a SQLite file.
type Store struct {
	gate       gate
	writer     *writer
	pool       *sql.DB // holds the writer's one connection
	conn       *sql.Conn
	readers    *sql.DB
	cached     statements // on readers
	box        *seal.Box  // nil: secrets are in the clear
	now        func() time.Time
	notify     []func(appID string)
	eventTypes eventTypeListeners
	close      func() error
}

var _ store.Store = (*Store)(nil)

// Open opens the database file, creates it if there is none, and brings its schema up to date. ctx bounds the opening
// only.
func Open(ctx context.Context, o Options) (*Store, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("settings of the database: %w", err)
	}
	if err := createFile(o.Path); err != nil {
		return nil, fmt.Errorf("creating the database: %w", err)
	}
	s := &Store{now: o.Now, box: o.Box}
	s.close = sync.OnceValue(s.shutDown)
	if err := s.connect(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", o.Path, err), s.disconnect())
	}
	s.writer = startWriter(s.conn)
	return s, nil
}

func (s *Store) connect(ctx context.Context, o Options) (err error) {
	if s.pool, err = connectWriter(o.Path, o.Durability); err != nil {
		return err
	}
	if err := migrate(ctx, s.pool, o.Logger); err != nil {
		return err
	}
	if s.conn, err = s.pool.Conn(ctx); err != nil {
		return err
	}
	if err := s.sealUp(ctx); err != nil {
		return err
	}
	if s.readers, err = connectReaders(o.Path); err != nil {
		return err
	}
	s.cached.on = s.readers
	return s.readers.PingContext(ctx)
}

// Ping implements [store.Store].
func (s *Store) Ping(ctx context.Context) (err error) {
	defer annotate(&err, "asking the database for an answer")
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	var answer int
	return s.cached.row(ctx, []any{&answer}, "SELECT 1")
}

// Close refuses new calls, waits for those under way, and closes the file. To call it again has no effect.
func (s *Store) Close() error { return s.close() }

func (s *Store) shutDown() error {
	s.gate.close()
	return errors.Join(s.writer.stop(), s.cached.close(), s.disconnect())
}

// disconnect closes the readers first: the last connection to close folds the log into the database file.
func (s *Store) disconnect() error {
	var problems []error
	if s.readers != nil {
		problems = append(problems, s.readers.Close())
	}
	if s.conn != nil {
		problems = append(problems, s.conn.Close())
	}
	if s.pool != nil {
		problems = append(problems, s.pool.Close())
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("closing the database: %w", err)
	}
	return nil
}

// write runs a change in the next group commit.
func (s *Store) write(ctx context.Context, run func(ctx context.Context, tx *statements) error) error {
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	return s.writer.do(ctx, run)
}

// read runs a query while the store is open.
func read[T any](s *Store, find func(q *statements) (T, error)) (T, error) {
	if err := s.gate.enter(); err != nil {
		var none T
		return none, err
	}
	defer s.gate.leave()
	return find(&s.cached)
}

// update reads, changes and saves one row in a transaction. An error of change comes back as it is.
func update[T any](
	ctx context.Context, s *Store,
	find func(ctx context.Context, tx *statements) (T, error),
	change func(*T) error,
	save func(ctx context.Context, tx *statements, item *T) error,
) (T, error) {
	var item T
	err := s.write(ctx, func(ctx context.Context, tx *statements) (err error) {
		if item, err = find(ctx, tx); err != nil {
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

func (s *Store) routesChanged(appID string) {
	for _, f := range s.notify {
		f(appID)
	}
}
