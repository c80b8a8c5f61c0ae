package sqlite

import "context"

// tally is how many items of a list have an event type and a standing.
type tally struct {
	eventType string
	standing  any
	count     int
}

func tallyFields(t *tally) []any { return []any{&t.eventType, &t.standing, &t.count} }

// tallies counts the items of a list in an extent of keys, event types and standings apart. It reads an index entry for
// each item there, and for event types that have none there a look-up for each standing.
func (f *shelf) tallies(ctx context.Context, on *statements, w wanted, s extent) ([]tally, error) {
	q := f.each("count(*)", w, s)
	return all(ctx, on, tallyFields, q.text.String(), q.args...)
}
