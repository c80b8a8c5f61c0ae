package sqlite

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
func (s *Store) sealUp(ctx context.Context) error {
	var sealed string
	err := s.conn.QueryRowContext(ctx, "SELECT proof FROM seal").Scan(&sealed)
	switch {
	case errors.Is(err, sql.ErrNoRows) && s.box == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return s.sealFirst(ctx)
	case err != nil:
		return fmt.Errorf("reading the seal: %w", err)
	case s.box == nil:
		return store.ErrSealed
	}
	if opened, err := s.box.OpenText(sealed, "seal"); err != nil || opened != proof {
		return store.ErrOtherSecret
	}
	return nil
}

// sealedColumns are those that hold secrets, by table.
var sealedColumns = []struct{ table, column string }{
	{"endpoint", "headers"},
	{"endpoint", "secrets"},
	{"poller", "secrets"},
}

// sealFirst seals all that was written in the clear, and leaves no copy of it in the log.
func (s *Store) sealFirst(ctx context.Context) error {
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("sealing secrets: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to undo
	q := &statements{on: tx}
	for _, c := range sealedColumns {
		if err := s.sealColumn(ctx, q, c.table, c.column); err != nil {
			return fmt.Errorf("sealing %s of %s: %w", c.column, c.table, err)
		}
	}
	if _, err := q.exec(ctx, "INSERT INTO seal (proof) VALUES (?)", s.box.SealText(proof, "seal")); err != nil {
		return fmt.Errorf("sealing secrets: %w", err)
	}
	if err := errors.Join(q.close(), tx.Commit()); err != nil {
		return fmt.Errorf("sealing secrets: %w", err)
	}
	if _, err := s.conn.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return fmt.Errorf("sealing secrets: %w", err)
	}
	return nil
}

// clearText is a value that is not sealed yet.
type clearText struct{ id, text string }

func (s *Store) sealColumn(ctx context.Context, q *statements, table, column string) error {
	rows, err := all(ctx, q, func(r *clearText) []any { return []any{&r.id, &r.text} },
		"SELECT id, "+column+" FROM "+table+" WHERE "+column+" IS NOT NULL")
	if err != nil {
		return err
	}
	for _, r := range rows {
		sealed := s.box.SealText(r.text, table+"."+column+":"+r.id)
		if _, err := q.exec(ctx, "UPDATE "+table+" SET "+column+" = ? WHERE id = ?", sealed, r.id); err != nil {
			return fmt.Errorf("%s: %w", r.id, err)
		}
	}
	return nil
}
