package sqlite

import (
	"database/sql"
	"errors"

	"github.com/posthorn/posthorn"
)

// byRef finds by ID what ref looks like the ID of, and otherwise by the column that holds the users' own names.
func byRef[T any](kind posthorn.IDKind, ref, uid string, find func(column string) (T, error)) (T, error) {
	if kind.Has(ref) {
		if item, err := find("id"); !errors.Is(err, sql.ErrNoRows) {
			return item, err
		}
	}
	return find(uid)
}
