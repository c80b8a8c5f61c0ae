package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// request is a statement that is sent together with others.
type request struct {
	text   string
	args   []any
	answer *answer
	err    error
}

// fixed is a request whose parameters are taken as they are now.
func fixed(text string, args []any) (*request, error) {
	values := make([]any, len(args))
	for i, arg := range args {
		value, err := driver.DefaultParameterConverter.ConvertValue(arg)
		if err != nil {
			return nil, fmt.Errorf("parameter %d: %w", i+1, err)
		}
		values[i] = value
	}
	return &request{text: text, args: values}, nil
}

// queue adds the request to a batch.
func (r *request) queue(ctx context.Context, conn *pgx.Conn, batch *pgx.Batch) error {
	text := translate(r.text)
	statement, err := conn.Prepare(ctx, text, text)
	if err != nil {
		return err
	}
	args := r.args
	if len(args) != 1 || !isNumbers(args[0]) {
		if args, err = parameters(statement, args); err != nil {
			return err
		}
	}
	batch.Queue(text, args...)
	return nil
}

// isNumbers reports whether a parameter is a list of numbers, which nothing converts.
func isNumbers(arg any) bool {
	_, ok := arg.([]int64)
	return ok
}

// answer is what came of a statement. Its rows are all there, and are read while others of the group wait.
type answer struct {
	changed int64
	types   *pgtype.Map
	fields  []pgconn.FieldDescription
	rows    [][][]byte
	current [][]byte
}

// readAnswer keeps the rows of an answer.
func readAnswer(types *pgtype.Map, found pgx.Rows) (*answer, error) {
	defer found.Close()
	a := &answer{types: types, fields: append([]pgconn.FieldDescription(nil), found.FieldDescriptions()...)}
	for found.Next() {
		row := make([][]byte, len(a.fields))
		for i, raw := range found.RawValues() {
			if raw != nil {
				row[i] = append([]byte{}, raw...)
			}
		}
		a.rows = append(a.rows, row)
	}
	found.Close()
	a.changed = found.CommandTag().RowsAffected()
	return a, found.Err()
}

// Next implements [sqlstore.Rows].
func (a *answer) Next() bool {
	if len(a.rows) == 0 {
		return false
	}
	a.current, a.rows = a.rows[0], a.rows[1:]
	return true
}

// Scan implements [sqlstore.Rows].
func (a *answer) Scan(dest ...any) error { return scanAll(a.types, a.fields, a.current, dest) }

// Err implements [sqlstore.Rows].
func (*answer) Err() error { return nil }

// Close implements [sqlstore.Rows].
func (*answer) Close() error { return nil }

// scanOne reads the only row.
func (a *answer) scanOne(dest ...any) error {
	if !a.Next() {
		return sql.ErrNoRows
	}
	return a.Scan(dest...)
}
