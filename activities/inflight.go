package activities

import (
	"context"
	"sync"
	"time"

	"github.com/posthorn/posthorn"
)

const (
	// defaultPerEndpoint and defaultPerApplication are how many requests can be under way from this process, so that
	// receivers that don't answer hold no more than their share of it.
	defaultPerEndpoint    = 100
	defaultPerApplication = 500

	// roomRecheck is when a delivery that found no room comes back by itself. Before that it is called in; this is for when
	// the process that should do so has ended.
	roomRecheck = 10 * time.Minute
	// callEvery is how often deliveries are called in where there is room again.
	callEvery = time.Second
	// callLostAfter is how long one that was called in may take to arrive before nobody counts on it any more, and how long one
	// that was sent away may take to be on record.
	callLostAfter = 30 * time.Second
	// failedJustNow is how long an endpoint has to be without failures for its deliveries to be called in every time, and not
	// only after passing over it mostPassed times: its circuit may be about to open.
	failedJustNow = 2 * callEvery
	mostPassed    = 3
	// holdPage is how many deliveries that wait for room at an endpoint are held for its circuit instead at a time, and holdMost how
	// many of an application each time that its deliveries are called in. There is no hurry, and others have to write, too.
	holdPage = 20
	holdMost = 200

	crowdedReason = "too many requests are waiting for an answer"
)

// crowds are the requests under way from this process, by endpoint and by application, and the endpoints for which further
// ones wait.
type crowds struct {
	mu    sync.Mutex
	sizes map[string]int              // by ID of the endpoint or application
	lines map[string]map[string]*line // by application and endpoint
}

// line says that deliveries to an endpoint wait for room.
type line struct {
	called int       // those that were called in and have not arrived
	at     time.Time // when some were called in last
	joined time.Time // when one was sent away last
	failed time.Time // when a request failed last
	passed int       // how often it was passed over since for that
}

// room returns how many more requests to an endpoint there can be, those aside that were called in.
func (a *Activities) room(appID, endpointID string) int {
	application, endpoint := a.PerApplication-a.crowds.sizes[appID], a.PerEndpoint-a.crowds.sizes[endpointID]
	for id, l := range a.crowds.lines[appID] {
		application -= l.called
		if id == endpointID {
			endpoint -= l.called
		}
	}
	return min(application, endpoint)
}

// hasRoom reports whether a request to an endpoint could be made now, and nobody waits for that already. If not, whoever asks is
// called in.
func (a *Activities) hasRoom(ep *posthorn.Endpoint) bool {
	a.crowds.mu.Lock()
	defer a.crowds.mu.Unlock()
	if a.crowds.lines[ep.AppID][ep.ID] != nil {
		a.lineUp(ep)
		return false
	}
	return a.look(ep)
}

// crowded reports whether an application has as many requests under way as it may. Nobody is called in for having asked.
func (a *Activities) crowded(appID string) bool { return a.inFlight(appID) >= a.PerApplication }

// inFlight returns how many requests of an application are under way from this process.
func (a *Activities) inFlight(appID string) int {
	a.crowds.mu.Lock()
	defer a.crowds.mu.Unlock()
	return a.crowds.sizes[appID]
}

func (a *Activities) look(ep *posthorn.Endpoint) bool {
	if a.crowds.sizes[ep.AppID] < a.PerApplication && a.crowds.sizes[ep.ID] < a.PerEndpoint {
		return true
	}
	a.lineUp(ep)
	return false
}

// enter takes the room for a request, if there is some.
func (a *Activities) enter(ep *posthorn.Endpoint) (leave func(), ok bool) {
	c := &a.crowds
	c.mu.Lock()
	defer c.mu.Unlock()
	if !a.look(ep) {
		return nil, false
	}
	if c.sizes == nil {
		c.sizes = make(map[string]int)
	}
	c.sizes[ep.AppID]++
	c.sizes[ep.ID]++
	if l := c.lines[ep.AppID][ep.ID]; l != nil && l.called > 0 {
		l.called--
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, id := range [...]string{ep.AppID, ep.ID} {
			if c.sizes[id]--; c.sizes[id] == 0 {
				delete(c.sizes, id)
			}
		}
	}, true
}

// lineUp notes that deliveries to an endpoint wait, and has somebody call them in. Those to an endpoint with a limit of its own
// are called by the requests that end there (checkFlight): more at once would only be sent away again.
func (a *Activities) lineUp(ep *posthorn.Endpoint) {
	if ep.MaxInFlight > 0 {
		return
	}
	c := &a.crowds
	if c.lines == nil {
		c.lines = make(map[string]map[string]*line)
	}
	lines := c.lines[ep.AppID]
	if lines == nil {
		lines = make(map[string]*line)
		c.lines[ep.AppID] = lines
		appID := ep.AppID // nothing of the endpoint is kept
		a.callers.Go(func() { a.callIn(appID) })
	}
	if lines[ep.ID] == nil {
		lines[ep.ID] = new(line)
	}
	lines[ep.ID].joined = time.Now()
}

// callIn lets the waiting deliveries of an application go as there is room for them, the oldest of each endpoint first, until
// none waits.
func (a *Activities) callIn(appID string) {
	tick := time.NewTicker(callEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-a.calling.Done():
			return
		}
		waiting, some := a.callable(appID)
		if !some {
			return
		}
		toHold := holdMost
		for endpointID, n := range waiting {
			if err := a.callNext(appID, endpointID, n, &toHold); err != nil && a.calling.Err() == nil {
				a.Logger.Warn("deliveries that wait for room are called in later", "endpoint", endpointID, "error", err)
			}
		}
	}
}

// callable returns how many deliveries can be called in for each endpoint, and whether any wait at all.
func (a *Activities) callable(appID string) (byEndpoint map[string]int, some bool) {
	c := &a.crowds
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.lines[appID]) == 0 {
		delete(c.lines, appID)
		return nil, false
	}
	byEndpoint = make(map[string]int)
	for id, l := range c.lines[appID] {
		if time.Since(l.at) > callLostAfter {
			l.called = 0
		}
		if l.passed < mostPassed && time.Since(l.failed) < failedJustNow {
			l.passed++
			continue
		}
		if n := a.room(appID, id); n > 0 {
			l.passed = 0
			byEndpoint[id] = n
			l.called, l.at = l.called+n, time.Now()
		}
	}
	return byEndpoint, true
}

// failedAt notes that a request to an endpoint has failed.
func (a *Activities) failedAt(ep *posthorn.Endpoint) {
	a.crowds.mu.Lock()
	defer a.crowds.mu.Unlock()
	if l := a.crowds.lines[ep.AppID][ep.ID]; l != nil {
		l.failed = time.Now()
	}
}

// callNext calls in the oldest deliveries that wait for room at an endpoint, or holds some of them.
func (a *Activities) callNext(appID, endpointID string, n int, toHold *int) error {
	switch {
	case !a.holds(a.calling, endpointID):
	case *toHold <= 0:
		a.calledFewer(appID, endpointID, n, false)
		return nil
	default:
		*toHold -= holdPage
		return a.holdNext(appID, endpointID, n)
	}
	released, err := a.Store.Release(a.calling, endpointID, []posthorn.Wait{posthorn.WaitFlight}, a.Now(), n)
	if err != nil {
		return err
	}
	if len(released) < n {
		a.calledFewer(appID, endpointID, n-len(released), true)
	}
	return a.Starter.Wake(a.calling, released...) // those that it forgets are overdue before long, and woken then
}

// holdNext has the oldest deliveries that wait for room wait for the endpoint's circuit instead, which has opened since, so that
// they count as held.
func (a *Activities) holdNext(appID, endpointID string, n int) error {
	held, err := a.Store.HoldWaiting(a.calling, endpointID, []posthorn.Wait{posthorn.WaitFlight}, posthorn.WaitCircuit, circuitReason, holdPage)
	if err != nil {
		return err
	}
	a.calledFewer(appID, endpointID, n, len(held) < holdPage)
	return nil
}

// calledFewer notes that so many fewer were called in than could be, and whether that is because nobody waits any more.
func (a *Activities) calledFewer(appID, endpointID string, fewer int, ends bool) {
	a.crowds.mu.Lock()
	defer a.crowds.mu.Unlock()
	l := a.crowds.lines[appID][endpointID]
	l.called = max(l.called-fewer, 0)
	if ends && time.Since(l.joined) > callLostAfter {
		delete(a.crowds.lines[appID], endpointID)
	}
}

// checkRoom lets a delivery wait while as many requests are under way from this process as there may be.
func (a *Activities) checkRoom(_ context.Context, c *candidate) (verdict, error) {
	leave, ok := a.enter(c.endpoint)
	if !ok {
		return noRoom(c), nil
	}
	c.onRelease(leave)
	return verdict{}, nil
}

func noRoom(c *candidate) verdict {
	v := verdict{waits: posthorn.WaitFlight, until: c.now.Add(roomRecheck), reason: crowdedReason}
	if c.endpoint.MaxInFlight > 0 {
		v.until = c.now.Add(callLostAfter) // nobody calls it in if no request is under way there
	}
	if d := c.delivery; d.Waits == posthorn.WaitFlight && d.NextAt.After(c.now) {
		v.until = d.NextAt // nothing to record anew
	}
	return v
}
