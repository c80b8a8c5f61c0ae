package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// numberBits is how much of a row's number is its place in its transaction.
const numberBits = 20

// moveNumbersOn makes sure that new rows get larger numbers than those that are there, also where the database was copied
// from a server whose transactions are numbered higher. The largest number is read before the transaction is numbered, so
// that what others write meanwhile is no reason.
func moveNumbersOn(ctx context.Context, pool *pgxpool.Pool) error {
	err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
		var largest int64
		err := tx.QueryRow(ctx, "SELECT greatest((SELECT max(seq) FROM message), (SELECT max(seq) FROM attempt), 0)").Scan(&largest)
		if err != nil {
			return err
		}
		// Of several processes that open a copy, one moves it, before any of them writes.
		if _, err := tx.Exec(ctx, "SELECT base FROM numbering FOR UPDATE"); err != nil {
			return err
		}
		var next int64
		if err := tx.QueryRow(ctx, "SELECT numbers_now()").Scan(&next); err != nil || next > largest {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE numbering SET base = base + $1", (largest-next)>>numberBits+1)
		return err
	})
	if err != nil {
		return fmt.Errorf("numbering rows: %w", err)
	}
	return nil
}
