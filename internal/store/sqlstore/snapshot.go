package sqlstore

import "context"

// snapshot runs queries that see one state of the database, whatever is written meanwhile.
func snapshot[T any](ctx context.Context, s *Store, find func(on *Session) (T, error)) (T, error) {
	return read(s, func(*Session) (T, error) {
		on, end, err := s.db.Snapshot(ctx)
		if err != nil {
			var none T
			return none, err
		}
		defer end()
		return find(on)
	})
}
