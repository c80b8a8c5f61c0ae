package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/posthorn/posthorn/internal/store/sqlstore"
)

// errReadOnly is what whoever changes something where only reads belong gets.
var errReadOnly = errors.New("nothing can be changed here")

// reader runs each query on whichever connection is free.
type reader struct{ pool *pgxpool.Pool }

// Exec implements [sqlstore.Runner].
func (r *reader) Exec(context.Context, string, ...any) (int64, error) { return 0, errReadOnly }

// Query implements [sqlstore.Runner].
func (r *reader) Query(ctx context.Context, text string, args ...any) (sqlstore.Rows, error) {
	wait := waitFor(ctx, readTimeout)
	conn, err := r.pool.Acquire(wait)
	if err != nil {
		err = wait.explain(err)
		wait.end()
		return nil, err
	}
	found, err := query(wait, conn.Conn(), text, args)
	if err != nil {
		conn.Release()
		return nil, err
	}
	found.release = conn.Release
	return found, nil
}

// query asks on a connection. The wait ends with the rows.
func query(wait *patience, conn *pgx.Conn, text string, args []any) (found *rows, err error) {
	defer func() {
		if err != nil {
			err = wait.explain(err)
			wait.end()
		}
	}()
	text = translate(text)
	statement, err := conn.Prepare(wait, text, text)
	if err != nil {
		return nil, err
	}
	converted, err := parameters(statement, args)
	if err != nil {
		return nil, err
	}
	answer, err := conn.Query(wait, text, converted...)
	if err != nil {
		return nil, err
	}
	return &rows{Rows: answer, wait: wait}, nil
}

// rows are the rows of an answer that is being read.
type rows struct {
	pgx.Rows
	wait    *patience
	release func() // the connection, if it is given back afterwards; nil once that was done
}

// Err implements [sqlstore.Rows].
func (r *rows) Err() error { return r.wait.explain(r.Rows.Err()) }

// Scan implements [sqlstore.Rows].
func (r *rows) Scan(dest ...any) error {
	return scanAll(r.Conn().TypeMap(), r.FieldDescriptions(), r.RawValues(), dest)
}

// Close implements [sqlstore.Rows].
func (r *rows) Close() error {
	r.Rows.Close()
	err := r.Err()
	r.wait.end()
	if r.release != nil {
		r.release()
		r.release = nil
	}
	return err
}

// snapshot runs queries in a transaction that reads.
type snapshot struct{ conn *pgxpool.Conn }

// Exec implements [sqlstore.Runner].
func (s *snapshot) Exec(context.Context, string, ...any) (int64, error) { return 0, errReadOnly }

// Query implements [sqlstore.Runner].
func (s *snapshot) Query(ctx context.Context, text string, args ...any) (sqlstore.Rows, error) {
	return query(waitFor(ctx, readTimeout), s.conn.Conn(), text, args)
}

// rollbackTimeout is how long the end of a transaction may take that has nothing to keep.
const rollbackTimeout = 5 * time.Second

// Snapshot implements [sqlstore.Database].
func (d *server) Snapshot(ctx context.Context) (*sqlstore.Session, func(), error) {
	wait := waitFor(ctx, readTimeout)
	defer wait.end()
	conn, err := d.readers.Acquire(wait)
	if err != nil {
		return nil, nil, wait.explain(err)
	}
	if _, err := conn.Exec(wait, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
		conn.Release()
		return nil, nil, wait.explain(err)
	}
	end := func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_, _ = conn.Exec(ctx, "ROLLBACK") // a connection that can't is not used again
		conn.Release()
	}
	return sqlstore.NewSession(&snapshot{conn}), end, nil
}
