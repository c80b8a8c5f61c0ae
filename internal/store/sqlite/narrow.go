package sqlite

import (
	"context"
	"fmt"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// shelf is an index of a list: it keeps an owner's items by event type and, within that, by standing, each in order.
type shelf struct {
	table     string
	owner     string // column
	key       string // column
	row       string // column, or 0
	kind      posthorn.IDKind
	standing  string // column; empty if the items have none
	standings []any  // all there are
	labelled  string // tells whether a label's item has a standing out of a list; holds one %s for the list
}

func messageShelf() shelf {
	return shelf{table: "message", owner: "app_id", key: "id", row: "0", kind: posthorn.MessageID}
}

func deliveryShelf() shelf {
	return shelf{
		table: "delivery", owner: "endpoint_id", key: "message_id", row: "0", kind: posthorn.MessageID, standing: "state",
		standings: []any{
			posthorn.Pending, posthorn.Retrying, posthorn.Delivered, posthorn.Failed, posthorn.Held, posthorn.Cancelled,
		},
		labelled: "EXISTS (SELECT 1 FROM delivery d WHERE d.message_id = l.item_id AND d.endpoint_id = l.owner_id AND d.state IN %s)",
	}
}

func attemptShelf() shelf {
	return shelf{
		table: "attempt", owner: "endpoint_id", key: "id", row: "seq", kind: posthorn.AttemptID, standing: "outcome",
		standings: []any{noResponse, 1, 2, 3, 4, 5, otherClass, success},
		labelled:  "l.outcome IN %s",
	}
}

// wanted is what a list is narrowed to. No event types mean all of them. So do nil standings, but none mean none.
type wanted struct {
	owner      string
	eventTypes []string // each once
	standings  []any
	labels     labels
}

const (
	values = "(SELECT value FROM json_each(?))"
	// weighed is how many entries of an index are counted to learn which of several is the shortest.
	weighed = 1000
	// hasLabel tells whether the item with a key, which takes the place of %s, has a label.
	hasLabel = " AND EXISTS (SELECT 1 FROM label o WHERE o.owner_id = ? AND o.kind = ? AND o.name = ? AND o.item_id = %s)"
)

// runs returns the runs of the index that hold what is wanted, in a stretch. Where several indexes have it, it takes the
// one with the fewest entries there and has the other conditions checked along the way.
func (f *shelf) runs(ctx context.Context, on *statements, w wanted, s stretch, descending bool) ([]run, error) {
	if w.standings != nil && len(w.standings) == 0 {
		return nil, nil
	}
	if len(w.labels) == 0 {
		return f.byType(ctx, on, w, s, descending)
	}
	best, fewest := -1, weighed
	if len(w.labels) > 1 || len(w.eventTypes) > 0 || len(w.standings) > 0 {
		for i, l := range w.labels {
			n, err := countKeys(ctx, on, []run{f.byLabel(wanted{owner: w.owner, labels: labels{l}}, 0)}, s, fewest)
			if err != nil {
				return nil, err
			}
			if n < fewest {
				best, fewest = i, n
			}
		}
		if len(w.eventTypes) > 0 || len(w.standings) > 0 {
			all, err := f.byType(ctx, on, wanted{owner: w.owner, eventTypes: w.eventTypes, standings: w.standings}, s, descending)
			if err != nil {
				return nil, err
			}
			n, err := countKeys(ctx, on, all, s, fewest)
			if err != nil {
				return nil, err
			}
			if n < fewest {
				return f.byType(ctx, on, w, s, descending)
			}
		}
	}
	return []run{f.byLabel(w, max(best, 0))}, nil
}

// findKeys returns the keys of a page, and of the item behind it if there is one.
func findKeys(ctx context.Context, on *statements, f shelf, w wanted, window store.Window, p store.Page) ([]key, error) {
	s := stretchOf(f.kind, window, p)
	runs, err := f.runs(ctx, on, w, s, p.QueryDescending())
	if err != nil {
		return nil, err
	}
	return merge(ctx, on, runs, s, p.QueryDescending(), p.QueryLimit())
}

// byLabel is the run of one of the wanted labels.
func (f *shelf) byLabel(w wanted, which int) run {
	q := newQuery(" FROM label l WHERE l.owner_id = ? AND l.kind = ? AND l.name = ?", w.owner, w.labels[which][0], w.labels[which][1])
	if len(w.eventTypes) > 0 {
		q.add(" AND l.event_type IN "+values, jsonOf(&w.eventTypes))
	}
	if len(w.standings) > 0 {
		q.add(" AND "+fmt.Sprintf(f.labelled, values), jsonOf(&w.standings))
	}
	for i, l := range w.labels {
		if i != which {
			q.add(fmt.Sprintf(hasLabel, "l.item_id"), w.owner, l[0], l[1])
		}
	}
	return run{source: q.text.String(), args: q.args, key: "l.item_id", row: "coalesce(l.item_seq, 0)"}
}

// byType are the runs of the event types and standings that are wanted.
func (f *shelf) byType(ctx context.Context, on *statements, w wanted, s stretch, descending bool) ([]run, error) {
	if f.standing == "" {
		return f.byTypeAlone(w), nil
	}
	q := f.heads(w, s, descending)
	heads, err := all(ctx, on, headFields, q.text.String(), q.args...)
	if err != nil {
		return nil, err
	}
	var runs []run
	for _, h := range heads {
		if h.key != "" {
			runs = append(runs, f.run(w, h))
		}
	}
	return runs, nil
}

// byTypeAlone is byType of items without a standing: their index by key alone serves a list of all event types.
func (f *shelf) byTypeAlone(w wanted) []run {
	if len(w.eventTypes) == 0 {
		return []run{f.run(w, head{})}
	}
	runs := make([]run, len(w.eventTypes))
	for i, t := range w.eventTypes {
		runs[i] = f.run(w, head{eventType: t})
	}
	return runs
}

// head is the first key of an event type and a standing.
type head struct {
	eventType string
	standing  any
	key       string
}

func headFields(h *head) []any { return []any{&h.eventType, &h.standing, text{&h.key}} }

// heads asks for the head of each event type and standing. Event types that aren't given are found by skipping from one
// to the next; those that are given and not there are left out.
func (f *shelf) heads(w wanted, s stretch, descending bool) *query {
	q := newQuery("WITH RECURSIVE ")
	if len(w.eventTypes) > 0 {
		q.add("type (name) AS (SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM "+f.table+" WHERE "+f.owner+" = ?"+
			" AND event_type = value))", jsonOf(&w.eventTypes), w.owner)
	} else {
		next := "SELECT min(event_type) FROM " + f.table + " WHERE " + f.owner + " = ?"
		q.add("type (name) AS ("+next+" UNION ALL SELECT ("+next+" AND event_type > name) FROM type WHERE name IS NOT NULL)",
			w.owner, w.owner)
	}
	first := "min"
	if descending {
		first = "max"
	}
	standings := w.standings
	if len(standings) == 0 {
		standings = f.standings
	}
	q.add(" SELECT t.name, s.value, (SELECT "+first+"(x."+f.key+") FROM "+f.table+" x WHERE x."+f.owner+" = ? AND x.event_type = t.name"+
		" AND x."+f.standing+" = s.value AND x."+f.key+" >= ? AND x."+f.key+" < ?)"+
		" FROM type t CROSS JOIN json_each(?) s WHERE t.name IS NOT NULL", w.owner, s.low, s.high, jsonOf(&standings))
	return q
}

// run is the run that begins with a head.
func (f *shelf) run(w wanted, h head) run {
	q := newQuery(" FROM "+f.table+" x WHERE x."+f.owner+" = ?", w.owner)
	if len(w.eventTypes) > 0 || f.standing != "" {
		q.add(" AND x.event_type = ?", h.eventType)
	}
	if f.standing != "" {
		q.add(" AND x."+f.standing+" = ?", h.standing)
	}
	row := f.row
	if row != "0" {
		row = "x." + row
	}
	for _, l := range w.labels {
		q.add(fmt.Sprintf(hasLabel, "x."+f.key), w.owner, l[0], l[1])
	}
	return run{source: q.text.String(), args: q.args, key: "x." + f.key, row: row, head: h.key}
}
