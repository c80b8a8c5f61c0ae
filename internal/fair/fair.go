// Package fair shares a few places among many keys, such as tenants, so that who wants little waits little, however much
// others want.
package fair

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Rank orders those who wait with the same key.
type Rank int

// The ranks: what finishes work that has begun goes before what begins more.
const (
	Finishing Rank = iota
	Beginning

	ranks
)

// Gate has a number of places. Who finds them taken waits; a place that gets free goes to the keys in turn, and within a
// key to the better rank, then to who came first. So a newcomer waits for as many others as there are other keys waiting, and
// not for all that they want.
//
// Where there are several places, no key takes the last one as well: it waits for somebody else. And who is inside at the same
// time shares what the places are for: a key with a backlog has one place only while others come and go, because its
// further ones would make each of their visits longer, and it has to wait anyway. After each visit it rests for half as long, so
// that a machine which it could keep busy has something left for the others.
type Gate struct {
	most int // places of one key

	mu     sync.Mutex
	places int // that are free
	inside map[string]int
	queues map[string]*queue // of the keys that somebody waits with
	turns  []*queue          // the same, in the order of their turns
	latest [2]visit          // the latest, and the latest with another key
}

const (
	// backlog is how many wait with a key that has one.
	backlog = 5
	// gone is how long after a visit nobody counts on another one with the same key.
	gone = time.Second
	// visitsPerRest is how many times as long as a rest the visit before it was.
	visitsPerRest = 2
)

// visit is when a place was taken.
type visit struct {
	key string
	at  time.Time
}

// queue is who waits with one key. A queue without waiters, who have given up, is skipped at its turn.
type queue struct {
	key     string
	waiting [ranks][]*waiter
	rests   time.Time // until when
}

type waiter struct {
	entered chan struct{} // closed when it is given a place
	gone    bool          // it has given up
}

// New returns a gate with so many places.
func New(places int) *Gate {
	return &Gate{most: max(places-1, 1), places: places, inside: make(map[string]int), queues: make(map[string]*queue)}
}

// Enter waits for a place and returns how to give it back, or ctx's error.
func (g *Gate) Enter(ctx context.Context, key string, rank Rank) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := g.line(key, rank)
	select {
	case <-w.entered:
		entered := time.Now()
		return sync.OnceFunc(func() { g.leave(key, time.Since(entered)) }), nil
	case <-ctx.Done():
		g.giveUp(w, key)
		return nil, ctx.Err()
	}
}

// line lines up for a place, and gets it at once if it may have one.
func (g *Gate) line(key string, rank Rank) *waiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.queues[key]
	if q == nil {
		q = &queue{key: key}
		g.queues[key] = q
		g.turns = append(g.turns, q)
	}
	w := &waiter{entered: make(chan struct{})}
	q.waiting[rank] = append(q.waiting[rank], w)
	g.fill()
	return w
}

// giveUp withdraws a waiter. If it was given a place in the last moment, the place goes on.
func (g *Gate) giveUp(w *waiter, key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w.gone = true
	select {
	case <-w.entered:
		g.free(key)
	default:
	}
}

// leave ends a visit, after which those who wait with the same key rest if they are many and not alone.
func (g *Gate) leave(key string, visit time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if q := g.queues[key]; q != nil && g.crowds(q) {
		rest := visit / visitsPerRest
		q.rests = time.Now().Add(rest)
		time.AfterFunc(rest, g.rested)
	}
	g.free(key)
}

func (g *Gate) rested() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fill()
}

// free gives the place of a key to whoever is next.
func (g *Gate) free(key string) {
	g.places++
	if g.inside[key]--; g.inside[key] == 0 {
		delete(g.inside, key)
	}
	g.fill()
}

// fill hands free places to those that may have them, in turn.
func (g *Gate) fill() {
	for i := 0; g.places > 0 && i < len(g.turns); {
		q := g.turns[i]
		if g.inside[q.key] >= g.allowed(q) {
			i++
			continue
		}
		w := q.next()
		g.turns = slices.Delete(g.turns, i, i+1)
		if q.len() == 0 {
			delete(g.queues, q.key)
		} else {
			g.turns = append(g.turns, q) // behind all others
		}
		if w != nil {
			g.take(q.key)
			close(w.entered)
			i = 0
		}
	}
}

func (g *Gate) take(key string) {
	g.places--
	g.inside[key]++
	if g.latest[0].key != key {
		g.latest[1] = g.latest[0]
	}
	g.latest[0] = visit{key, time.Now()}
}

// allowed is how many places those may have who wait in a queue.
func (g *Gate) allowed(q *queue) int {
	switch {
	case time.Now().Before(q.rests):
		return 0
	case g.crowds(q):
		return 1
	default:
		return g.most
	}
}

// crowds reports whether there is a backlog in a queue while others come and go.
func (g *Gate) crowds(q *queue) bool {
	other := g.latest[0]
	if other.key == q.key {
		other = g.latest[1]
	}
	return q.len() >= backlog && time.Since(other.at) < gone
}

// next takes out the first who has not given up.
func (q *queue) next() *waiter {
	for rank := range q.waiting {
		for len(q.waiting[rank]) > 0 {
			w := q.waiting[rank][0]
			q.waiting[rank] = q.waiting[rank][1:]
			if !w.gone {
				return w
			}
		}
	}
	return nil
}

// len counts those in line, who have given up included.
func (q *queue) len() (n int) {
	for _, waiting := range q.waiting {
		n += len(waiting)
	}
	return n
}
