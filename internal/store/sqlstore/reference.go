package sqlstore

import (
	"context"
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

// messageByRef is byRef for an application's message, whose other name is its event ID.
func messageByRef[T any](ctx context.Context, q *Session, appID, ref string, find func(id string) (T, error)) (T, error) {
	if posthorn.MessageID.Has(ref) {
		if item, err := find(ref); !errors.Is(err, sql.ErrNoRows) {
			return item, err
		}
	}
	var id string
	if err := q.row(ctx, []any{&id}, messageOfEvent, appID, ref); err != nil {
		var none T
		return none, err
	}
	return find(id)
}

const messageOfEvent = "SELECT id FROM message WHERE app_id = ? AND event_id = ?"
