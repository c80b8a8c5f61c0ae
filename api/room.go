package api

import (
	"sync"
	"time"

	"github.com/posthorn/posthorn"
)

const (
	// mostRoom and leastRoom bound how many messages are on their way to Temporal at once, in this process.
	mostRoom, leastRoom = 5000, 8
	// promptly is how soon Temporal answers while it has more room.
	promptly = time.Second
)

// room is how many messages may be on their way to Temporal at once. It is halved when Temporal doesn't answer, and grows by one
// with each prompt answer. What finds no room is refused before it is stored, unless its application has less than its share.
//
// Without it an outage would not end with its cause: all who were refused meanwhile come again at once, each waits longer than it
// has patience, and Temporal is kept busy with workflows whose callers have been told to come again.
type room struct {
	mu     sync.Mutex
	size   int
	inside int
	byApp  map[string]int // of those inside
	shrunk time.Time
}

func newRoom() *room { return &room{size: mostRoom, byApp: make(map[string]int)} }

// enter takes a place until leave is called. Unavailable: there is none.
func (r *room) enter(app string) (leave func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.inside >= r.size && r.byApp[app] >= max(r.size/max(len(r.byApp), 1), 1) {
		return nil, posthorn.Errorf(posthorn.Unavailable, "the delivery engine is behind; try again")
	}
	r.inside++
	r.byApp[app]++
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.inside--
		if r.byApp[app]--; r.byApp[app] == 0 {
			delete(r.byApp, app)
		}
	}, nil
}

// told learns from what became of a message that was on its way since a moment. Those that were on their way together fail
// together, and count once.
func (r *room) told(since time.Time, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case posthorn.CodeOf(err) == posthorn.Unavailable:
		if since.After(r.shrunk) {
			r.size = max(min(r.size, r.inside)/2, leastRoom)
			r.shrunk = time.Now()
		}
	case time.Since(since) < promptly:
		r.size = min(r.size+1, mostRoom)
	}
}
