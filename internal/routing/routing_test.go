package routing_test

import (
	"cmp"
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

// source is a store with one application. Its endpoints can be changed, and its reads held up.
type source struct {
	mu        sync.Mutex
	endpoints []posthorn.Endpoint
	throttle  int
	err       error
	reads     int // of all endpoints
	single    int // of one
	changed   func(appID, endpointID string)
	hold      chan struct{} // a read waits for it to be closed, after it has read
	reading   chan struct{} // tells that a read is waiting
}

func (s *source) OnRouteChange(f func(appID, endpointID string)) { s.changed = f }

func (s *source) Endpoint(_ context.Context, _, id string) (posthorn.Endpoint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.single++
	for _, ep := range s.endpoints {
		if ep.ID == id {
			return ep, s.err
		}
	}
	return posthorn.Endpoint{}, cmp.Or(s.err, error(posthorn.Errorf(posthorn.NotFound, "endpoint %q", id)))
}

func (s *source) Routes(context.Context, string) ([]posthorn.Endpoint, error) {
	s.mu.Lock()
	s.reads++
	endpoints, err, hold := s.endpoints, s.err, s.hold
	s.mu.Unlock()
	if hold != nil {
		s.reading <- struct{}{}
		<-hold
	}
	return endpoints, err
}

func (s *source) ThrottleRate(context.Context, string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.throttle, nil
}

func (s *source) set(ids ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endpoints, s.hold = nil, nil
	for _, id := range ids {
		s.endpoints = append(s.endpoints, posthorn.Endpoint{ID: id})
	}
}

func ids(t *testing.T, table *routing.Table) []string {
	t.Helper()
	matching, err := table.Match(t.Context(), &posthorn.Message{AppID: "app"})
	require.NoError(t, err)
	found := []string{}
	for _, ep := range matching {
		found = append(found, ep.ID)
	}
	return found
}

func TestTable(t *testing.T) {
	t.Parallel()

	t.Run("returns the endpoints that want the message", func(t *testing.T) {
		t.Parallel()
		s := &source{endpoints: []posthorn.Endpoint{
			{ID: "a", EventTypes: []string{"x"}}, {ID: "b"}, {ID: "c", EventTypes: []string{"y"}},
		}}
		matching, err := routing.New(s).Match(t.Context(), &posthorn.Message{AppID: "app", EventType: "x"})
		require.NoError(t, err)
		require.Len(t, matching, 2)
		require.Equal(t, "a", matching[0].ID)
		require.Equal(t, "b", matching[1].ID)
	})

	t.Run("reads once until something changes", func(t *testing.T) {
		t.Parallel()
		s := &source{}
		table := routing.New(s)
		s.set("a")
		for range 10 {
			require.Equal(t, []string{"a"}, ids(t, table))
		}
		require.Equal(t, 1, s.reads)
		s.set("b")
		s.changed("app", "")
		require.Equal(t, []string{"b"}, ids(t, table))
		require.Equal(t, 2, s.reads)
	})

	t.Run("notices after a while what another process changed", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := &source{}
			table := routing.New(s)
			s.set("a")
			require.Equal(t, []string{"a"}, ids(t, table))
			s.set("b")
			require.Equal(t, []string{"a"}, ids(t, table))
			<-time.After(10 * time.Second)
			require.Equal(t, []string{"b"}, ids(t, table))
		})
	})

	t.Run("does not keep what a change overtook while it was being read", func(t *testing.T) {
		t.Parallel()
		s := &source{reading: make(chan struct{})}
		table := routing.New(s)
		s.set("old")
		hold := make(chan struct{})
		s.hold = hold
		done := make(chan []string)
		go func() { done <- ids(t, table) }()
		<-s.reading
		s.set("new")
		s.changed("app", "")
		require.Equal(t, []string{"new"}, ids(t, table), "a request after the change does not join the read before it")
		close(hold)
		require.Equal(t, []string{"old"}, <-done)
		require.Equal(t, []string{"new"}, ids(t, table))
	})

	t.Run("reads what changed, and no more", func(t *testing.T) {
		t.Parallel()
		s := &source{}
		table := routing.New(s)
		s.set("b", "c", "d")
		require.Equal(t, []string{"b", "c", "d"}, ids(t, table))
		s.set("a", "b", "d", "e")
		s.changed("app", "a")
		s.changed("other", "b")
		s.changed("app", "c")
		s.changed("app", "e")
		require.Equal(t, []string{"a", "b", "d", "e"}, ids(t, table))
		require.Equal(t, []string{"a", "b", "d", "e"}, ids(t, table))
		require.Equal(t, 1, s.reads)
		require.Equal(t, 3, s.single)
	})

	t.Run("keeps what a change of one endpoint overtook, and reads that one again", func(t *testing.T) {
		t.Parallel()
		s := &source{reading: make(chan struct{})}
		table := routing.New(s)
		s.set("a")
		hold := make(chan struct{})
		s.hold = hold
		done := make(chan []string)
		go func() { done <- ids(t, table) }()
		<-s.reading
		s.set("a", "b")
		s.changed("app", "b")
		close(hold)
		require.Equal(t, []string{"a"}, <-done)
		require.Equal(t, []string{"a", "b"}, ids(t, table))
		require.Equal(t, 1, s.reads)
		require.Equal(t, 1, s.single)
	})

	t.Run("reads all where much has changed", func(t *testing.T) {
		t.Parallel()
		s := &source{}
		table := routing.New(s)
		s.set("a")
		require.Equal(t, []string{"a"}, ids(t, table))
		s.set("b")
		for range 1000 {
			s.changed("app", "a")
		}
		require.Equal(t, []string{"b"}, ids(t, table))
		require.Equal(t, 2, s.reads)
		require.Zero(t, s.single)
	})

	t.Run("keeps no error", func(t *testing.T) {
		t.Parallel()
		s := &source{err: errors.New("disk I/O error")}
		table := routing.New(s)
		_, err := table.Match(t.Context(), &posthorn.Message{AppID: "app"})
		require.ErrorContains(t, err, "reading the endpoints of app: disk I/O error")
		s.err = nil
		s.set("a")
		require.Equal(t, []string{"a"}, ids(t, table))
	})
}
