package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/posthorn/posthorn/bench/internal/rig"
)

// scenario is what the loud tenant does.
type scenario struct {
	name      string
	endpoints int
	hang      bool
	load      func(ctx context.Context, t *tenant, burst int)
}

func scenarios() []scenario {
	const connections, batchConnections, batch, perSecond = 64, 8, 1000, 200
	return []scenario{
		{"posts", 1, false, func(ctx context.Context, t *tenant, burst int) {
			inParallel(ctx, burst, connections, func() { t.post(ctx, 1) })
		}},
		{"batches", 1, false, func(ctx context.Context, t *tenant, burst int) {
			inParallel(ctx, max(1, burst/batch), batchConnections, func() { t.post(ctx, min(batch, burst)) })
		}},
		{"hanging", 50, true, func(ctx context.Context, t *tenant, burst int) {
			steadily(ctx, perSecond, max(1, burst/5), func(time.Time) { t.post(ctx, 1) })
		}},
	}
}

// result is what a scenario gave, over all rounds.
type result struct {
	scenario
	alone, beside figures
}

// figures are of the quiet tenant in measurements of one kind, and of what went on meanwhile.
type figures struct {
	accepted, received []time.Duration
	overtook           []int64 // requests that the loud tenant's receivers got while an event was on its way
	late               int     // not received when the measurement was evaluated; they count as received then
	refused            int64

	seconds              float64
	loudPosts, loudGot   int64         // messages that the loud tenant got accepted, requests that its receivers got
	server, own, machine time.Duration // processor time
}

// measure runs a scenario once, on a fresh server: a window with the quiet tenant alone, one beside the loud tenant.
func (r *result) measure(ctx context.Context, o options, round int) (err error) {
	s, err := startServer(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	quiet, err := newTenant(ctx, s, 1, false)
	defer quiet.close()
	if err != nil {
		return err
	}
	loud, err := newTenant(ctx, s, r.endpoints, r.hang)
	defer loud.close()
	if err != nil {
		return err
	}

	quiet.neighbour = loud
	ctx, stop := context.WithCancel(ctx)
	var tenants sync.WaitGroup
	defer tenants.Wait()
	defer stop()
	tenants.Go(func() { steadily(ctx, o.rate, math.MaxInt, func(due time.Time) { quiet.postEvent(ctx, due) }) })
	if err := r.alone.window(ctx, o, s, quiet, loud); err != nil {
		return err
	}
	tenants.Go(func() { r.load(ctx, loud, o.burst) })
	if o.profile != "" {
		if err := s.profile(filepath.Join(o.profile, fmt.Sprintf("%s-%d.prof", r.name, round+1))); err != nil {
			return err
		}
	}
	if err := r.beside.window(ctx, o, s, quiet, loud); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%-8s round %d: received p99 alone %.1f ms, beside %.1f ms; loud %.0f/s; others %.2f cores\n", r.name, round+1,
		milliseconds(r.alone.received, 99), milliseconds(r.beside.received, 99), float64(r.beside.loudPosts)/r.beside.seconds, r.beside.others())
	return nil
}

// settleFor is how long events of a window may take to be received before it is evaluated.
const settleFor = 5 * time.Second

// window measures for a while, after the lead.
func (f *figures) window(ctx context.Context, o options, s *server, quiet, loud *tenant) error {
	if err := rig.Pause(ctx, o.lead); err != nil {
		return err
	}
	before, err := look(s, quiet, loud)
	if err != nil {
		return err
	}
	if err := rig.Pause(ctx, o.window); err != nil {
		return err
	}
	after, err := look(s, quiet, loud)
	if err != nil {
		return err
	}
	if err := rig.Pause(ctx, settleFor); err != nil {
		return err
	}
	now := time.Now()
	for _, e := range quiet.between(before.at, after.at) {
		if e.received == 0 {
			f.late++
		}
		f.accepted = append(f.accepted, cmp.Or(e.accepted, now.Sub(e.due)))
		f.received = append(f.received, cmp.Or(e.received, now.Sub(e.due)))
		if e.received > 0 {
			f.overtook = append(f.overtook, e.overtook)
		}
	}
	f.refused += after.refused - before.refused
	f.seconds += after.at.Sub(before.at).Seconds()
	f.loudPosts += after.loudPosts - before.loudPosts
	f.loudGot += after.loudGot - before.loudGot
	f.server += after.server - before.server
	f.own += after.own - before.own
	f.machine += after.machine - before.machine
	return nil
}

// others is how many cores were busy with neither the server nor this process.
func (f *figures) others() float64 {
	return max((f.machine-f.server-f.own).Seconds()/f.seconds, 0)
}

// percentile returns 0 of nothing.
func percentile[T time.Duration | int64](all []T, percent int) T {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)]
}

// milliseconds is a percentile for a table.
func milliseconds(all []time.Duration, percent int) float64 {
	return float64(percentile(all, percent)) / float64(time.Millisecond)
}
