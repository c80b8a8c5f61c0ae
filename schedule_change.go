package posthorn

import "time"

// Waiting is where a delivery stands that has failed and waits for its next attempt.
type Waiting struct {
	Made    int           // scheduled attempts that were made
	Ended   time.Time     // when the last of them ended
	AtLeast time.Duration // how long the receiver is left in peace from then on, whatever the schedule says
	Due     time.Time     // when the next attempt is due by the schedule so far
}

// Retime says when the next attempt of a waiting delivery is due once the schedule has become s, and false if s has no
// attempt left for it. A moment in the past means at once. Where s could have led to the moment that the delivery waits
// for, it stays: deliveries that the change does not concern don't move, and to retime twice is to retime once. What
// the receiver asked for holds under any schedule.
func (s Schedule) Retime(w Waiting) (due time.Time, again bool) {
	if w.Made < 1 {
		return w.Due, true // the first attempt is no matter of the schedule
	}
	if w.Made > len(s) {
		return time.Time{}, false
	}
	wait, atLeast := s[w.Made-1], min(w.AtLeast, MaxRetryAfter)
	earliest := w.Ended.Add(max(spread(wait, -1), atLeast))
	latest := w.Ended.Add(max(spread(wait, 1), atLeast))
	if !w.Due.Before(earliest.Add(-rounding)) && !w.Due.After(latest.Add(rounding)) {
		return w.Due, true
	}
	next, _ := s.Next(w.Made, w.AtLeast)
	return w.Ended.Add(next), true
}

// rounding is what moments may have lost on their way through a database.
const rounding = time.Millisecond
