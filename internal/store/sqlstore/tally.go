package sqlstore

import (
	"context"
	"sort"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// tally is how many items of one endpoint, event type and standing there are: the length of a run of their index.
type tally struct {
	endpoint, eventType string
	standing            any // int64 or string
	n                   int
}

func tallyFields(t *tally) []any {
	return []any{&t.endpoint, &t.eventType, standing{&t.standing}, &t.n}
}

// countable is what can be counted in an index by endpoint, event type, standing and key.
type countable struct {
	table, standing, key string // the latter two are columns
	kind                 posthorn.IDKind
	endpoints            *query   // SELECT of their IDs, as id
	standings            []any    // those to count
	eventTypes           []string // each once; none means all
}

// everyEndpoint are those that an application has or had.
func everyEndpoint(appID string) *query {
	return newQuery("SELECT id FROM endpoint WHERE app_id = ?", appID)
}

func oneEndpoint(id string) *query { return newQuery("SELECT ? AS id", id) }

// tallies asks for the length of each run in an extent, counting no further than the limit if there is one. Event types
// that aren't given are found by skipping from one to the next.
func (c *countable) tallies(s extent, limit int) *query {
	q := newQuery("WITH RECURSIVE endpoints (id) AS ("+c.endpoints.text.String()+"), type (endpoint, name) AS (", c.endpoints.args...)
	if len(c.eventTypes) > 0 {
		q.add("SELECT e.id, t.value FROM endpoints e CROSS JOIN json_each(?) t", jsonOf(&c.eventTypes))
	} else {
		next := "(SELECT min(x.event_type) FROM " + c.table + " x WHERE x.endpoint_id = "
		q.add("SELECT e.id, " + next + "e.id) FROM endpoints e UNION ALL" +
			" SELECT t.endpoint, " + next + "t.endpoint AND x.event_type > t.name) FROM type t WHERE t.name IS NOT NULL")
	}
	q.add(") SELECT t.endpoint, t.name, s.value, (SELECT count(*) FROM ")
	if limit > 0 {
		q.add("(SELECT 1 FROM ")
	}
	q.add(c.run("t.endpoint", "t.name", "s.value")+" AND x."+c.key+" >= ? AND x."+c.key+" < ?", s.low, s.high)
	if limit > 0 {
		q.add(" LIMIT ?) AS part", limit)
	}
	q.add(") FROM type t CROSS JOIN json_each(?) s WHERE t.name IS NOT NULL", jsonOf(&c.standings))
	return q
}

// run is the part of the index that one tally is of.
func (c *countable) run(endpoint, eventType, standing string) string {
	return c.table + " x WHERE x.endpoint_id = " + endpoint + " AND x.event_type = " + eventType +
		" AND x." + c.standing + " = " + standing
}

// count returns the tallies of a window, without those that are nought.
func (c *countable) count(ctx context.Context, on *Session, w store.Window) ([]tally, error) {
	return c.read(ctx, on, c.tallies(extentOf(c.kind, w, store.Page{}), 0))
}

func (c *countable) read(ctx context.Context, on *Session, q *query) (found []tally, err error) {
	every, err := all(ctx, on, tallyFields, q.text.String(), q.args...)
	for _, t := range every {
		if t.n > 0 {
			found = append(found, t)
		}
	}
	return found, err
}

// sum is how many items of a standing there are in a period.
type sum struct {
	period   int
	standing any
	n        int
}

func sumFields(s *sum) []any { return []any{&s.period, standing{&s.standing}, &s.n} }

// perPeriod is how many entries of an index cost as much as to seek the end of a period in it.
const perPeriod = 4

// byPeriod counts the items in each of the periods between two neighbours of bounds. To group rows by their time, which
// is inside their IDs, would have to look at each. So each period is sought in the runs that are long, and only the
// short ones are read: neither many idle endpoints nor many items make it slow.
func (c *countable) byPeriod(ctx context.Context, on *Session, bounds []time.Time) ([]sum, error) {
	edges := make([]string, len(bounds))
	for i, b := range bounds {
		edges[i] = store.Before(c.kind, b)
	}
	within := extent{edges[0], edges[len(edges)-1]}
	enough := perPeriod * (len(edges) - 1)
	found, err := c.read(ctx, on, c.tallies(within, enough))
	if err != nil {
		return nil, err
	}
	var short, long []tally
	for _, t := range found {
		if t.n < enough {
			short = append(short, t)
		} else {
			long = append(long, t)
		}
	}
	sums, err := c.sought(ctx, on, long, edges)
	if err != nil || len(short) == 0 {
		return sums, err
	}
	q := c.items(short, within)
	items, err := all(ctx, on, itemFields, q.text.String(), q.args...)
	for _, i := range items {
		behind := sort.Search(len(edges), func(n int) bool { return edges[n] > i.key })
		sums = append(sums, sum{behind - 1, i.standing, 1})
	}
	return sums, err
}

func (c *countable) sought(ctx context.Context, on *Session, runs []tally, edges []string) ([]sum, error) {
	if len(runs) == 0 {
		return nil, nil
	}
	q := c.inPeriods(runs, edges)
	return all(ctx, on, sumFields, q.text.String(), q.args...)
}

// inPeriods asks for the sums of runs between neighbours of edges.
func (c *countable) inPeriods(runs []tally, edges []string) *query {
	periods := make([][2]string, len(edges)-1)
	for i := range periods {
		periods[i] = [2]string{edges[i], edges[i+1]}
	}
	return newQuery("SELECT p.key, r.value ->> 2, CAST(sum((SELECT count(*) FROM "+
		c.run("r.value ->> 0", "r.value ->> 1", "r.value ->> 2")+
		" AND x."+c.key+" >= p.value ->> 0 AND x."+c.key+" < p.value ->> 1)) AS BIGINT)"+
		" FROM json_each(?) r CROSS JOIN json_each(?) p GROUP BY p.key, r.value ->> 2", runList(runs), jsonOf(&periods))
}

// item is one of a run.
type item struct {
	standing any
	key      string
}

func itemFields(i *item) []any { return []any{standing{&i.standing}, &i.key} }

// items asks for what runs hold in an extent.
func (c *countable) items(runs []tally, s extent) *query {
	return newQuery("SELECT r.value ->> 2, x."+c.key+" FROM json_each(?) r CROSS JOIN "+
		c.run("r.value ->> 0", "r.value ->> 1", "r.value ->> 2")+" AND x."+c.key+" >= ? AND x."+c.key+" < ?",
		runList(runs), s.low, s.high)
}

// runList names runs in a form that json_each takes apart.
func runList(runs []tally) any {
	list := make([][3]any, len(runs))
	for i, r := range runs {
		list[i] = [3]any{r.endpoint, r.eventType, r.standing}
	}
	return jsonOf(&list)
}
