package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/posthorn/posthorn/internal/seal"
	"github.com/posthorn/posthorn/internal/store"
)

// column is both a parameter and a destination.
type column interface {
	driver.Valuer
	sql.Scanner
}

// sealedColumn is a column of text that is sealed on its way into the database, bound to its name and its row. Text that
// was written in the clear is read as it is.
type sealedColumn struct {
	column
	box  *seal.Box
	name string
	id   *string // of the row; scanned before
}

func (s *Store) sealed(name string, id *string, c column) column {
	return sealedColumn{column: c, box: s.box, name: name, id: id}
}

func (c sealedColumn) place() string { return c.name + ":" + *c.id }

func (c sealedColumn) Value() (driver.Value, error) {
	value, err := c.column.Value()
	clear, ok := value.(string)
	if err != nil || !ok || c.box == nil {
		return value, err
	}
	return c.box.SealText(clear, c.place()), nil
}

func (c sealedColumn) Scan(src any) error {
	value, ok := src.(string)
	if !ok || !seal.IsSealed(value) {
		return c.column.Scan(src)
	}
	if c.box == nil {
		return store.ErrSealed
	}
	clear, err := c.box.OpenText(value, c.place())
	if err != nil {
		return fmt.Errorf("opening %s: %w", c.name, err)
	}
	return c.column.Scan(clear)
}

// proof is the text whose sealed form shows whether a box is the right one.
const proof = "posthorn"

// sealUp makes sure that the box fits what is sealed in the database. The first box seals what is there.
func (s *Store) sealUp(ctx context.Context) (first bool, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *Session) error {
		first = false
		var sealed string
		err := tx.row(ctx, []any{&sealed}, "SELECT proof FROM seal")
		switch {
		case errors.Is(err, sql.ErrNoRows) && s.box == nil:
			return nil
		case errors.Is(err, sql.ErrNoRows):
			if err := tx.lock(sealLock); err != nil {
				return err
			}
			first = true
			return s.sealFirst(ctx, tx)
		case err != nil:
			return fmt.Errorf("reading the seal: %w", err)
		case s.box == nil:
			return store.ErrSealed
		}
		if opened, err := s.box.OpenText(sealed, "seal"); err != nil || opened != proof {
			return store.ErrOtherSecret
		}
		return nil
	})
	return first, err
}

// sealedColumns are those that hold secrets, by table.
var sealedColumns = []struct{ table, column string }{
	{"endpoint", "headers"},
	{"endpoint", "secrets"},
	{"poller", "secrets"},
}

// sealFirst seals all that was written in the clear.
func (s *Store) sealFirst(ctx context.Context, tx *Session) error {
	for _, c := range sealedColumns {
		if err := s.sealColumn(ctx, tx, c.table, c.column); err != nil {
			return fmt.Errorf("sealing %s of %s: %w", c.column, c.table, err)
		}
	}
	// There can be millions of attempts, so what was sent with them is forgotten rather than sealed.
	if _, err := tx.Exec(ctx, "UPDATE attempt SET sent = NULL WHERE sent IS NOT NULL"); err != nil {
		return fmt.Errorf("forgetting the headers of earlier attempts: %w", err)
	}
	if _, err := tx.Exec(ctx, "INSERT INTO seal (proof) VALUES (?)", s.box.SealText(proof, "seal")); err != nil {
		return fmt.Errorf("sealing secrets: %w", err)
	}
	return nil
}

// clearText is a value that is not sealed yet.
type clearText struct{ id, text string }

func (s *Store) sealColumn(ctx context.Context, q *Session, table, column string) error {
	rows, err := all(ctx, q, func(r *clearText) []any { return []any{&r.id, &r.text} },
		"SELECT id, "+column+" FROM "+table+" WHERE "+column+" IS NOT NULL")
	if err != nil {
		return err
	}
	for _, r := range rows {
		sealed := s.box.SealText(r.text, table+"."+column+":"+r.id)
		if _, err := q.Exec(ctx, "UPDATE "+table+" SET "+column+" = ? WHERE id = ?", sealed, r.id); err != nil {
			return fmt.Errorf("%s: %w", r.id, err)
		}
	}
	return nil
}
