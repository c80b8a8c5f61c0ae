package sqlstore

import (
	"sync"

	"github.com/posthorn/posthorn"
)

// gate counts the calls under way, so that closing can refuse new ones and wait for the rest.
type gate struct {
	mu     sync.Mutex
	closed bool
	inside sync.WaitGroup
}

// enter admits a call, which has to leave again. Unavailable: the gate is closed.
func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return posthorn.Errorf(posthorn.Unavailable, "the database is closed")
	}
	g.inside.Add(1)
	return nil
}

func (g *gate) leave() { g.inside.Done() }

// close returns when all calls have left.
func (g *gate) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.inside.Wait()
}

// During makes a call that Close waits for, and that is not made after it.
func (s *Store) During(call func() error) error {
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	return call()
}
