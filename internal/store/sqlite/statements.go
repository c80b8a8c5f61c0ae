package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// statements runs SQL on a connection or a pool, each text prepared once: to parse it costs more than to run it. There
// are some hundred texts at most, because a list's filters and directions are all that varies; values are parameters.
type statements struct {
	on interface {
		PrepareContext(ctx context.Context, text string) (*sql.Stmt, error)
	}
	prepared sync.Map    // text → *sql.Stmt
	shared   *statements // where texts are prepared instead, for a transaction tx on one of its connections; nil elsewhere
	tx       *sql.Tx
	changed  bool // exec has changed rows; kept for the writer, on whose connection all changes go through exec
}

func (s *statements) prepare(ctx context.Context, text string) (*sql.Stmt, error) {
	if s.shared != nil {
		stmt, err := s.shared.prepare(ctx, text)
		if err != nil {
			return nil, err
		}
		return s.tx.StmtContext(ctx, stmt), nil
	}
	if found, ok := s.prepared.Load(text); ok {
		return found.(*sql.Stmt), nil
	}
	stmt, err := s.on.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if found, lost := s.prepared.LoadOrStore(text, stmt); lost {
		return found.(*sql.Stmt), stmt.Close()
	}
	return stmt, nil
}

// close releases the statements. A connection that has some left is not closed, even if it says so.
func (s *statements) close() error {
	var problems []error
	for _, stmt := range s.prepared.Range {
		problems = append(problems, stmt.(*sql.Stmt).Close())
	}
	return errors.Join(problems...)
}

// exec runs a statement that returns no rows and says how many it changed.
func (s *statements) exec(ctx context.Context, text string, args ...any) (int64, error) {
	stmt, err := s.prepare(ctx, text)
	if err != nil {
		return 0, err
	}
	result, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	changed, err := result.RowsAffected()
	if changed > 0 {
		s.changed = true
	}
	return changed, err
}

// row reads a single row into dest; sql.ErrNoRows if there is none.
func (s *statements) row(ctx context.Context, dest []any, text string, args ...any) error {
	stmt, err := s.prepare(ctx, text)
	if err != nil {
		return err
	}
	return stmt.QueryRowContext(ctx, args...).Scan(dest...)
}

// one reads a single row into a T.
func one[T any](ctx context.Context, s *statements, fields func(*T) []any, text string, args ...any) (T, error) {
	var item T
	if err := s.row(ctx, fields(&item), text, args...); err != nil {
		var none T
		return none, err
	}
	return item, nil
}

// all reads all rows.
func all[T any](ctx context.Context, s *statements, fields func(*T) []any, text string, args ...any) ([]T, error) {
	items, _, err := upTo(ctx, s, fields, func([]T) bool { return false }, text, args...)
	return items, err
}

// upTo reads rows until they are enough, and reports whether there are more.
func upTo[T any](
	ctx context.Context, s *statements, fields func(*T) []any, enough func([]T) bool, text string, args ...any,
) (items []T, more bool, err error) {
	stmt, err := s.prepare(ctx, text)
	if err != nil {
		return nil, false, err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	for rows.Next() {
		if enough(items) {
			return items, true, nil
		}
		var item T
		if err := rows.Scan(fields(&item)...); err != nil {
			return nil, false, err
		}
		items = append(items, item)
	}
	return items, false, rows.Err()
}
