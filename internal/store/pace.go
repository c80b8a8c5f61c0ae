package store

import "time"

// Pace is where a limit of messages per second stands. It is a token bucket that holds one second's worth, kept as the time
// at which it will be full again (the generic cell rate algorithm), so that turns can be given out long before they are
// used: after a quiet time up to Rate messages go at once, and then one every 1/Rate seconds.
//
// There are two such times. Queue grows with the turns that are given out: it says when a message's turn comes, which then
// waits until that moment and no longer. Sent grows with the turns that are used, and that is what keeps the limit: after a
// standstill many messages find that their turn has passed, and must not all go together.
type Pace struct {
	Rate  int       // messages per second
	Queue time.Time // when all turns that were given out are over; zero if none ever was
	Sent  time.Time // the same for the turns that were used
	Since time.Time // since when messages have had to wait; zero if the last one did not
}

// interval is the time between two turns, rounded up: rounded down, a high rate would be exceeded.
func (p *Pace) interval() time.Duration {
	return (time.Second + time.Duration(p.Rate) - 1) / time.Duration(p.Rate)
}

// earliest is the first moment from a moment on at which there is a turn, given the time at which all others are over.
func (p *Pace) earliest(over, from time.Time) time.Time {
	return later(from, over.Add(p.interval()-time.Second))
}

// Throttled says since when messages have had to wait, as things stand at a moment; zero if they don't.
func (p *Pace) Throttled(now time.Time) time.Time {
	if !p.earliest(p.Queue, now).After(now) {
		return time.Time{}
	}
	return p.Since
}

// Reset forgets the turns that were given out.
func (p *Pace) Reset() { p.Queue, p.Since = p.Sent, time.Time{} }

// TakeTurn asks for a turn under all of these limits. Due is when the turn comes that was given out before; zero for a
// message that has none yet. If the turn comes within patience, it is granted and counts as used at that moment. Otherwise
// the message has to ask again at that moment, and it is due then.
func TakeTurn(limits []*Pace, now, due time.Time, patience time.Duration) (at time.Time, granted bool) {
	last := now.Add(patience)
	at = later(now, due)
	if due.IsZero() {
		at = enqueue(limits, now)
	}
	if at.After(last) {
		return at, false
	}
	for _, p := range limits {
		at = p.earliest(p.Sent, at)
	}
	if !at.After(last) {
		for _, p := range limits {
			p.Sent = later(p.Sent, at).Add(p.interval())
		}
		return at, true
	}
	if due.IsZero() {
		return at, false
	}
	// It has missed its turn, others use this moment: it goes to the end of the queue.
	return later(at, enqueue(limits, now)), false
}

// enqueue gives out the next turn under all limits. It counts from now on under each, however long another one takes: a slow
// endpoint does not hold up the others of its application.
func enqueue(limits []*Pace, now time.Time) time.Time {
	at := now
	for _, p := range limits {
		at = p.earliest(p.Queue, at)
	}
	for _, p := range limits {
		switch own := p.earliest(p.Queue, now); {
		case !own.After(now):
			p.Since = time.Time{}
		case p.Since.IsZero():
			p.Since = now
		}
		p.Queue = later(p.Queue, now).Add(p.interval())
	}
	return at
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
