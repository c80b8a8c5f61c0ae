package activities

import (
	"sync"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const (
	// gatherFor is how long the fast lane gathers ended attempts so that a whole fan-out shares one commit. Once all
	// requests have begun, each attempt is recorded as it ends: a slow sibling does not keep a quick one from becoming durable.
	gatherFor = 200 * time.Millisecond
	// gatherMost is how many attempts are recorded together at most while there is more to begin. The more there are, the less
	// each costs; the fewer, the shorter other writes wait, and the less is repeated after a crash.
	gatherMost = 250
	// roundInFlight is how many requests of a round are in flight at once.
	roundInFlight = 256
	// leftTogether is how many attempts are recorded together at most that nobody waits for.
	leftTogether = 25
	// fewInFlight is how many requests of an application can be under way for each to be worth an activity that waits for it
	// when the fast lane doesn't any more.
	fewInFlight = 20
	// roomEvery is how often a large fan-out looks whether its application has room for a further request.
	roomEvery = 5 * time.Millisecond
)

// round is the fast lane's sending of one message, or a part of it. Its goroutines go on after the activity has returned,
// until the last request has ended and is recorded.
type round struct {
	a         *Activities
	message   posthorn.Message
	inherited posthorn.Schedule // by endpoints that have no schedule of their own
	more      bool              // other parts wait for this one
	large     bool              // it is a part
	settled   chan struct{}     // closed when the fields below hold the outcome

	delivered, held, cancelled int
	open                       map[string]string // endpoint ID → label
	err                        error

	sending []*candidate        // what is to be sent unless the gate says otherwise, by endpoint ID
	waiting []posthorn.Delivery // what is not
	ended   []posthorn.Delivery // what the gate cancels

	turns  sync.Mutex            // held by whoever asks the gate
	mu     sync.Mutex            // guards the closing of over, and flying
	over   chan struct{}         // closed when nothing more is to begin
	flying map[string]*candidate // whose requests are under way, by endpoint ID
	left   map[string]*candidate // those of them that nobody waits for
}

func newRound(a *Activities, m posthorn.Message, inherited posthorn.Schedule) *round {
	return &round{
		a: a, message: m, inherited: inherited,
		settled: make(chan struct{}), over: make(chan struct{}),
		open: make(map[string]string), flying: make(map[string]*candidate), left: make(map[string]*candidate),
	}
}

// send has an endpoint sent to, or not, as the gate says when its turn has come.
func (r *round) send(ep *posthorn.Endpoint) {
	r.sending = append(r.sending, &candidate{message: &r.message, endpoint: ep, patience: fastPatience, parks: true})
	r.open[ep.ID] = Label(ep.URL)
}

// later has an endpoint wait for room without a look at the gate, which whoever calls it in comes to again.
func (r *round) later(ep *posthorn.Endpoint) {
	c := &candidate{message: &r.message, endpoint: ep, now: r.a.Now(), parks: true}
	r.waiting = append(r.waiting, noRoom(c).bounded(&r.message).delivery(c))
	r.held++
}

// landing is what came of a candidate: an attempt, a verdict that lets it wait, or nothing.
type landing struct {
	candidate *candidate
	attempt   posthorn.Attempt // without an ID if none was made
	verdict   verdict
	err       error
}

// start has the requests made, so many at a time.
func (r *round) start() {
	queue := make(chan *candidate, len(r.sending))
	for _, c := range r.sending {
		queue <- c
	}
	close(queue)
	ended := make(chan landing, len(r.sending))
	for range min(len(r.sending), roundInFlight) {
		r.a.rounds.Go(func() {
			for c := range queue {
				l := landing{candidate: c}
				var sends bool
				if sends, l.verdict, l.err = r.turn(c); sends {
					r.a.untilTurn(c)
					l.attempt = r.a.attempt(&r.message, c.endpoint, posthorn.Automatic, 0, r.inherited)
				}
				ended <- l
			}
		})
	}
	r.a.rounds.Go(func() { r.collect(ended) })
}

// turn asks the gate. One message to very many endpoints fills its application's room by itself, so it waits for room
// rather than have thousands of deliveries called in one by one.
func (r *round) turn(c *candidate) (sends bool, v verdict, err error) {
	r.turns.Lock()
	defer r.turns.Unlock()
	for r.large && r.a.crowded(c.endpoint.AppID) {
		select {
		case <-r.over:
			return false, v, nil
		case <-time.After(roomEvery):
		}
	}
	c.now = r.a.Now()
	if v, err = r.a.gate(r.a.sending, c); err != nil || !v.sends() {
		return false, v, err
	}
	if !r.begin(c) {
		c.done()
		return false, v, nil
	}
	return true, v, nil
}

// begin notes a request as under way, unless there is one already or the durable lane has it now.
func (r *round) begin(c *candidate) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.over:
		return false
	default:
	}
	if !r.a.flights.begin(r.message.ID, c.endpoint.ID) {
		return false
	}
	r.flying[c.endpoint.ID] = c
	return true
}

// leave has nobody wait for the requests that are still under way, where the application has many of them. An activity for each
// would take Temporal's time from other applications; instead their deliveries wait in the database only. What fails goes on
// when its next attempt is due ([Activities.goOn]), and by then its endpoint's circuit may be open.
func (r *round) leave() {
	if r.large || r.a.inFlight(r.message.AppID) <= fewInFlight {
		return
	}
	for id, c := range r.flying {
		r.left[id] = c
		r.waiting = append(r.waiting, posthorn.Delivery{
			MessageID: r.message.ID, AppID: r.message.AppID, EndpointID: id, NextAt: r.a.Now(), Parked: true,
		})
		r.held++
		delete(r.open, id)
	}
}

// landed notes requests that are not under way any more.
func (r *round) landed(batch []landing) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range batch {
		delete(r.flying, l.candidate.endpoint.ID)
	}
}

// end lets nothing more begin.
func (r *round) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.over)
}

// patience is how long the round waits once all requests have begun, and for the next one to begin. Where others wait for
// it, it hands over what counts as slow.
func (r *round) patience() time.Duration {
	if r.more {
		return min(r.a.SlowAfter, r.a.FastLaneWait)
	}
	return r.a.FastLaneWait
}

// collect records attempts as they end. It settles the round when all have, or when its patience is over.
func (r *round) collect(ended <-chan landing) {
	gather := time.NewTimer(gatherFor)
	defer gather.Stop()
	wait := time.NewTimer(r.patience())
	defer wait.Stop()

	flying, unbegun := len(r.sending), max(len(r.sending)-roundInFlight, 0)
	var batch []landing
	gathering, settled := true, false
	for !settled || flying > 0 {
		over := flying == 0
		if !over {
			had, impatient := len(batch), false
			select {
			case l := <-ended:
				batch = append(batch, l)
			case <-gather.C:
				gathering = false
			case <-wait.C:
				impatient = !settled
			}
			batch = more(batch, ended, len(r.sending))
			n := len(batch) - had
			flying -= n
			switch {
			case n > 0 && unbegun > 0:
				unbegun = max(unbegun-n, 0)
				wait.Reset(r.patience())
			case impatient:
				r.end()
				r.noteSlow()
				over, unbegun = true, 0
			}
		}
		settle := (over || flying == 0) && !settled
		if settle || len(batch) >= gatherMost || (len(batch) > 0 && (settled || !gathering)) {
			r.commit(batch, settle, settled)
			batch, settled = nil, settled || settle
			if gathering = unbegun > 0; gathering {
				gather.Reset(gatherFor)
			}
		}
		if len(r.left) > 0 {
			r.collectLeft(ended, flying)
			return
		}
	}
}

// collectLeft records the attempts that nobody waits for. They often time out together, so it takes its time.
func (r *round) collectLeft(ended <-chan landing, flying int) {
	for flying > 0 {
		batch := []landing{<-ended}
		r.a.landings.wait(r.a.calling, r.message.AppID)
		batch = more(batch, ended, leftTogether)
		flying -= len(batch)
		r.commit(batch, false, true)
	}
}

// more adds what has ended by now, up to so many.
func more(batch []landing, ended <-chan landing, most int) []landing {
	for len(batch) < most {
		select {
		case l := <-ended:
			batch = append(batch, l)
		default:
			return batch
		}
	}
	return batch
}

// noteSlow has the endpoints that are kept waiting for skip the fast lane from now on, and not only once they have timed out.
func (r *round) noteSlow() {
	for _, c := range r.sending {
		if r.a.flights.has(r.message.ID, c.endpoint.ID) {
			r.a.slow.observe(c.endpoint.ID, r.a.FastLaneWait, r.a.SlowAfter)
		}
	}
}

// commit records ended attempts and, where it settles the round, the deliveries that go on in the durable lane. What was
// not sent after the round was settled is the durable lane's business.
func (r *round) commit(batch []landing, settle, settled bool) {
	r.landed(batch)
	rec := store.Record{MessageID: r.message.ID, AppID: r.message.AppID}
	var flown []*candidate
	for _, l := range batch {
		switch id := l.candidate.endpoint.ID; {
		case l.attempt.ID != "":
			rec.Attempts = append(rec.Attempts, l.attempt)
			flown = append(flown, l.candidate)
			if l.attempt.Success && !settled {
				r.delivered++
				delete(r.open, id)
			}
		case settled:
		case l.err != nil:
			r.err = l.err
		case l.verdict.waits != posthorn.WaitNothing:
			if !l.verdict.recorded {
				r.waiting = append(r.waiting, l.verdict.delivery(l.candidate))
			}
			if parks(l.verdict.waits) {
				r.held++
				delete(r.open, id)
			}
		case l.verdict.ends == posthorn.Cancelled:
			r.ended = append(r.ended, l.verdict.end(l.candidate))
			r.cancelled++
			delete(r.open, id)
		}
	}
	cutOff(&r.message, &rec)
	if settle {
		r.leave()
		rec.Closed = append(rec.Closed, r.ended...)
		rec.Waiting, rec.Dispatched = r.waiting, !r.more && r.err == nil
		for id := range r.open {
			rec.Pending = append(rec.Pending, id)
		}
	}
	var err error
	var made []posthorn.Attempt
	if settle || len(rec.Attempts) > 0 {
		made, err = r.a.record(r.a.sending, rec)
	}
	for i, c := range flown {
		r.a.flights.land(c.message.ID, c.endpoint.ID)
		c.done()
		if err == nil && r.left[c.endpoint.ID] != nil && !made[i].Success {
			r.goOn(&made[i])
		}
	}
	switch {
	case err == nil:
	case settled:
		// Whoever carries on finds no record and sends again; nobody else hears of the error.
		r.a.Logger.Error("an attempt could not be recorded and will be made again", "message", r.message.ID, "error", err)
	default:
		r.err = storeError(err)
		clear(r.left) // the next run of the fast lane finds them
	}
	if settle {
		close(r.settled)
	}
}
