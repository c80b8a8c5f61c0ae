package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// query is a SELECT that is put together condition by condition.
type query struct {
	text     strings.Builder
	args     []any
	narrowed bool // has a WHERE clause
}

func newQuery(text string, args ...any) *query {
	q := &query{}
	q.add(text, args...)
	return q
}

func (q *query) add(text string, args ...any) {
	q.text.WriteString(text)
	q.args = append(q.args, args...)
}

func (q *query) where(condition string, args ...any) {
	if q.narrowed {
		q.add(" AND ")
	} else {
		q.add(" WHERE ")
	}
	q.narrowed = true
	q.add(condition, args...)
}

// in narrows to the rows whose column has one of the values; to all if there are none.
func in[T any](q *query, column string, values []T) {
	if len(values) > 0 {
		q.where(column+" IN (SELECT value FROM json_each(?))", jsonOf(&values))
	}
}

// distinct returns the values, each once.
func distinct[T cmp.Ordered](values []T) []T {
	return slices.Compact(slices.Sorted(slices.Values(values)))
}

// window narrows to a time window by the key column, an identifier.
func (q *query) window(key string, kind posthorn.IDKind, w store.Window) {
	from, to := w.Bounds(kind)
	if from != "" {
		q.where(key+" >= ?", from)
	}
	if to != "" {
		q.where(key+" < ?", to)
	}
}

// from narrows to what lies behind the page's start, seen in the direction of reading.
func (q *query) from(key string, p store.Page) {
	switch {
	case p.After == "":
	case p.QueryDescending():
		q.where(key+" < ?", p.After)
	default:
		q.where(key+" > ?", p.After)
	}
}

// limit sorts by the key and ends the query with the page's size.
func (q *query) limit(key string, p store.Page) {
	q.add(" ORDER BY " + key)
	if p.QueryDescending() {
		q.add(" DESC")
	}
	q.add(" LIMIT ?", p.QueryLimit())
}

// page ends the query with one page by the key column.
func (q *query) page(key string, p store.Page) *query {
	q.from(key, p)
	q.limit(key, p)
	return q
}

// list reads a page.
func list[T any](ctx context.Context, s *Store, fields func(*T) []any, p store.Page, q *query) (store.List[T], error) {
	items, err := many(ctx, s, fields, q)
	if err != nil {
		return store.List[T]{}, err
	}
	return store.NewList(p, items), nil
}

// many reads all rows.
func many[T any](ctx context.Context, s *Store, fields func(*T) []any, q *query) ([]T, error) {
	return read(s, func(on *Session) ([]T, error) { return all(ctx, on, fields, q.text.String(), q.args...) })
}
