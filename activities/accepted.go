package activities

import (
	"sync"
	"time"

	"github.com/posthorn/posthorn"
)

// freshFor is how long a message counts as just accepted. It must be well under the workflow task timeout (10 s): a
// first round that was lost in a crash is repeated only after that timeout, so a message younger than this can't have
// been sent by anybody before.
const freshFor = 5 * time.Second

// Accepted hands messages that this process accepted to the first round of sending in the same process. It spares that
// round two reads: the message, and the record of what was sent before (nothing was).
type Accepted struct {
	now func() time.Time

	mu       sync.Mutex
	messages map[string]acceptedMessage
	order    []expiry // in the order of Put
}

type acceptedMessage struct {
	message posthorn.Message
	at      time.Time
}

type expiry struct {
	id string
	at time.Time
}

// NewAccepted returns an empty hand-over.
func NewAccepted() *Accepted {
	return &Accepted{now: time.Now, messages: make(map[string]acceptedMessage)}
}

// Put offers a message whose workflow is about to be started for the first time.
func (a *Accepted) Put(m posthorn.Message) {
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dropExpired(now)
	a.messages[m.ID] = acceptedMessage{m, now}
	a.order = append(a.order, expiry{m.ID, now})
}

// Take returns a message that was offered and neither taken, dropped nor expired since. It can be taken once.
func (a *Accepted) Take(id string) (posthorn.Message, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	offered, ok := a.messages[id]
	delete(a.messages, id)
	if !ok || a.now().Sub(offered.at) >= freshFor {
		return posthorn.Message{}, false
	}
	return offered.message, true
}

// Drop withdraws an offer.
func (a *Accepted) Drop(id string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.messages, id)
}

// dropExpired keeps messages that nobody takes, because another process runs their workflow, from piling up.
func (a *Accepted) dropExpired(now time.Time) {
	n := 0
	for n < len(a.order) && now.Sub(a.order[n].at) >= freshFor {
		if offered, ok := a.messages[a.order[n].id]; ok && now.Sub(offered.at) >= freshFor {
			delete(a.messages, a.order[n].id)
		}
		n++
	}
	a.order = a.order[n:]
}
