package activities

import "sync"

// Wakes tells runs of SendToEndpoint in this process that their delivery was woken while they were at work: Temporal starts
// no second run then, and the run may have looked before there was something to see.
type Wakes struct {
	mu      sync.Mutex
	running map[flightKey]*bool // whether it was woken
}

// NewWakes returns an empty one.
func NewWakes() *Wakes { return &Wakes{running: make(map[flightKey]*bool)} }

// Wake tells a run about a wake. It returns false if there is none; otherwise the run looks again before it ends.
func (w *Wakes) Wake(messageID, endpointID string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	woken := w.running[flightKey{messageID, endpointID}]
	if woken != nil {
		*woken = true
	}
	return woken != nil
}

// run does something that wants to hear of wakes, and again for as long as it says that it would only wait and was woken
// meanwhile.
func (w *Wakes) run(messageID, endpointID string, do func() (waits bool)) {
	key, woken := flightKey{messageID, endpointID}, new(bool)
	w.mu.Lock()
	w.running[key] = woken
	w.mu.Unlock()
	for {
		waits := do()
		w.mu.Lock()
		if !*woken || !waits {
			if w.running[key] == woken {
				delete(w.running, key)
			}
			w.mu.Unlock()
			return
		}
		*woken = false
		w.mu.Unlock()
	}
}
