package store

import "slices"

// QueryDescending reports whether a database has to read the page from the end of the list to its beginning. After
// lies behind the keys of the page then, otherwise before them. A backward page without After is the last of the list.
func (p Page) QueryDescending() bool { return p.Descending != p.Backward }

// QueryLimit is how many rows a database has to be asked for: one more than the page holds, which tells List.More.
func (p Page) QueryLimit() int { return p.Limit + 1 }

// NewList makes a page of the rows that a database returned when asked as QueryDescending and QueryLimit say.
func NewList[T any](p Page, rows []T) List[T] {
	more := len(rows) > p.Limit
	if more {
		rows = rows[:p.Limit]
	}
	if p.Backward {
		slices.Reverse(rows)
	}
	return List[T]{Items: rows, More: more}
}
