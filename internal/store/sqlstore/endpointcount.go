package sqlstore

import (
	"context"
)

// CountEndpoints implements [store.AttemptStatistics].
func (s *Store) CountEndpoints(ctx context.Context, org string, except []string) (active, disabled int, err error) {
	defer s.annotate(&err, "counting the endpoints of %s", org)
	type counts struct{ active, disabled int }
	found, err := read(s, func(q *Session) (counts, error) {
		wanted := countEndpoints(org, except)
		return one(ctx, q, func(c *counts) []any { return []any{&c.active, &c.disabled} }, wanted.text.String(), wanted.args...)
	})
	return found.active, found.disabled, err
}

func countEndpoints(org string, except []string) *query {
	q := newQuery("SELECT count(*) FILTER (WHERE NOT e.disabled), count(*) FILTER (WHERE e.disabled)" +
		" FROM application a CROSS JOIN endpoint e ON e.app_id = a.id")
	q.where("a.org_id = ? AND a.deleted_at IS NULL AND e.deleted_at IS NULL", org)
	q.except(except)
	return q
}

// CountActiveApplications implements [store.AttemptStatistics].
func (s *Store) CountActiveApplications(ctx context.Context, org string, enabled bool, except []string) (count int, err error) {
	defer s.annotate(&err, "counting the active applications of %s", org)
	return read(s, func(q *Session) (count int, err error) {
		wanted := countActiveApplications(org, enabled, except)
		err = q.row(ctx, []any{&count}, wanted.text.String(), wanted.args...)
		return count, err
	})
}

func countActiveApplications(org string, enabled bool, except []string) *query {
	q := newQuery("SELECT count(*) FROM application a WHERE a.org_id = ? AND a.deleted_at IS NULL AND EXISTS"+
		" (SELECT 1 FROM endpoint e WHERE e.app_id = a.id AND e.deleted_at IS NULL", org)
	q.narrowed = true
	if enabled {
		q.where("NOT e.disabled")
	}
	q.except(except)
	q.add(")")
	return q
}

// except leaves out the endpoints e whose URL begins with one of the prefixes.
func (q *query) except(prefixes []string) {
	if len(prefixes) > 0 {
		q.where("NOT EXISTS (SELECT 1 FROM json_each(?) p WHERE substr(lower(e.url), 1, length(p.value)) = p.value)", jsonOf(&prefixes))
	}
}
