package sqlstore

import (
	"context"

	"github.com/posthorn/posthorn/internal/store"
)

// CountDestinations implements [store.Usage].
func (s *Store) CountDestinations(
	ctx context.Context, appID, after, before string, limit int,
) (d store.Destinations, err error) {
	defer s.annotate(&err, "counting what was sent to %s", appID)
	q := countDestinations(appID, after, before, limit)
	return read(s, func(on *Session) (store.Destinations, error) {
		return one(ctx, on, destinationsFields, q.text.String(), q.args...)
	})
}

func destinationsFields(d *store.Destinations) []any {
	return []any{&d.Messages, &d.Deliveries, text{&d.Last}}
}

func countDestinations(appID, after, before string, limit int) *query {
	return newQuery("SELECT count(*), CAST(coalesce(sum(deliveries), 0) AS BIGINT), max(id) FROM ("+
		"SELECT m.id, (SELECT count(*) FROM delivery d WHERE d.message_id = m.id) AS deliveries FROM message m"+
		" WHERE m.app_id = ? AND m.id > ? AND m.id < ? ORDER BY m.id LIMIT ?) AS part", appID, after, before, limit)
}
