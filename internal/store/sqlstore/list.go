package sqlstore

import (
	"container/heap"
	"context"
	"slices"
	"strings"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// A list that can be narrowed is read in two steps. The first finds the keys of a page in an index that holds them in
// order, or in several runs of one that are merged. The second reads the rows. Both happen in one snapshot.

// key is an item's place in a list, and its row in the table where it has one.
type key struct {
	id  string
	row int64
}

func keyFields(k *key) []any { return []any{&k.id, &k.row} }

// extent is a range of keys: from low until before high.
type extent struct{ low, high string }

// extentOf is where a page can lie: within the window and beyond the page's start. It has both bounds always, because a
// label's index holds keys of two kinds. An ID that isn't one is a position too. "!" sorts before whatever IDs consist of.
func extentOf(kind posthorn.IDKind, w store.Window, p store.Page) extent {
	s := extent{low: string(kind), high: string(kind) + "~"}
	from, to := w.Bounds(kind)
	s.low = max(s.low, from)
	if to != "" {
		s.high = min(s.high, to)
	}
	switch {
	case p.After == "":
	case p.QueryDescending():
		s.high = min(s.high, p.After)
	default:
		s.low = max(s.low, p.After+"!")
	}
	return s
}

// beyond is what is left of an extent behind a key, seen in the direction of reading.
func (s extent) beyond(id string, descending bool) extent {
	if descending {
		s.high = id
	} else {
		s.low = id + "!"
	}
	return s
}

// run is a part of an index that holds keys in order.
type run struct {
	source string // FROM and WHERE, without the range
	key    string // column
	row    string // column, or 0
	args   []any
	head   string // no key of the run comes before this one, in the direction of reading; empty if that isn't known
}

func (r *run) within(q *query, s extent) *query {
	q.add(r.source, r.args...)
	q.add(" AND "+r.key+" >= ? AND "+r.key+" < ?", s.low, s.high)
	return q
}

// keys asks for the first keys of the run in an extent.
func (r *run) keys(s extent, descending bool, limit int) *query {
	q := r.within(newQuery("SELECT "+r.key+", "+r.row), s)
	q.add(" ORDER BY " + r.key)
	if descending {
		q.add(" DESC")
	}
	q.add(" LIMIT ?", limit)
	return q
}

// count asks for the number of keys in a extent, counting no further than the limit.
func (r *run) count(s extent, limit int) *query {
	q := r.within(newQuery("SELECT count(*) FROM (SELECT 1"), s)
	q.add(" LIMIT ?) AS part", limit)
	return q
}

// countKeys adds up runs, no further than the limit.
func countKeys(ctx context.Context, on *Session, runs []run, s extent, limit int) (total int, err error) {
	for i := range runs {
		if total >= limit {
			break
		}
		var n int
		q := runs[i].count(s, limit-total)
		if err := on.row(ctx, []any{&n}, q.text.String(), q.args...); err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// merge returns the first keys of several runs taken together. It reads of each run little more than it returns of it.
func merge(ctx context.Context, on *Session, runs []run, s extent, descending bool, limit int) ([]key, error) {
	m := merging{descending: descending}
	for i := range runs {
		m.cursors = append(m.cursors, &cursor{run: &runs[i], left: s})
	}
	heap.Init(&m)
	batch := limit
	if len(runs) > 1 {
		batch = min(limit, max(8, 2*limit/len(runs)))
	}
	var keys []key
	for len(keys) < limit && len(m.cursors) > 0 {
		c := m.cursors[0]
		if len(c.read) == 0 {
			if c.exhausted {
				heap.Pop(&m)
				continue
			}
			if err := c.fill(ctx, on, descending, batch); err != nil {
				return nil, err
			}
		} else {
			keys = append(keys, c.read[0])
			c.read = c.read[1:]
		}
		heap.Fix(&m, 0)
	}
	return keys, nil
}

// cursor is a run that is being merged.
type cursor struct {
	*run
	read      []key  // but not taken
	left      extent // not read
	exhausted bool   // nothing is left
}

func (c *cursor) fill(ctx context.Context, on *Session, descending bool, batch int) (err error) {
	q := c.keys(c.left, descending, batch)
	c.read, err = all(ctx, on, keyFields, q.text.String(), q.args...)
	if err != nil {
		return err
	}
	c.exhausted = len(c.read) < batch
	if n := len(c.read); n > 0 {
		c.head = c.read[n-1].id
		c.left = c.left.beyond(c.head, descending)
	}
	return nil
}

// next is the cursor's next key or, while that is unknown, one that comes no later. Empty: it may be any.
func (c *cursor) next() string {
	if len(c.read) > 0 {
		return c.read[0].id
	}
	return c.head
}

// merging is a heap of cursors, the one with the next key first.
type merging struct {
	cursors    []*cursor
	descending bool
}

func (m *merging) Len() int      { return len(m.cursors) }
func (m *merging) Swap(i, j int) { m.cursors[i], m.cursors[j] = m.cursors[j], m.cursors[i] }
func (m *merging) Push(c any)    { m.cursors = append(m.cursors, c.(*cursor)) }

func (m *merging) Less(i, j int) bool {
	a, b := m.cursors[i].next(), m.cursors[j].next()
	switch {
	case a == "" || b == "":
		return a == "" && b != ""
	case m.descending:
		return a > b
	default:
		return a < b
	}
}

func (m *merging) Pop() any {
	last := m.cursors[len(m.cursors)-1]
	m.cursors = m.cursors[:len(m.cursors)-1]
	return last
}

// readKeyed reads the rows of keys, which the query names in any order, and puts them into the page's order.
func readKeyed[T any](
	ctx context.Context, on *Session, fields func(*T) []any, id func(*T) string, p store.Page, q *query,
) (store.List[T], error) {
	rows, err := all(ctx, on, fields, q.text.String(), q.args...)
	if err != nil {
		return store.List[T]{}, err
	}
	slices.SortFunc(rows, func(a, b T) int {
		order := strings.Compare(id(&a), id(&b))
		if p.QueryDescending() {
			order = -order
		}
		return order
	})
	return store.NewList(p, rows), nil
}

// among says between which IDs the rows of keys are. A database that keeps rows apart by their IDs looks nowhere else.
func (q *query) among(column string, keys []key) *query {
	first, last := idSpan(keys)
	q.where(column+" >= ?", first)
	q.where(column+" <= ?", last)
	return q
}

// idSpan is the smallest and the largest ID of keys.
func idSpan(keys []key) (first, last string) {
	for _, k := range keys {
		if first == "" || k.id < first {
			first = k.id
		}
		last = max(last, k.id)
	}
	return first, last
}

// ids are the keys' IDs, in a form that json_each takes apart.
func ids(keys []key) any {
	list := make([]string, len(keys))
	for i, k := range keys {
		list[i] = k.id
	}
	return jsonOf(&list)
}

// rows are the keys' rows, likewise.
func rows(keys []key) any {
	list := make([]int64, len(keys))
	for i, k := range keys {
		list[i] = k.row
	}
	return jsonOf(&list)
}
