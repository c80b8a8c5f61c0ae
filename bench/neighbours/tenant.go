package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// patience is how long a tenant waits for an answer.
const patience = 60 * time.Second

// tenant posts to one application and is the receiver of what is sent for it.
type tenant struct {
	server    *server
	client    *http.Client
	neighbour *tenant // whose traffic is compared
	servers   []*http.Server
	appID     string

	accepted atomic.Int64 // messages
	refused  atomic.Int64 // requests
	received atomic.Int64 // requests at the receivers

	mu     sync.Mutex
	events []*event
}

// event is one event on its way. Times are since it was due to be posted; 0: it has not happened.
type event struct {
	due                time.Time
	accepted, received time.Duration
	before, overtook   int64 // requests at the neighbour's receivers when it was due, and from then until it was received
}

// newTenant makes an application with endpoints, each on a port of its own, that answer at once or never.
func newTenant(ctx context.Context, s *server, endpoints int, hang bool) (*tenant, error) {
	const connections = 4096 // more than are ever needed, so that none is opened twice
	t := &tenant{server: s, client: &http.Client{
		Timeout:   patience,
		Transport: &http.Transport{MaxIdleConns: connections, MaxIdleConnsPerHost: connections},
	}}
	body, err := t.call(ctx, "/api/v1/app", []byte(`{"name":"tenant"}`))
	if err != nil {
		return t, err
	}
	var made struct{ ID string }
	if err := json.Unmarshal(body, &made); err != nil {
		return t, err
	}
	t.appID = made.ID
	for range endpoints {
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return t, err
		}
		receiver := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(t.answer)}
		if hang {
			receiver.Handler = http.HandlerFunc(t.hang)
		}
		t.servers = append(t.servers, receiver)
		go func() { _ = receiver.Serve(listener) }() // ends with close
		in := fmt.Sprintf(`{"url":"http://%s/hook"}`, listener.Addr())
		if _, err := t.call(ctx, "/api/v1/app/"+t.appID+"/endpoint", []byte(in)); err != nil {
			return t, err
		}
	}
	return t, nil
}

func (t *tenant) close() {
	t.client.CloseIdleConnections()
	for _, s := range t.servers {
		_ = s.Close()
	}
}

// answer notes what is received.
func (t *tenant) answer(w http.ResponseWriter, r *http.Request) {
	now := time.Now()
	t.received.Add(1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(string(body), `{"sequence":`), ",")
	n, err := strconv.Atoi(text)
	if err != nil {
		return // one of a burst
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if n < len(t.events) && t.events[n].received == 0 {
		e := t.events[n]
		e.received, e.overtook = now.Sub(e.due), t.neighbour.received.Load()-e.before
	}
}

// hang answers when the other side has given up.
func (t *tenant) hang(_ http.ResponseWriter, r *http.Request) {
	t.received.Add(1)
	_, _ = io.Copy(io.Discard, r.Body) // without it the end of the connection goes unnoticed
	<-r.Context().Done()
}

// call makes a request to the API.
func (t *tenant) call(ctx context.Context, path string, in []byte) (body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.server.URL+path, bytes.NewReader(in))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+t.server.Token)
	res, err := t.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, res.Body.Close()) }()
	body, err = io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("POST %s: %s: %.200s", path, res.Status, body)
	}
	return body, err
}

const messageFormat = `{"eventType":"neighbours.event","payload":{"sequence":%s,"text":"` +
	`xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}}`

// loudMessage is one of the messages that nobody follows.
func loudMessage() string { return fmt.Sprintf(messageFormat, `"loud"`) }

// post posts messages, one or a batch of them.
func (t *tenant) post(ctx context.Context, messages int) {
	path, body := "/msg", loudMessage()
	if messages > 1 {
		path = "/msg/batch"
		body = `{"messages":[` + body + strings.Repeat(","+body, messages-1) + `]}`
	}
	if _, err := t.call(ctx, "/api/v1/app/"+t.appID+path, []byte(body)); err != nil {
		t.refused.Add(1)
		return
	}
	t.accepted.Add(int64(messages))
}

// postEvent posts an event that was due at a moment, and that is followed.
func (t *tenant) postEvent(ctx context.Context, due time.Time) {
	e := &event{due: due, before: t.neighbour.received.Load()}
	t.mu.Lock()
	n := len(t.events)
	t.events = append(t.events, e)
	t.mu.Unlock()
	body := fmt.Sprintf(messageFormat, strconv.Itoa(n))
	if _, err := t.call(ctx, "/api/v1/app/"+t.appID+"/msg", []byte(body)); err != nil {
		t.refused.Add(1)
		return
	}
	took := time.Since(due)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.accepted.Add(1)
	e.accepted = took
}

// between returns the events that were due in a span of time, as they are now.
func (t *tenant) between(from, to time.Time) []event {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []event
	for _, e := range t.events {
		if !e.due.Before(from) && e.due.Before(to) {
			found = append(found, *e)
		}
	}
	return found
}

// steadily calls f so many times a second, whether or not earlier calls have returned, until ctx ends or it has done so
// often enough. It returns when all have.
func steadily(ctx context.Context, perSecond, most int, f func(due time.Time)) {
	var wg sync.WaitGroup
	defer wg.Wait()
	interval := time.Second / time.Duration(perSecond)
	timer := time.NewTimer(0)
	defer timer.Stop()
	due := time.Now()
	for range most {
		timer.Reset(time.Until(due))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			now := due
			wg.Go(func() { f(now) })
		}
		due = due.Add(interval)
	}
}

// inParallel calls f so many times, some at a time, until ctx ends.
func inParallel(ctx context.Context, times, parallel int, f func()) {
	var wg sync.WaitGroup
	var begun atomic.Int64
	for range parallel {
		wg.Go(func() {
			for ctx.Err() == nil && begun.Add(1) <= int64(times) {
				f()
			}
		})
	}
	wg.Wait()
}
