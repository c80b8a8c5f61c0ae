package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/stretchr/testify/assert"
)

// eventTypes that are posted; the first ones more often.
var eventTypes = []string{"order.created", "order.created", "order.created", "order.paid", "order.paid", "order.archived"}

// post posts events of one ordering key, one after the other, until stop is closed.
func (w *storm) post(key string, seed uint64, stop <-chan struct{}) {
	random := rand.New(rand.NewPCG(seed, 2))
	for {
		w.one(&event{key: key, eventType: eventTypes[random.IntN(len(eventTypes))]})
		select {
		case <-time.After(time.Duration(random.Int64N(int64(200 * time.Millisecond)))):
		case <-stop:
			return
		}
	}
}

// later posts events that have a time, and some of them an end. Each has a key of its own: none waits for another.
func (w *storm) later(seed uint64, stop <-chan struct{}) {
	random := rand.New(rand.NewPCG(seed, 3))
	for n := 0; ; n++ {
		e := &event{key: fmt.Sprintf("later-%d", n), eventType: eventTypes[random.IntN(len(eventTypes))]}
		e.notBefore = time.Now().Add(time.Duration(random.Int64N(int64(4 * time.Second)))).Truncate(time.Millisecond)
		if random.IntN(2) == 0 {
			e.notAfter = e.notBefore.Add(time.Minute + time.Duration(random.Int64N(int64(time.Minute)))).Truncate(time.Millisecond)
		}
		w.one(e)
		select {
		case <-time.After(time.Duration(random.Int64N(int64(time.Second)))):
		case <-stop:
			return
		}
	}
}

// one posts an event until it is accepted. If the answer got lost, the event's id leads to the message.
func (w *storm) one(e *event) {
	w.mu.Lock()
	w.number++
	e.number = w.number
	w.mu.Unlock()
	e.posted = time.Now()
	times := ""
	if !e.notBefore.IsZero() {
		times = fmt.Sprintf(`"deliverAt":%q,`, e.notBefore.UTC().Format(time.RFC3339Nano))
	}
	if !e.notAfter.IsZero() {
		times += fmt.Sprintf(`"deliverBefore":%q,`, e.notAfter.UTC().Format(time.RFC3339Nano))
	}
	status, answer := w.insist(http.MethodPost, "/app/acme/msg", fmt.Sprintf(
		`{"eventId":"event-%d","eventType":%q,"orderingKey":%q,%s"payload":{"number":%d}}`, e.number, e.eventType, e.key, times, e.number))
	if status == http.StatusConflict {
		status, answer = w.insist(http.MethodGet, fmt.Sprintf("/app/acme/msg/event-%d", e.number), "")
	}
	var message struct{ ID string }
	if assert.Equal(w.t, 2, status/100, "%s", answer) && assert.NoError(w.t, json.Unmarshal(answer, &message)) {
		e.id = message.ID
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}
}

// actions are what can happen at any time, the frequent ones several times.
func (w *storm) actions() []func() string {
	return []func() string{
		w.sway, w.sway, w.sway, w.sway, w.sway, w.sway,
		w.pause, w.disable,
		w.resume, w.resume, w.resume, w.enable, w.drop,
		w.reschedule, w.move,
		w.resend, w.resend,
		w.cancel, w.cancelOne, w.cancelOlder,
	}
}

// rage does random things for a while and kills the server from time to time.
func (w *storm) rage(length time.Duration) {
	actions := w.actions()
	kill := time.After(w.between(time.Second, 5*time.Second))
	for end := time.Now().Add(length); time.Now().Before(end); {
		select {
		case <-kill:
			w.kill()
			for w.random.IntN(3) == 0 { // while it starts, and picks up what the last one left
				<-time.After(w.between(0, time.Second))
				w.kill()
			}
			kill = time.After(w.between(2*time.Second, 8*time.Second))
		case <-time.After(w.between(0, 200*time.Millisecond)):
			begun := time.Now()
			what := actions[w.random.IntN(len(actions))]()
			w.t.Logf("%s %s", clock(begun), what)
		}
	}
}

func (w *storm) between(shortest, longest time.Duration) time.Duration {
	return shortest + time.Duration(w.random.Int64N(int64(longest-shortest)))
}

func (w *storm) any() *target { return w.targets[w.random.IntN(len(w.targets))] }

func (w *storm) kill() {
	c := crash{killed: time.Now()}
	w.server.Kill()
	w.server.restart()
	c.over = w.server.Began.Add(leftovers)
	w.crashes = append(w.crashes, c)
	w.t.Logf("%s kill", clock(c.killed))
}

func (w *storm) sway() string {
	g, m := w.any(), moods[w.random.IntN(len(moods))]
	g.be(m)
	return g.name + " is " + m.name
}

func (w *storm) on(g *target, method, action, body string) {
	w.order(method, "/app/acme/endpoint/"+g.endpoint+action, body)
}

func (w *storm) pause() string {
	g := w.any()
	w.on(g, http.MethodPost, "/pause", "")
	g.blocked = true
	return "pause " + g.name
}

func (w *storm) disable() string {
	g := w.any()
	w.on(g, http.MethodPatch, "", `{"disabled":true}`)
	g.blocked = true
	return "disable " + g.name
}

func (w *storm) enable() string {
	g := w.any()
	w.on(g, http.MethodPatch, "", `{"disabled":false}`)
	return "enable " + g.name
}

func (w *storm) resume() string {
	g := w.any()
	for range w.targets { // rather one that needs it
		if !g.blocked {
			g = w.any()
		}
	}
	rate := 20 + w.random.IntN(100)
	w.on(g, http.MethodPost, "/resume", fmt.Sprintf(`{"held":"send","rate":%d}`, rate))
	g.blocked = false
	return fmt.Sprintf("resume %s at %d/s", g.name, rate)
}

func (w *storm) drop() string {
	g := w.any()
	w.on(g, http.MethodPost, "/resume", `{"held":"drop"}`)
	g.blocked, g.dropped = false, time.Now()
	return "resume and drop " + g.name
}

// defaultSchedule is the server's, as short as can be told.
const defaultSchedule, defaultWaits = "200ms,400ms,600ms,1s", 4

// reschedule gives a restless endpoint another schedule.
func (w *storm) reschedule() string {
	g := w.any()
	if !g.restless {
		return "leave the schedule of " + g.name
	}
	schedule := []struct {
		waits int
		text  string
	}{
		{defaultWaits, "null"},
		{0, "[]"},
		{2, `[{"secs":1,"nanos":0},{"secs":1,"nanos":500000000}]`},
		{1, `[{"secs":3600,"nanos":0}]`},
		{10, `[{"secs":0,"nanos":300000000},{"secs":1,"nanos":0},{"secs":1,"nanos":0},{"secs":1,"nanos":0},{"secs":1,"nanos":0},` +
			`{"secs":1,"nanos":0},{"secs":1,"nanos":0},{"secs":1,"nanos":0},{"secs":1,"nanos":0},{"secs":1,"nanos":0}]`},
	}[w.random.IntN(5)]
	g.fewest, g.most = min(g.fewest, schedule.waits), max(g.most, schedule.waits)
	w.on(g, http.MethodPut, "/retry-schedule", `{"retrySchedule":`+schedule.text+`}`)
	return fmt.Sprintf("give %s a schedule of %d waits", g.name, schedule.waits)
}

func (w *storm) move() string {
	g := w.any()
	w.on(g, http.MethodPatch, "", fmt.Sprintf(`{"url":%q}`, g.url(w.random.IntN(5))))
	return "move " + g.name
}

func (w *storm) resend() string {
	e := w.anyEvent()
	g := w.any()
	if e == nil || !g.wants(e) {
		return "resend nothing"
	}
	g.resent[e.id] = true
	w.order(http.MethodPost, "/app/acme/msg/"+e.id+"/endpoint/"+g.endpoint+"/resend", "")
	return fmt.Sprintf("resend %s to %s", e.id, g.name)
}

func (w *storm) cancel() string {
	e := w.anyEvent()
	if e == nil {
		return "cancel nothing"
	}
	e.cancelled = true
	w.order(http.MethodPost, "/app/acme/msg/"+e.id+"/cancel", "")
	return "cancel " + e.id
}

func (w *storm) cancelOne() string {
	e, g := w.anyEvent(), w.any()
	if e == nil || !g.wants(e) {
		return "cancel nothing"
	}
	g.cancelled[e.id] = true
	w.order(http.MethodPost, "/app/acme/msg/"+e.id+"/endpoint/"+g.endpoint+"/cancel", "")
	return fmt.Sprintf("cancel %s for %s", e.id, g.name)
}

// cancelOlder cancels what was accepted before. Where there is an order to watch it would blur it: requests under way go on.
func (w *storm) cancelOlder() string {
	g := w.any()
	if g.ordered || w.random.IntN(3) > 0 {
		return "cancel nothing"
	}
	w.on(g, http.MethodPost, "/cancel-msgs", fmt.Sprintf(`{"createdBefore":%q}`, time.Now().UTC().Format(time.RFC3339Nano)))
	g.dropped = time.Now()
	return "cancel what is old for " + g.name
}

// anyEvent prefers those that are still under way; nil if there is none.
func (w *storm) anyEvent() *event {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) == 0 {
		return nil
	}
	if newest := min(20, len(w.events)); w.random.IntN(2) == 0 {
		return w.events[len(w.events)-1-w.random.IntN(newest)]
	}
	return w.events[w.random.IntN(len(w.events))]
}

// subside has everybody be well again: all receivers answer, and all endpoints but the patient ones take messages. Open
// circuits are left to their probes.
func (w *storm) subside() {
	for _, g := range w.targets {
		g.be(well)
		if g.restless {
			w.on(g, http.MethodPut, "/retry-schedule", `{"retrySchedule":null}`)
		}
	}
	for _, g := range w.targets {
		switch {
		case !g.patient && !g.blocked:
		case !g.patient:
			w.on(g, http.MethodPost, "/resume", "")
		case w.random.IntN(2) == 0:
			w.on(g, http.MethodPost, "/pause", "")
		default:
			w.on(g, http.MethodPatch, "", `{"disabled":true}`)
		}
	}
}
