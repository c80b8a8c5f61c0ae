package clustertest

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/assert"
)

// Load posts events to the application "acme" at a steady rate, whatever happens to the cluster, and keeps books: what was
// promised, what was refused and what got no answer.
//
// Every other event has an id of its own and is posted until it is accepted. The others are given up when there is no answer,
// as nobody knows whether they were accepted.
type Load struct {
	api  *API
	quit context.CancelFunc
	all  sync.WaitGroup
	next atomic.Int64

	mu    sync.Mutex
	books Books
}

// Books are what a load remembers.
type Books struct {
	Accepted   map[string]int       // message id → number of the event
	AcceptedAt map[string]time.Time // message id → when it was answered with 202
	Refused    []time.Time          // 503 with Retry-After
	Unanswered []time.Time          // nobody took the connection, or it was cut
	Slowest    time.Duration        // the longest that an event which was accepted at once had to wait for the answer
}

// StartLoad posts so many events a second until Stop.
func StartLoad(a *API, perSecond int) *Load {
	ctx, quit := context.WithCancel(context.Background())
	l := &Load{api: a, quit: quit, books: Books{Accepted: make(map[string]int), AcceptedAt: make(map[string]time.Time)}}
	l.all.Go(func() {
		ticker := time.NewTicker(time.Second / time.Duration(perSecond))
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				l.all.Go(func() { l.event(ctx) })
			}
		}
	})
	a.t.Cleanup(func() {
		quit()
		l.all.Wait()
	})
	return l
}

// Stop ends the posting once all that has begun is answered or given up, and returns the books.
func (l *Load) Stop() Books {
	l.quit()
	l.all.Wait()
	return l.books
}

// Accepted are the messages accepted so far.
func (l *Load) Accepted() map[string]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	accepted := make(map[string]int, len(l.books.Accepted))
	for id, number := range l.books.Accepted {
		accepted[id] = number
	}
	return accepted
}

// event posts one event.
func (l *Load) event(ctx context.Context) {
	number := int(l.next.Add(1))
	eventID, field := "", ""
	if number%2 == 0 {
		eventID = fmt.Sprintf("event-%d", number)
		field = fmt.Sprintf(`"eventId":%q,`, eventID)
	}
	event := fmt.Sprintf(`{%s"eventType":"order.created","payload":{"number":%d}}`, field, number)
	for again := false; ; again = true {
		began := time.Now()
		answer, err := l.api.Call(context.Background(), http.MethodPost, "/app/acme/msg", event)
		if err == nil && answer.Status == http.StatusConflict && eventID != "" {
			answer, err = l.api.Call(context.Background(), http.MethodGet, "/app/acme/msg/"+eventID, "")
			if err == nil && answer.Status == http.StatusOK {
				answer.Status = http.StatusAccepted
			}
		}
		wait := restartDelay
		switch {
		case err != nil || answer.Status == http.StatusBadGateway: // the balancer's word for no answer
			l.note(&l.books.Unanswered)
			if eventID == "" {
				return
			}
		case answer.Status == http.StatusAccepted:
			l.accept(answer.Body, number)
			if !again {
				l.took(time.Since(began))
			}
			return
		case answer.Status == http.StatusServiceUnavailable:
			l.note(&l.books.Refused)
			seconds, err := strconv.Atoi(answer.Header.Get("Retry-After"))
			if !assert.NoError(l.api.t, err, "503 without Retry-After: %s", answer.Body) {
				return
			}
			wait = time.Duration(seconds) * time.Second
		default:
			assert.Fail(l.api.t, "an answer that nobody expects", "%d %s", answer.Status, answer.Body)
			return
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

func (l *Load) note(in *[]time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*in = append(*in, time.Now())
}

func (l *Load) took(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.books.Slowest = max(l.books.Slowest, d)
}

func (l *Load) accept(answer []byte, number int) {
	var message struct{ ID string }
	if !assert.NoError(l.api.t, json.Unmarshal(answer, &message), "%s", answer) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	other, known := l.books.Accepted[message.ID]
	assert.False(l.api.t, known && other != number, "events %d and %d are the same message %s", other, number, message.ID)
	l.books.Accepted[message.ID] = number
	l.books.AcceptedAt[message.ID] = time.Now()
}

// Outage is the longest time without an accepted event that touches a span.
func (b Books) Outage(from, to time.Time) (longest time.Duration) {
	last := from
	for _, at := range slices.SortedFunc(maps.Values(b.AcceptedAt), time.Time.Compare) {
		if at.Before(from) {
			continue
		}
		longest = max(longest, at.Sub(last))
		if last = at; at.After(to) {
			break
		}
	}
	return longest
}

// between counts the moments in a span.
func between(moments []time.Time, from, to time.Time) (n int) {
	for _, at := range moments {
		if !at.Before(from) && at.Before(to) {
			n++
		}
	}
	return n
}
