package dispatch

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
)

// An outage that ends: whatever was to be woken or tended meanwhile is, and nobody asks for it again.
func TestWhatAnOutageMissedIsWokenWhenItIsOver(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	engine := &engine{woken: map[string]int{}, out: true}
	i := NewInsistent(engine, slog.New(slog.NewTextHandler(&log, nil)))
	const deliveries = 3 * missedBatch
	for n := range deliveries {
		for range 2 { // it is remembered once
			err := i.Wake(t.Context(), posthorn.Delivery{MessageID: fmt.Sprint(n), EndpointID: "ep"})
			require.Equal(t, posthorn.Unavailable, posthorn.CodeOf(err))
		}
	}
	require.Error(t, i.Tend(t.Context(), "app", "ep"))
	engine.answer()
	require.Eventually(t, func() bool { return engine.count() == deliveries+1 }, time.Minute, time.Millisecond)
	i.Close()
	require.Equal(t, 1, engine.woken["app ep"])
	require.Equal(t, 1, engine.woken["7/ep"])
	require.NotContains(t, log.String(), "overdue")
}

// What fails for a reason of its own is not repeated, and a process that stops doesn't wait for the outage's end.
func TestInsistingEnds(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	engine := &engine{woken: map[string]int{}, fails: posthorn.Errorf(posthorn.NotFound, "no such message")}
	i := NewInsistent(engine, slog.New(slog.NewTextHandler(&log, nil)))
	require.Error(t, i.Wake(t.Context(), posthorn.Delivery{MessageID: "gone"}))
	require.Empty(t, i.missed)
	engine.out = true
	for n := range maxMissed + 1 {
		require.Error(t, i.Wake(t.Context(), posthorn.Delivery{MessageID: fmt.Sprint(n)}))
	}
	i.Close()
	require.LessOrEqual(t, len(i.missed), maxMissed)
	require.Zero(t, engine.count())
}

// A process that stops between letting go and waking wakes all the same.
func TestInsistentEndsWithALastWord(t *testing.T) {
	t.Parallel()
	engine := &engine{woken: map[string]int{}, out: true}
	i := NewInsistent(engine, slog.New(slog.DiscardHandler))
	for n := range 2 * missedBatch {
		require.Error(t, i.Wake(t.Context(), posthorn.Delivery{MessageID: fmt.Sprint(n)}))
	}
	i.cancel()
	engine.answer()
	i.Close()
	require.Equal(t, 2*missedBatch, engine.count())
}

// engine notes what it is asked to wake, unless it is out.
type engine struct {
	activities.Starter
	mu    sync.Mutex
	out   bool
	fails error
	woken map[string]int
}

func (e *engine) Wake(_ context.Context, ds ...posthorn.Delivery) error {
	for _, d := range ds {
		if err := e.take(d.MessageID + "/" + d.EndpointID); err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) Tend(_ context.Context, appID, endpointID string) error {
	return e.take(appID + " " + endpointID)
}

func (e *engine) take(what string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.out {
		return posthorn.Errorf(posthorn.Unavailable, "no answer")
	}
	if e.fails != nil {
		return e.fails
	}
	e.woken[what]++
	return nil
}

func (e *engine) answer() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.out = false
}

func (e *engine) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.woken)
}
