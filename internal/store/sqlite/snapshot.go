package sqlite

import (
	"context"
	"database/sql"
)

// snapshot runs queries that see one state of the database, whatever is written meanwhile.
func snapshot[T any](ctx context.Context, s *Store, find func(on *statements) (T, error)) (T, error) {
	return read(s, func(cached *statements) (T, error) {
		var none T
		tx, err := s.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
		if err != nil {
			return none, err
		}
		defer func() { _ = tx.Rollback() }() // it has nothing to keep
		return find(&statements{shared: cached, tx: tx})
	})
}
