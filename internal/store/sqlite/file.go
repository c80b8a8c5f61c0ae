package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store/sqlstore"
)

// file is the database file, as a [sqlstore.Database].
type file struct {
	writer  *writer
	pool    *sql.DB // holds the writer's one connection
	conn    *sql.Conn
	readers *sql.DB
	cached  prepared // on readers
}

var _ sqlstore.Database = (*file)(nil)

func (f *file) connect(ctx context.Context, o Options) (err error) {
	if f.pool, err = connectWriter(o.Path, o.Durability); err != nil {
		return err
	}
	if err := migrate(ctx, f.pool, o.Logger); err != nil {
		return err
	}
	if f.conn, err = f.pool.Conn(ctx); err != nil {
		return err
	}
	if f.readers, err = connectReaders(o.Path); err != nil {
		return err
	}
	f.cached.on = f.readers
	if err := f.readers.PingContext(ctx); err != nil {
		return err
	}
	f.writer = startWriter(f.conn)
	return nil
}

// Close implements [sqlstore.Database].
func (f *file) Close() error {
	return errors.Join(f.writer.stop(), f.cached.close(), f.disconnect())
}

// disconnect closes the readers first: the last connection to close folds the log into the database file.
func (f *file) disconnect() error {
	var problems []error
	if f.readers != nil {
		problems = append(problems, f.readers.Close())
	}
	if f.conn != nil {
		problems = append(problems, f.conn.Close())
	}
	if f.pool != nil {
		problems = append(problems, f.pool.Close())
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("closing the database: %w", err)
	}
	return nil
}

// forgetLog empties the log, where copies of what was changed remain. Nobody writes meanwhile.
func (f *file) forgetLog(ctx context.Context) error {
	if _, err := f.conn.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return fmt.Errorf("emptying the log: %w", err)
	}
	return nil
}

// Write implements [sqlstore.Database]. Locks are none of its business, because there is only one writer.
func (f *file) Write(ctx context.Context, _ []string, run func(ctx context.Context, tx *sqlstore.Session) error) error {
	return f.writer.do(ctx, run)
}

// Pool implements [sqlstore.Database].
func (f *file) Pool() *sqlstore.Session { return sqlstore.NewSession(&f.cached) }

// Snapshot implements [sqlstore.Database].
func (f *file) Snapshot(ctx context.Context) (*sqlstore.Session, func(), error) {
	tx, err := f.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, nil, err
	}
	end := func() { _ = tx.Rollback() } // it has nothing to keep
	return sqlstore.NewSession(&snapshot{pool: &f.cached, tx: tx}), end, nil
}

// Dialect implements [sqlstore.Database].
func (f *file) Dialect() sqlstore.Dialect { return sqlstore.Dialect{} }

// primary is the part of a result code that SQLite documents as the basic one.
const primary = 0xff

// Refusal implements [sqlstore.Database].
func (f *file) Refusal(err error) error {
	failure, ok := errors.AsType[*driver.Error](err)
	switch {
	case !ok:
		return nil
	case failure.Code()&primary == lib.SQLITE_FULL:
		return posthorn.Errorf(posthorn.Unavailable, "the database has no room to write: %w", err)
	case failure.Code()&primary == lib.SQLITE_BUSY:
		return posthorn.Errorf(posthorn.Unavailable, "the database is in use by another process: %w", err)
	default:
		return nil
	}
}
