package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/posthorn/posthorn/internal/store/sqlstore"
)

// prepared runs SQL on a connection or a pool, each text prepared once: to parse it costs more than to run it.
type prepared struct {
	on interface {
		PrepareContext(ctx context.Context, text string) (*sql.Stmt, error)
	}
	statements sync.Map // text → *sql.Stmt
	last       int64    // number of the row that was inserted last; the writer's
}

func (p *prepared) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if found, ok := p.statements.Load(text); ok {
		return found.(*sql.Stmt), nil
	}
	stmt, err := p.on.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if found, lost := p.statements.LoadOrStore(text, stmt); lost {
		return found.(*sql.Stmt), stmt.Close() //nolint:sqlclosecheck // nothing follows
	}
	return stmt, nil
}

// close releases the statements. A connection that has some left is not closed, even if it says so.
func (p *prepared) close() error {
	var problems []error
	for _, stmt := range p.statements.Range {
		problems = append(problems, stmt.(*sql.Stmt).Close())
	}
	return errors.Join(problems...)
}

// Exec implements [sqlstore.Runner].
func (p *prepared) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	stmt, err := p.prepare(ctx, text) //nolint:sqlclosecheck // it is kept
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(ctx, args...)
	if failure, ok := errors.AsType[*driver.Error](err); ok && isDuplicate(failure) {
		return 0, fmt.Errorf("%w: %w", sqlstore.ErrDuplicate, err)
	}
	if err != nil {
		return 0, err
	}
	p.last, _ = result.LastInsertId() // the driver knows it always
	return result.RowsAffected()
}

// isDuplicate reports whether a unique index refused a row.
func isDuplicate(failure *driver.Error) bool {
	return failure.Code() == lib.SQLITE_CONSTRAINT_UNIQUE || failure.Code() == lib.SQLITE_CONSTRAINT_PRIMARYKEY
}

// Query implements [sqlstore.Runner].
func (p *prepared) Query(ctx context.Context, text string, args ...any) (sqlstore.Rows, error) {
	stmt, err := p.prepare(ctx, text) //nolint:sqlclosecheck // it is kept
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...) //nolint:rowserrcheck // by whoever reads the rows
}

// Insert implements [sqlstore.Transaction].
func (p *prepared) Insert(ctx context.Context, text string, args ...any) (bool, error) {
	inserted, err := p.Exec(ctx, text, args...)
	if errors.Is(err, sqlstore.ErrDuplicate) {
		return false, nil
	}
	return inserted > 0, err
}

// Post implements [sqlstore.Transaction].
func (p *prepared) Post(ctx context.Context, text string, args ...any) error {
	_, err := p.Exec(ctx, text, args...)
	return err
}

// Locked implements [sqlstore.Transaction]: nobody else writes.
func (*prepared) Locked(...string) bool { return true }

// Lock implements [sqlstore.Transaction].
func (*prepared) Lock(...string) error { return nil }

// LockNow implements [sqlstore.Transaction].
func (*prepared) LockNow(context.Context, ...string) error { return nil }

// Number implements [sqlstore.Transaction]: SQLite numbers its rows.
func (*prepared) Number() any { return nil }

// Last implements [sqlstore.Transaction].
func (p *prepared) Last() int64 { return p.last }

// Routed implements [sqlstore.Transaction]: nobody else changes anything.
func (*prepared) Routed(context.Context, string, bool) error { return nil }

// PayloadKey implements [sqlstore.Transaction].
func (p *prepared) PayloadKey(string) any { return p.last }

// snapshot runs SQL in a transaction that reads. The texts are prepared on the pool.
type snapshot struct {
	pool *prepared
	tx   *sql.Tx
}

// Exec implements [sqlstore.Runner].
func (s *snapshot) Exec(context.Context, string, ...any) (int64, error) {
	return 0, errors.New("a snapshot can't be changed")
}

// Query implements [sqlstore.Runner].
func (s *snapshot) Query(ctx context.Context, text string, args ...any) (sqlstore.Rows, error) {
	stmt, err := s.pool.prepare(ctx, text)
	if err != nil {
		return nil, err
	}
	return s.tx.StmtContext(ctx, stmt).QueryContext(ctx, args...) //nolint:rowserrcheck,sqlclosecheck // by whoever reads the rows
}
