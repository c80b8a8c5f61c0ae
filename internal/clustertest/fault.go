package clustertest

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

const (
	// unrecorded is how long before a fault a receiver may have taken a message without that being on record: the fast lane
	// gathers for 200 ms, and the rest is for the commit on a loaded machine.
	unrecorded = 2 * time.Second
	// leftovers is how long after a fault its consequences may still show: connections that were cut are noticed, requests
	// that were under way end.
	leftovers = 20 * time.Second
)

// Fault is something that was done to the cluster while it worked.
type Fault struct {
	Name         string
	Began, Ended time.Time
	Over         time.Time // from when on what is accepted is not counted to it any more
}

// Inflict does something and undoes it again.
func Inflict(name string, do, undo func()) Fault {
	f := Fault{Name: name, Began: time.Now()}
	do()
	undo()
	f.Ended = time.Now()
	return f
}

func (f Fault) explains(taken time.Time) bool {
	return taken.After(f.Began.Add(-unrecorded)) && taken.Before(f.Ended.Add(leftovers))
}

// Duplicates counts, by fault, the requests that came after the receiver had taken the message. Each must be owed to a fault:
// nothing is sent again that was taken while all was well.
func (r *Receiver) Duplicates(t testing.TB, faults []Fault) map[string]int {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	found := make(map[string]int)
	for id, visits := range r.visits {
		var taken time.Time
		for _, v := range visits {
			if !taken.IsZero() {
				i := slices.IndexFunc(faults, func(f Fault) bool { return f.explains(taken) })
				if assert.GreaterOrEqual(t, i, 0, "%s was sent to %s at %s although it had been taken at %s, when all was well",
					id, r.Name, clock(v.arrived), clock(taken)) {
					found[faults[i].Name]++
				}
			}
			if v.status/100 == 2 {
				taken = v.ended
			}
		}
	}
	return found
}

// Recovery is the longest that a message had to wait for being taken once the fault had ended: of those accepted before that
// moment from then on, of those accepted later, until the fault was over, from the 202 on.
func (r *Receiver) Recovery(f Fault, b Books) (longest time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, accepted := range b.AcceptedAt {
		if accepted.After(f.Over) {
			continue
		}
		from := f.Ended
		if accepted.After(from) {
			from = accepted
		}
		i := slices.IndexFunc(r.visits[id], func(v visit) bool { return v.status/100 == 2 })
		if i >= 0 {
			longest = max(longest, r.visits[id][i].ended.Sub(from))
		}
	}
	return longest
}

// Check compares what came with what was posted. It returns how many requests came.
func (r *Receiver) Check(t testing.TB, accepted map[string]int) (requests int) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	assert.Empty(t, r.problems, r.Name)
	for id, visits := range r.visits {
		requests += len(visits)
		for _, v := range visits {
			if number, ok := accepted[id]; ok {
				assert.Equal(t, number, v.number, "the payload of %s at %s", id, r.Name)
			}
		}
	}
	return requests
}

// ReportHeader is the head of the table of faults.
const ReportHeader = `| fault | lasted | longest time without a 202 | accepted | refused | no answer | recovery | duplicates |
|---|--:|--:|--:|--:|--:|--:|--:|
`

// Report is the row of a fault.
func (b Books) Report(f Fault, recovery time.Duration, duplicates int) string {
	return fmt.Sprintf("| %s | %s | %s | %d | %d | %d | %s | %d |", f.Name, f.Ended.Sub(f.Began).Round(100*time.Millisecond),
		b.Outage(f.Began, f.Ended).Round(10*time.Millisecond), between(slices.Collect(maps.Values(b.AcceptedAt)), f.Began, f.Over),
		between(b.Refused, f.Began, f.Over), between(b.Unanswered, f.Began, f.Over), recovery.Round(100*time.Millisecond), duplicates)
}

func clock(at time.Time) string { return at.Format("15:04:05.000") }
