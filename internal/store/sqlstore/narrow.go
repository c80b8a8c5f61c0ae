package sqlstore

import (
	"context"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// shelf is an index of a list. Behind columns that are fixed, an owner or a label of its, it has the event type of the
// items, their standing and their key: in one event type and standing, items stand in the list's order.
type shelf struct {
	table     string
	fixed     string // condition
	owner     []any  // its parameters
	key       string // column
	row       string // column, or 0
	standing  string // column; empty if items have none
	standings []any  // all there are
}

// wanted is what a list is narrowed to. No event types mean all of them. So do nil standings, but none mean none.
type wanted struct {
	eventTypes []string // each once
	standings  []any
}

// messageShelf is that of an application's messages.
func messageShelf(appID string, f store.MessageFilter) shelf {
	if l, ok := wantedLabel(f.Channel, f.Tag); ok {
		return l.shelf(appID, []any{noStanding})
	}
	return shelf{table: "message", fixed: "app_id = ?", owner: []any{appID}, key: "id", row: "0"}
}

// deliveryShelf is that of an endpoint's messages.
func deliveryShelf(endpointID string, f store.MessageFilter) shelf {
	states := []any{
		posthorn.Pending, posthorn.Retrying, posthorn.Delivered, posthorn.Failed, posthorn.Held, posthorn.Cancelled,
	}
	if l, ok := wantedLabel(f.Channel, f.Tag); ok {
		return l.shelf(endpointID, states)
	}
	return shelf{
		table: "delivery", fixed: "endpoint_id = ?", owner: []any{endpointID}, key: "message_id", row: "0",
		standing: "state", standings: states,
	}
}

// attemptShelf is that of an endpoint's attempts.
func attemptShelf(f store.AttemptFilter) shelf {
	outcomes := []any{noResponse, 1, 2, 3, 4, 5, otherClass, success}
	if l, ok := wantedLabel(f.Channel, f.Tag); ok {
		return l.shelf(f.EndpointID, outcomes)
	}
	return shelf{
		table: "attempt", fixed: "endpoint_id = ?", owner: []any{f.EndpointID}, key: "id", row: "seq",
		standing: "outcome", standings: outcomes,
	}
}

// shelf is the index of what has a label on an owner's list.
func (l label) shelf(owner string, standings []any) shelf {
	return shelf{
		table: "label", fixed: "owner_id = ? AND kind = ? AND name = ?", owner: []any{owner, l.kind, l.name},
		key: "item_id", row: "coalesce(item_seq, 0)", standing: "standing", standings: standings,
	}
}

// findKeys returns the keys of a page, and of the item behind it if there is one.
func findKeys(
	ctx context.Context, on *Session, f shelf, w wanted, kind posthorn.IDKind, window store.Window, p store.Page,
) ([]key, error) {
	s := extentOf(kind, window, p)
	runs, err := f.runs(ctx, on, w, s, p.QueryDescending())
	if err != nil {
		return nil, err
	}
	return merge(ctx, on, runs, s, p.QueryDescending(), p.QueryLimit())
}

// runs returns the runs of the index that hold what is wanted, in an extent of keys.
func (f *shelf) runs(ctx context.Context, on *Session, w wanted, s extent, descending bool) ([]run, error) {
	if f.standing == "" {
		return f.byTypeAlone(w), nil
	}
	if w.standings != nil && len(w.standings) == 0 {
		return nil, nil
	}
	q := f.heads(w, s, descending)
	heads, err := all(ctx, on, headFields, q.text.String(), q.args...)
	if err != nil {
		return nil, err
	}
	var runs []run
	for _, h := range heads {
		if h.key != "" {
			runs = append(runs, f.run(h))
		}
	}
	return runs, nil
}

// byTypeAlone are the runs of items without a standing: their index by key alone serves a list of all event types.
func (f *shelf) byTypeAlone(w wanted) []run {
	if len(w.eventTypes) == 0 {
		return []run{f.run(head{})}
	}
	runs := make([]run, len(w.eventTypes))
	for i, t := range w.eventTypes {
		runs[i] = f.run(head{eventType: t})
	}
	return runs
}

// head is the first key of an event type and a standing.
type head struct {
	eventType string
	standing  any
	key       string
}

func headFields(h *head) []any { return []any{&h.eventType, standing{&h.standing}, text{&h.key}} }

// heads asks for the head of each event type and standing in an extent of keys.
func (f *shelf) heads(w wanted, s extent, descending bool) *query {
	if descending {
		return f.each("max(x."+f.key+")", w, s)
	}
	return f.each("min(x."+f.key+")", w, s)
}

// each asks for an aggregate of each event type and standing in an extent of keys. Event types that aren't given are
// found by skipping from one to the next; those that are given and not there are left out.
func (f *shelf) each(aggregate string, w wanted, s extent) *query {
	from := " FROM " + f.table + " x WHERE " + f.fixed
	q := newQuery("WITH RECURSIVE known (event) AS (")
	if len(w.eventTypes) > 0 {
		q.add("SELECT value FROM json_each(?) WHERE (SELECT min(x.event_type)", jsonOf(&w.eventTypes))
		q.add(from+" AND x.event_type = value) IS NOT NULL)", f.owner...)
	} else {
		q.add("SELECT min(x.event_type)"+from, f.owner...)
		q.add(" UNION ALL SELECT (SELECT min(x.event_type)"+from+" AND x.event_type > event) FROM known WHERE event IS NOT NULL)", f.owner...)
	}
	standings := w.standings
	if len(standings) == 0 {
		standings = f.standings
	}
	q.add(" SELECT known.event, s.value, (SELECT "+aggregate+from, f.owner...)
	q.add(" AND x.event_type = known.event AND x."+f.standing+" = s.value AND x."+f.key+" >= ? AND x."+f.key+" < ?)"+
		" FROM known CROSS JOIN json_each(?) s WHERE known.event IS NOT NULL", s.low, s.high, jsonOf(&standings))
	return q
}

// run is the run that begins with a head.
func (f *shelf) run(h head) run {
	q := newQuery(" FROM "+f.table+" WHERE "+f.fixed, f.owner...)
	if h.eventType != "" || f.standing != "" {
		q.add(" AND event_type = ?", h.eventType)
	}
	if f.standing != "" {
		q.add(" AND "+f.standing+" = ?", h.standing)
	}
	return run{source: q.text.String(), args: q.args, key: f.key, row: f.row, head: h.key}
}
