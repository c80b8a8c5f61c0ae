package main

import (
	"sync"
	"sync/atomic"
	"time"
)

// event is one event on its way. Times are since it was due to be posted.
type event struct {
	due  time.Time
	done chan struct{} // closed when it is received everywhere

	mu       sync.Mutex
	id       string
	accepted time.Duration   // 0: not answered with success
	received []time.Duration // by endpoint; 0: not received
	missing  int
}

// ledger knows every event by its sequence number.
type ledger struct {
	endpoints int

	mu     sync.RWMutex
	events []*event

	deliveries atomic.Int64 // first receipts
	completed  atomic.Int64 // events received everywhere
	duplicates atomic.Int64 // further receipts of the same
}

// add notes an event that is posted at due, and returns its number.
func (l *ledger) add(due time.Time) (int, *event) {
	e := &event{due: due, done: make(chan struct{}), received: make([]time.Duration, l.endpoints), missing: l.endpoints}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
	return len(l.events) - 1, e
}

// accept notes that the event was accepted under an ID.
func (e *event) accept(id string, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.id, e.accepted = id, now.Sub(e.due)
}

func (e *event) wasAccepted() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.accepted != 0
}

// receive notes that an endpoint got an event. It reports whether there is such an event.
func (l *ledger) receive(sequence, endpoint int, now time.Time) bool {
	l.mu.RLock()
	if sequence < 0 || sequence >= len(l.events) {
		l.mu.RUnlock()
		return false
	}
	e := l.events[sequence]
	l.mu.RUnlock()

	e.mu.Lock()
	defer e.mu.Unlock()
	if e.received[endpoint] != 0 {
		l.duplicates.Add(1)
		return true
	}
	e.received[endpoint] = max(now.Sub(e.due), 1)
	l.deliveries.Add(1)
	if e.missing--; e.missing == 0 {
		l.completed.Add(1)
		close(e.done)
	}
	return true
}

// between returns the events that were due in a span of time.
func (l *ledger) between(from, to time.Time) []*event {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var found []*event
	for _, e := range l.events {
		if !e.due.Before(from) && e.due.Before(to) {
			found = append(found, e)
		}
	}
	return found
}

// accepted returns the IDs of the events that were accepted.
func (l *ledger) accepted() []string {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var ids []string
	for _, e := range l.events {
		e.mu.Lock()
		if e.id != "" {
			ids = append(ids, e.id)
		}
		e.mu.Unlock()
	}
	return ids
}
