package activities

import (
	"sync"
	"time"
)

// maxSlowEndpoints bounds the memory for slow endpoints. One more and an arbitrary one is forgotten, which costs that
// endpoint's next message a wait in the fast lane and no more.
const maxSlowEndpoints = 100_000

// slowEndpoints remembers which endpoints were slow when last asked. They skip the fast lane, because whoever waits
// there holds one of the worker's slots for workflow tasks.
type slowEndpoints struct {
	mu  sync.RWMutex
	ids map[string]struct{}
}

func (s *slowEndpoints) has(endpointID string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.ids[endpointID]
	return ok
}

// observe takes note of a response time.
func (s *slowEndpoints) observe(endpointID string, took, slowAfter time.Duration) {
	slow := took >= slowAfter
	if slow == s.has(endpointID) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slow {
		delete(s.ids, endpointID)
		return
	}
	if s.ids == nil {
		s.ids = make(map[string]struct{})
	}
	if len(s.ids) >= maxSlowEndpoints {
		for other := range s.ids {
			delete(s.ids, other)
			break
		}
	}
	s.ids[endpointID] = struct{}{}
}
