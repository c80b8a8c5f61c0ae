package sqlstore

import (
	"context"
	"database/sql"

	"github.com/posthorn/posthorn"
)

// Session is where SQL runs: a transaction that writes, a snapshot, or whichever connection is free. Texts are written in
// an SQL that all databases speak or that theirs is made from, with ? for parameters. There are some hundred texts at
// most, because a list's filters and directions are all that varies; values are parameters.
type Session struct {
	on        Runner
	tx        Transaction        // on, if it writes
	changed   bool               // a statement has changed rows
	committed []func()           // to call once the transaction is committed
	notices   []posthorn.Message // what has been stored to be told
}

// NewSession returns a session that reads.
func NewSession(on Runner) *Session { return &Session{on: on} }

// NewTransaction returns the session of one write.
func NewTransaction(on Transaction) *Session { return &Session{on: on, tx: on} }

// Changed reports whether rows were changed.
func (s *Session) Changed() bool { return s.changed }

// Committed has all called that wait for the end of the transaction.
func (s *Session) Committed() {
	for _, f := range s.committed {
		f()
	}
}

// onCommit has f called when the transaction is committed, and not at all if it is undone.
func (s *Session) onCommit(f func()) { s.committed = append(s.committed, f) }

// lock makes sure that nobody else holds one of the locks until the transaction has ended.
// What was decided upon is read before, so without the locks the write begins anew with them.
func (s *Session) lock(locks ...string) error { return s.tx.Lock(locks...) }

// lockNow is lock for what is read only later: locks that are free are taken on the spot.
func (s *Session) lockNow(ctx context.Context, locks ...string) error {
	return s.tx.LockNow(ctx, locks...)
}

// Exec runs a statement that returns no rows and says how many it changed.
func (s *Session) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	changed, err := s.on.Exec(ctx, text, args...)
	if changed > 0 {
		s.changed = true
	}
	return changed, err
}

// insert is an Exec of an INSERT that reports whether there is no such row yet.
func (s *Session) insert(ctx context.Context, text string, args ...any) (bool, error) {
	inserted, err := s.tx.Insert(ctx, text, args...)
	if inserted {
		s.changed = true
	}
	return inserted, err
}

// insertNumbered is insert into a table whose rows are numbered. The number is left out where the database gives it: to be
// told so costs SQLite as much as to be given one.
func (s *Session) insertNumbered(ctx context.Context, table, columns, otherwise string, args []any) (bool, error) {
	if number := s.tx.Number(); number != nil {
		columns += ", seq"
		args = append(args, number)
	}
	return s.insert(ctx, "INSERT INTO "+table+" ("+columns+") VALUES ("+placeholders(columns)+")"+otherwise, args...)
}

// post is an Exec of which nobody has to know how many rows it changed, and which may be put off until something else is
// asked or the transaction ends.
func (s *Session) post(ctx context.Context, text string, args ...any) error {
	s.changed = true
	return s.tx.Post(ctx, text, args...)
}

// row reads a single row into dest; sql.ErrNoRows if there is none.
func (s *Session) row(ctx context.Context, dest []any, text string, args ...any) error {
	rows, err := s.on.Query(ctx, text, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // what matters came with the rows
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return err
		}
		return sql.ErrNoRows
	}
	if err := rows.Scan(dest...); err != nil {
		return err
	}
	return rows.Close()
}

// one reads a single row into a T.
func one[T any](ctx context.Context, s *Session, fields func(*T) []any, text string, args ...any) (T, error) {
	var item T
	if err := s.row(ctx, fields(&item), text, args...); err != nil {
		var none T
		return none, err
	}
	return item, nil
}

// all reads all rows.
func all[T any](ctx context.Context, s *Session, fields func(*T) []any, text string, args ...any) ([]T, error) {
	items, _, err := upTo(ctx, s, fields, func([]T) bool { return false }, text, args...)
	return items, err
}

// upTo reads rows until they are enough, and reports whether there are more.
func upTo[T any](
	ctx context.Context, s *Session, fields func(*T) []any, enough func([]T) bool, text string, args ...any,
) (items []T, more bool, err error) {
	rows, err := s.on.Query(ctx, text, args...)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close() //nolint:errcheck // what matters came with the rows
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
