package routing_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/routing"
)

// circuitSource is a store with open circuits.
type circuitSource struct {
	mu      sync.Mutex
	open    []posthorn.Health
	err     error
	reads   int
	changed func(posthorn.HealthChange)
}

func (s *circuitSource) OnHealthChange(f func(posthorn.HealthChange)) { s.changed = f }

func (s *circuitSource) OpenCircuits(context.Context) ([]posthorn.Health, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	return s.open, s.err
}

func (s *circuitSource) set(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = nil
	for _, id := range ids {
		s.open = append(s.open, posthorn.Health{EndpointID: id})
	}
}

func TestCircuits(t *testing.T) {
	t.Parallel()
	isOpen := func(t *testing.T, c *routing.Circuits, id string) bool {
		t.Helper()
		h, open, err := c.Open(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, open, h.EndpointID == id)
		return open
	}

	t.Run("are read once for all endpoints", func(t *testing.T) {
		t.Parallel()
		s := &circuitSource{}
		c := routing.NewCircuits(s)
		s.set("ep_1", "ep_2")
		require.True(t, isOpen(t, c, "ep_1"))
		require.True(t, isOpen(t, c, "ep_2"))
		require.False(t, isOpen(t, c, "ep_3"))
		require.Equal(t, 1, s.reads)
	})

	t.Run("are read again when one has changed", func(t *testing.T) {
		t.Parallel()
		s := &circuitSource{}
		c := routing.NewCircuits(s)
		require.False(t, isOpen(t, c, "ep_1"))
		s.set("ep_1")
		require.False(t, isOpen(t, c, "ep_1"))
		s.changed(posthorn.HealthChange{Event: posthorn.CircuitOpened})
		require.True(t, isOpen(t, c, "ep_1"))
		require.Equal(t, 2, s.reads)
	})

	t.Run("are read again after ten seconds, for another process may have changed one", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := &circuitSource{}
			c := routing.NewCircuits(s)
			require.False(t, isOpen(t, c, "ep_1"))
			s.set("ep_1")
			<-time.After(9 * time.Second)
			require.False(t, isOpen(t, c, "ep_1"))
			<-time.After(time.Second)
			require.True(t, isOpen(t, c, "ep_1"))
		})
	})

	t.Run("pass an error on and forget it", func(t *testing.T) {
		t.Parallel()
		s := &circuitSource{err: errors.New("disk I/O error")}
		c := routing.NewCircuits(s)
		_, _, err := c.Open(t.Context(), "ep_1")
		require.ErrorIs(t, err, s.err)
		s.err = nil
		require.False(t, isOpen(t, c, "ep_1"))
	})
}
