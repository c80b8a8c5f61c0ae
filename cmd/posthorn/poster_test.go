package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

const (
	// postEvery is how often each poster has an event.
	postEvery = 60 * time.Millisecond
	// postAgain is how long a poster waits when nobody answers.
	postAgain = 30 * time.Millisecond
)

// posters post events while a server comes and goes, and remember what it has promised to deliver.
type posters struct {
	t      *testing.T
	server *server
	next   atomic.Int64
	quit   context.CancelFunc
	all    sync.WaitGroup

	mu         sync.Mutex
	accepted   map[string]int // message id → number of the event
	unanswered int
}

func newPosters(t *testing.T, s *server, n int) *posters {
	ctx, quit := context.WithCancel(t.Context())
	p := &posters{t: t, server: s, quit: quit, accepted: make(map[string]int)}
	for range n {
		p.all.Go(func() { p.post(ctx) })
	}
	t.Cleanup(func() {
		quit()
		p.all.Wait()
	})
	return p
}

func (p *posters) post(ctx context.Context) {
	tick := time.NewTicker(postEvery)
	defer tick.Stop()
	for {
		p.one()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// burst posts n events at the same time and returns when all have an answer.
func (p *posters) burst(n int) {
	var all sync.WaitGroup
	for range n {
		all.Go(p.one)
	}
	all.Wait()
}

// stop returns what was accepted.
func (p *posters) stop() map[string]int {
	p.quit()
	p.all.Wait()
	p.t.Logf("%d requests got no answer", p.unanswered)
	return p.accepted
}

// one posts an event. Every other event has an id of its own, by which it can be posted until there is an answer; of
// the others, those without an answer may be delivered or not.
func (p *posters) one() {
	number := int(p.next.Add(1))
	eventID, field := "", ""
	if number%2 == 0 {
		eventID = fmt.Sprintf("event-%d", number)
		field = fmt.Sprintf(`"eventId":%q,`, eventID)
	}
	event := fmt.Sprintf(`{%s"eventType":"order.created","payload":{"number":%d}}`, field, number)
	for ctx := p.t.Context(); ctx.Err() == nil; {
		status, answer, err := p.server.call(ctx, http.MethodPost, "/app/acme/msg", event)
		switch {
		case err == nil && status == http.StatusConflict && eventID != "":
			status, answer, err = p.server.call(ctx, http.MethodGet, "/app/acme/msg/"+eventID, "")
			if err == nil && assert.Equal(p.t, http.StatusOK, status, "%s", answer) {
				p.accept(answer, number)
				return
			}
		case err == nil && status == http.StatusAccepted:
			p.accept(answer, number)
			return
		case err == nil && status != http.StatusServiceUnavailable:
			assert.Fail(p.t, "an answer that nobody expects", "%d %s", status, answer)
			return
		}
		p.mu.Lock()
		p.unanswered++
		p.mu.Unlock()
		if eventID == "" {
			return
		}
		select {
		case <-time.After(postAgain):
		case <-ctx.Done():
		}
	}
}

func (p *posters) accept(answer []byte, number int) {
	var message struct{ ID string }
	if !assert.NoError(p.t, json.Unmarshal(answer, &message), "%s", answer) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	other, known := p.accepted[message.ID]
	assert.False(p.t, known, "events %d and %d are the same message %s", other, number, message.ID)
	p.accepted[message.ID] = number
}
