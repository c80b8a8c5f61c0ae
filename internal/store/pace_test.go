package store_test

import (
	"container/heap"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
)

// asking is a message on its way to its turn.
type asking struct {
	n     int           // the n-th message
	at    time.Time     // when it asks
	due   time.Time     // what it was told before
	under []*store.Pace // its limits
	waits int
}

type agenda []*asking

func (a agenda) Len() int           { return len(a) }
func (a agenda) Less(i, j int) bool { return a[i].at.Before(a[j].at) }
func (a agenda) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)        { *a = append(*a, x.(*asking)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// sent is a message that has gone.
type sent struct {
	*asking
	gone time.Time
}

// run lets messages ask until all have gone. Late is how much later than told one asks again.
func run(messages []*asking, patience time.Duration, late func(*asking) time.Duration) []sent {
	var gone []sent
	queue := agenda(slices.Clone(messages))
	heap.Init(&queue)
	for queue.Len() > 0 {
		m := heap.Pop(&queue).(*asking)
		at, granted := store.TakeTurn(m.under, m.at, m.due, patience)
		if granted {
			gone = append(gone, sent{m, at})
			continue
		}
		m.waits++
		m.due, m.at = at, at.Add(late(m))
		heap.Push(&queue, m)
	}
	slices.SortStableFunc(gone, func(a, b sent) int { return a.gone.Compare(b.gone) })
	return gone
}

// requireWithin demands of every stretch of time that no more went under a limit than its length and one second allow.
func requireWithin(t *testing.T, p *store.Pace, all []sent) {
	t.Helper()
	var own []time.Time
	for _, s := range all {
		if slices.Contains(s.under, p) {
			own = append(own, s.gone)
		}
	}
	for i := range own {
		for j := i; j < len(own); j++ {
			allowed := float64(p.Rate) * (own[j].Sub(own[i]) + time.Second).Seconds()
			if float64(j-i+1) > allowed+1e-6 {
				require.FailNow(t, "too many", "%d/s, from %d to %d", p.Rate, i, j)
			}
		}
	}
}

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func onTime(*asking) time.Duration { return 0 }

// TestTurnsKeepTheLimits has messages of some endpoints ask at random, under limits at random, some late, and some after a
// standstill.
func TestTurnsKeepTheLimits(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		app := &store.Pace{Rate: 1 + r.IntN(50)}
		var paces []*store.Pace
		for range 1 + r.IntN(4) {
			paces = append(paces, &store.Pace{Rate: 1 + r.IntN(30)})
		}
		var messages []*asking
		for n := range 1 + r.IntN(200) {
			under := []*store.Pace{paces[r.IntN(len(paces))], app}
			messages = append(messages, &asking{n: n, under: under[r.IntN(2):], at: began.Add(time.Duration(r.Int64N(int64(3 * time.Second))))})
		}
		standstill := began.Add(time.Duration(r.Int64N(int64(5 * time.Second))))
		over := standstill.Add(time.Duration(r.Int64N(int64(20 * time.Second))))
		jitter := time.Duration(r.Int64N(int64(3*time.Second)) + 1)
		gone := run(messages, time.Duration(r.IntN(2))*500*time.Millisecond, func(m *asking) time.Duration {
			if m.due.After(standstill) && m.due.Before(over) {
				return over.Sub(m.due)
			}
			return time.Duration(r.Int64N(int64(jitter)))
		})
		require.Len(t, gone, len(messages), "everybody has a turn")
		for _, p := range append(paces, app) {
			requireWithin(t, p, gone)
		}
	}
}

// TestTurnsAreInOrderAndUseTheWholeLimit is about messages that ask when they were told to.
func TestTurnsAreInOrderAndUseTheWholeLimit(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{1, 3, 10, 999, 65535} {
		for _, patience := range []time.Duration{0, 500 * time.Millisecond} {
			p := &store.Pace{Rate: rate}
			var messages []*asking
			for n := range 4 * min(rate, 3000) {
				messages = append(messages, &asking{n: n, under: []*store.Pace{p}, at: began.Add(time.Duration(n))})
			}
			gone := run(messages, patience, onTime)
			for n, s := range gone {
				require.Equal(t, n, s.n, "%d/s", rate)
				require.LessOrEqual(t, s.waits, 1, "nobody asks more than once too often")
			}
			last := time.Duration(len(messages)-rate) * time.Second / time.Duration(rate) // after a second's worth at once
			require.InDelta(t, max(0, last), gone[len(gone)-1].gone.Sub(began), float64(time.Second)/1000)
		}
	}
}

func TestThrottledSince(t *testing.T) {
	t.Parallel()
	p := &store.Pace{Rate: 2}
	limits := []*store.Pace{p}
	require.Zero(t, p.Throttled(began))
	for range 2 {
		_, granted := store.TakeTurn(limits, began, time.Time{}, 0)
		require.True(t, granted)
	}
	require.Zero(t, p.Throttled(began), "nobody has had to wait")
	first := began.Add(10 * time.Millisecond)
	for i := range 4 {
		_, granted := store.TakeTurn(limits, first.Add(time.Duration(i)*time.Millisecond), time.Time{}, 0)
		require.False(t, granted)
	}
	require.Equal(t, first, p.Throttled(began.Add(time.Second)))
	require.Zero(t, p.Throttled(began.Add(3*time.Second)), "the queue is over")
	_, granted := store.TakeTurn(limits, began.Add(time.Minute), time.Time{}, 0)
	require.True(t, granted)
	require.Zero(t, p.Throttled(began.Add(time.Minute)))
	p.Reset()
	require.Equal(t, store.Pace{Rate: 2, Queue: p.Sent, Sent: p.Sent}, *p)
}

// TestSlowEndpointLeavesTheOthersTheirShare is about a message to an endpoint whose application has another one with a queue.
func TestSlowEndpointLeavesTheOthersTheirShare(t *testing.T) {
	t.Parallel()
	app, slow := &store.Pace{Rate: 100}, &store.Pace{Rate: 1}
	for range 50 {
		store.TakeTurn([]*store.Pace{slow, app}, began, time.Time{}, 0)
	}
	at, granted := store.TakeTurn([]*store.Pace{app}, began, time.Time{}, 0)
	require.True(t, granted)
	require.Equal(t, began, at)
}
