package main_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// raging is how long the storm lasts unless POSTHORN_MODEL_TIME says otherwise.
	raging = 20 * time.Second
	// settling is how long everything may take to end after the storm. A receiver that was busy is left in peace for a
	// minute, what a dead process had under way counts for some seconds more, and what was forgotten is found within
	// two minutes.
	settling = 5 * time.Minute
)

// TestModel has receivers fail in every way they can, kills the program, pauses, disables, moves, reschedules and resends,
// all at random, while events come in. Then all becomes well, and the promises that Posthorn makes must hold for every
// message and every endpoint. POSTHORN_MODEL_SEED repeats the actions of an earlier run.
func TestModel(t *testing.T) {
	t.Parallel()
	seed, length := uint64(time.Now().UnixNano()), raging
	if text := os.Getenv("POSTHORN_MODEL_SEED"); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err)
	}
	if text := os.Getenv("POSTHORN_MODEL_TIME"); text != "" {
		var err error
		length, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	t.Logf("POSTHORN_MODEL_SEED=%d", seed)

	w := &storm{t: t, random: rand.New(rand.NewPCG(seed, 0)), targets: []*target{
		{name: "plain"},
		{name: "few", eventType: "order.paid"},
		{name: "restless", restless: true},
		{name: "ordered", ordered: true},
		{name: "ordered-restless", ordered: true, restless: true, eventType: "order.created"},
		{name: "throttled", rate: 5},
		{name: "narrow", inFlight: 2},
		{name: "patient", eventType: "order.archived", patient: true},
	}}
	w.server = newServer(t, "--attempt-timeout", "3s", "--retry-schedule", defaultSchedule, "--breaker-failures", "8", "--breaker-probe-interval", "1s")
	w.server.createApp(t)
	for _, name := range []string{"order.created", "order.paid", "order.archived"} {
		w.server.do(t, http.MethodPost, "/event-type", fmt.Sprintf(`{"name":%q,"description":""}`, name), nil)
	}
	for i, g := range w.targets {
		g.fewest, g.most = defaultWaits, defaultWaits
		g.site = newSite(t, seed+uint64(i))
		g.create(t, w.server)
	}

	stop := make(chan struct{})
	for i, key := range []string{"", "north", "south"} {
		w.posting.Go(func() { w.post(key, seed+uint64(i), stop) })
	}
	w.posting.Go(func() { w.later(seed, stop) })
	w.rage(length)
	close(stop)
	w.posting.Wait()
	w.subside()
	calm := time.Now()
	require.NotEmpty(t, w.events)

	w.settle(t, calm.Add(settling), true)
	for _, g := range w.targets {
		if g.patient { // its messages were held until now; now they are sent, or dropped
			held := []string{"send", "drop"}[w.random.IntN(2)]
			w.on(g, http.MethodPost, "/resume", fmt.Sprintf(`{"held":%q}`, held))
			if g.patient = false; held == "drop" {
				g.dropped = time.Now()
			}
		}
	}
	w.settle(t, time.Now().Add(settling), false)
	t.Logf("all had ended %s after the storm", time.Since(calm).Round(time.Millisecond))
	w.check(t)
	require.Zero(t, w.server.Stop(t), "%s", w.server.Stderr)
	if t.Failed() {
		t.Logf("POSTHORN_MODEL_SEED=%d", seed)
	}
}

// settle returns when every delivery has ended, or is held for an endpoint that stays blocked.
func (w *storm) settle(t *testing.T, deadline time.Time, held bool) {
	t.Helper()
	open := slices.Clone(w.events)
	var last []delivery
	require.Eventually(t, func() bool {
		for len(open) > 0 {
			if last = w.server.deliveries(t, open[0].id); !w.settled(open[0], last, held) {
				w.reopen(t)
				return false
			}
			open = open[1:]
		}
		return true
	}, time.Until(deadline), 200*time.Millisecond, "waiting for all deliveries to end: %s",
		lazily(func() string { return fmt.Sprintf("event %d %s %+v", open[0].number, open[0].id, last) }))
}

func (w *storm) settled(e *event, found []delivery, held bool) bool {
	for _, g := range w.targets {
		if !g.wants(e) {
			continue
		}
		i := slices.IndexFunc(found, func(d delivery) bool { return d.ID == g.endpoint })
		if i < 0 {
			return false
		}
		switch d := found[i]; d.State {
		case "delivered", "failed", "cancelled":
		case "held":
			if !held || !g.patient || d.Reason == "" || d.Waits != "paused" && d.Waits != "disabled" {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// reopen resumes what was disabled by an answer that a receiver gave before it became well.
func (w *storm) reopen(t *testing.T) {
	t.Helper()
	for _, g := range w.targets {
		var now struct{ Disabled bool }
		w.server.do(t, http.MethodGet, "/app/acme/endpoint/"+g.endpoint, "", &now)
		if now.Disabled && !g.patient {
			w.on(g, http.MethodPost, "/resume", "")
		}
	}
}
