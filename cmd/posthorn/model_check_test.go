package main_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// late is how much later than planned a busy machine may make a request.
const late = time.Second

// course is how one delivery went.
type course struct {
	delivery
	event    *event
	target   *target
	attempts []attempt // in the order of their numbers
	visits   []*visit  // requests as they came
}

func (c *course) String() string {
	return fmt.Sprintf("event %d, %s to %s: %s %q", c.event.number, c.event.id, c.target.name, c.State, c.Reason)
}

// scheduled are the attempts that use up the schedule.
func (c *course) scheduled() []attempt {
	return slices.DeleteFunc(slices.Clone(c.attempts), func(a attempt) bool { return a.Trigger != "auto" })
}

// unbidden are the attempts that nobody made by hand.
func (c *course) unbidden() []attempt {
	return slices.DeleteFunc(slices.Clone(c.attempts), func(a attempt) bool { return a.Trigger == "manual" })
}

// byHand reports whether somebody sent the message to the endpoint, which goes before all rules.
func (c *course) byHand() bool { return c.target.resent[c.event.id] }

// cancelled reports whether somebody cancelled it, which does not stop a request that is under way.
func (c *course) cancelled() bool { return c.event.cancelled || c.target.cancelled[c.event.id] }

// check holds what came and what is on record to what is promised.
func (w *storm) check(t *testing.T) {
	t.Helper()
	var accepted []string
	for _, e := range w.events {
		accepted = append(accepted, e.id)
	}
	require.ElementsMatch(t, accepted, w.server.messages(t), "what is stored is what was accepted")

	all := w.courses(t)
	visits, duplicates := 0, 0
	for _, c := range all {
		c.checkEnd(t)
		c.checkAttempts(t)
		c.checkAlone(t)
		c.checkRecord(t, w.crashes)
		visits += len(c.visits)
		duplicates += c.duplicates()
	}
	for _, g := range w.targets {
		assert.Empty(t, g.problems, g.name)
		own := slices.DeleteFunc(slices.Clone(all), func(c *course) bool { return c.target != g })
		if g.ordered {
			checkOrder(t, own)
		}
		if g.inFlight > 0 {
			checkFlights(t, own)
		}
		if g.rate > 0 {
			checkPace(t, own)
		}
	}
	w.checkWorkflows(t, all)

	ends := make(map[string]int)
	for _, c := range all {
		ends[c.State]++
	}
	t.Logf("%d kills, %d messages, %d deliveries %v, %d requests, %d of them after a success", len(w.crashes), len(w.events), len(all), ends, visits, duplicates)
}

// courses reads how all deliveries went.
func (w *storm) courses(t *testing.T) (all []*course) {
	t.Helper()
	for _, e := range w.events {
		deliveries, attempts := w.server.deliveries(t, e.id), w.server.attempts(t, e.id)
		require.Less(t, len(attempts), 250, "all attempts of %s", e.id)
		for _, d := range deliveries {
			c := &course{delivery: d, event: e}
			i := slices.IndexFunc(w.targets, func(g *target) bool { return g.endpoint == d.ID })
			c.target = w.targets[i]
			assert.True(t, c.target.wants(e), "%s is not subscribed to", c)
			for _, a := range attempts {
				if a.EndpointID == d.ID {
					c.attempts = append(c.attempts, a)
				}
			}
			c.target.mu.Lock()
			c.visits = slices.Clone(c.target.visits[e.id])
			c.target.mu.Unlock()
			all = append(all, c)
		}
	}
	for _, g := range w.targets {
		for id := range g.visits {
			assert.True(t, slices.ContainsFunc(w.events, func(e *event) bool { return e.id == id }), "%s got %s, which nobody knows", g.name, id)
		}
	}
	return all
}

// checkEnd: a delivery ends delivered if an attempt succeeded, failed if the schedule is used up, and cancelled if somebody
// wanted that. Otherwise it says why.
func (c *course) checkEnd(t *testing.T) {
	t.Helper()
	succeeded := slices.ContainsFunc(c.attempts, func(a attempt) bool { return a.Status == 0 })
	assert.Equal(t, succeeded, c.State == "delivered", "%s, attempts %+v", c, c.attempts)
	assert.Empty(t, c.Waits, "%s", c)
	assert.Nil(t, c.NextAttempt, "%s", c)
	switch c.State {
	case "delivered":
		assert.True(t, slices.ContainsFunc(c.visits, (*visit).success), "%s, but was never taken", c)
	case "failed":
		if c.event.notAfter.IsZero() || c.Reason == "" {
			assert.GreaterOrEqual(t, len(c.scheduled()), 1+c.target.fewest, "%s before the schedule was used up", c)
		}
	case "cancelled":
		assert.NotEmpty(t, c.Reason, "%s", c)
		assert.True(t, c.cancelled() || c.event.posted.Before(c.target.dropped), "%s, but nobody wanted that", c)
	default:
		assert.Fail(t, "it has not ended", "%s", c)
	}
}

// checkAttempts: numbers have no gaps, neither the schedule nor the message's own time is exceeded, and nothing is sent again that is known to be taken.
func (c *course) checkAttempts(t *testing.T) {
	t.Helper()
	var numbers []int
	var taken *attempt
	for _, a := range c.attempts {
		numbers = append(numbers, a.AttemptNumber)
		if taken != nil && a.Trigger != "manual" {
			known := taken.Timestamp.Add(time.Duration(taken.ResponseDurationMs)*time.Millisecond + unrecorded)
			assert.True(t, a.Timestamp.Before(known), "%s was sent again by attempt %d although it had been taken %s before", c, a.AttemptNumber, a.Timestamp.Sub(taken.Timestamp))
		}
		if a.Status == 0 && taken == nil {
			taken = &a
		}
	}
	for _, a := range c.unbidden() {
		assert.False(t, a.Timestamp.Before(c.event.notBefore), "%s was sent at %s, before %s", c, clock(a.Timestamp), clock(c.event.notBefore))
		if !c.event.notAfter.IsZero() {
			assert.True(t, a.Timestamp.Before(c.event.notAfter.Add(late)), "%s was sent at %s, after %s", c, clock(a.Timestamp), clock(c.event.notAfter))
		}
	}
	assert.Equal(t, upTo(c.Attempts), numbers, "the attempts of %s", c)
	assert.LessOrEqual(t, len(c.scheduled()), 1+c.target.most, "scheduled attempts of %s", c)
}

// checkAlone: but for those by hand, the attempts of a delivery come one after the other.
func (c *course) checkAlone(t *testing.T) {
	t.Helper()
	attempts := c.unbidden()
	slices.SortFunc(attempts, func(a, b attempt) int { return a.Timestamp.Compare(b.Timestamp) })
	for i := 1; i < len(attempts); i++ {
		before, a := attempts[i-1], attempts[i]
		over := before.Timestamp.Add(time.Duration(before.ResponseDurationMs) * time.Millisecond)
		assert.False(t, a.Timestamp.Before(over), "%s: attempt %d at %s began before attempt %d at %s was over", c,
			a.AttemptNumber, clock(a.Timestamp), before.AttemptNumber, clock(before.Timestamp))
	}
}

// checkRecord: what was answered is on record with that answer, but for what a crash overtook, and nothing else is. It is
// only there that a message can have been taken without Posthorn knowing, and is sent again.
func (c *course) checkRecord(t *testing.T, crashes []crash) {
	t.Helper()
	came, excused, recorded := make(map[int]int), make(map[int]int), make(map[int]int)
	for _, v := range c.visits {
		assert.Equal(t, c.event.number, v.number, "the payload of %s", c)
		came[v.status]++
		if overtakenBy(v.ended, crashes) || c.target.dying(v) {
			excused[v.status]++
		}
	}
	for _, a := range c.attempts {
		recorded[a.ResponseStatusCode]++
	}
	for status := range recorded {
		if status > 0 { // a request may find nobody
			assert.LessOrEqual(t, recorded[status], came[status], "attempts of %s that were answered with %d", c, status)
		}
	}
	for status := range came {
		if status > 0 { // one without an answer may be repeated on another connection as part of the same attempt
			assert.GreaterOrEqual(t, recorded[status], came[status]-excused[status], "requests of %s that were answered with %d and are on record", c, status)
		}
	}
}

// duplicates counts the requests that came after the first success, without those by hand.
func (c *course) duplicates() int {
	if taken := slices.IndexFunc(c.visits, (*visit).success); taken >= 0 && !c.byHand() {
		return len(c.visits) - taken - 1
	}
	return 0
}

// checkOrder: of each ordering key, the messages came one after the other, in the order in which they were accepted.
func checkOrder(t *testing.T, all []*course) {
	t.Helper()
	last, busy := make(map[string]*course), make(map[string]*visit)
	first := func(c *course) *visit { return c.visits[slices.IndexFunc(c.visits, (*visit).success)] }
	for _, c := range all {
		if c.State != "delivered" || c.byHand() || c.cancelled() {
			continue
		}
		key := c.event.key
		if before := last[key]; before != nil {
			assert.True(t, first(before).arrived.Before(first(c).arrived), "%s came at %s, before %s at %s", c,
				clock(first(c).arrived), before, clock(first(before).arrived))
		}
		last[key] = c
	}
	type request struct {
		*visit
		of *course
	}
	var came []request
	for _, c := range all {
		for _, v := range c.visits {
			if !v.gone && !c.byHand() && !c.cancelled() {
				came = append(came, request{v, c})
			}
		}
	}
	slices.SortFunc(came, func(a, b request) int { return a.arrived.Compare(b.arrived) })
	for _, r := range came {
		key := r.of.event.key
		if before := busy[key]; before != nil {
			assert.False(t, r.arrived.Before(before.ended), "%s came while another with key %q was under way", r.of, key)
		}
		busy[key] = r.visit
	}
}

// checkFlights: no more requests are under way at the same time than the endpoint may have.
func checkFlights(t *testing.T, all []*course) {
	t.Helper()
	var came []*visit
	for _, c := range all {
		for _, v := range c.visits {
			if !v.gone && !c.byHand() {
				came = append(came, v)
			}
		}
	}
	for _, v := range came {
		under := 0
		for _, other := range came {
			if !other.arrived.After(v.arrived) && other.ended.After(v.arrived) {
				under++
			}
		}
		assert.LessOrEqual(t, under, all[0].target.inFlight, "requests to %s under way at %s", all[0].target.name, clock(v.arrived))
	}
}

// checkPace: in no stretch of time are there more requests than its length times the rate, and one second's worth.
func checkPace(t *testing.T, all []*course) {
	t.Helper()
	var made []time.Time
	for _, c := range all {
		for _, a := range c.unbidden() {
			made = append(made, a.Timestamp)
		}
	}
	slices.SortFunc(made, time.Time.Compare)
	rate := float64(all[0].target.rate)
	for i := range made {
		for j := i; j < len(made); j++ {
			stretch := made[j].Sub(made[i]) + late
			if n := j - i + 1; float64(n) > rate*(stretch.Seconds()+1) {
				assert.Fail(t, "too fast", "%d requests to %s in %s from %s", n, all[0].target.name, made[j].Sub(made[i]), clock(made[i]))
				return
			}
		}
	}
}

// checkWorkflows asks Temporal: every message had its workflow, all have ended, and those of a message have failed exactly
// if one of its deliveries has.
func (w *storm) checkWorkflows(t *testing.T, all []*course) {
	t.Helper()
	engine := w.server.engine()
	var runs map[string][]enums.WorkflowExecutionStatus // by message
	var open []string
	var problem error
	deadline := time.Now().Add(2 * patience)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for ; ; <-tick.C { // the index follows the workflows
		runs, open, problem = listRuns(t.Context(), engine)
		if problem == nil && len(open) == 0 && len(runs) >= len(w.events) {
			break
		}
		if time.Now().After(deadline) {
			require.Fail(t, "workflows have not ended or are not listed", "%s\nerror: %v\nlog of the server:\n%s",
				w.unended(engine, runs, open), problem, w.server.Stderr)
		}
	}
	require.Len(t, runs, len(w.events), "no workflow without a message")

	failed, excused := make(map[string]bool), make(map[string]bool)
	for _, c := range all {
		failed[c.event.id] = failed[c.event.id] || c.State == "failed"
		excused[c.event.id] = excused[c.event.id] || c.byHand() // it may have been delivered since
	}
	for _, e := range w.events {
		for _, status := range runs[e.id] {
			assert.Contains(t, []enums.WorkflowExecutionStatus{enums.WORKFLOW_EXECUTION_STATUS_COMPLETED, enums.WORKFLOW_EXECUTION_STATUS_FAILED}, status, e.id)
		}
		if any := slices.Contains(runs[e.id], enums.WORKFLOW_EXECUTION_STATUS_FAILED); !excused[e.id] || failed[e.id] {
			assert.Equal(t, failed[e.id], any, "whether a workflow of %s has failed: %v", e.id, runs[e.id])
		}
	}
}

// listRuns returns how the workflows of each message stand, and the IDs of those that have not ended.
func listRuns(ctx context.Context, engine client.Client) (runs map[string][]enums.WorkflowExecutionStatus, open []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience/4)
	defer cancel()
	runs = make(map[string][]enums.WorkflowExecutionStatus)
	for token, first := []byte(nil), true; first || len(token) > 0; first = false {
		page, err := engine.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: namespace, PageSize: 500, NextPageToken: token,
			Query: "WorkflowType IN ('DeliverMessage', 'DeliverToEndpoint', 'ResendMessage')",
		})
		if err != nil {
			return runs, open, err
		}
		for _, run := range page.Executions {
			if run.Status == enums.WORKFLOW_EXECUTION_STATUS_RUNNING {
				open = append(open, run.Execution.WorkflowId)
			}
			if message, _, _ := strings.Cut(run.Execution.WorkflowId, ":"); run.Type.Name != "ResendMessage" {
				runs[message] = append(runs[message], run.Status)
			}
		}
		token = page.NextPageToken
	}
	return runs, open, nil
}

// unended says what keeps checkWorkflows waiting: what has not ended, and which messages are not listed.
func (w *storm) unended(engine client.Client, runs map[string][]enums.WorkflowExecutionStatus, open []string) string {
	const most = 5 // of each kind are told about
	var what strings.Builder
	missing := slices.DeleteFunc(slices.Clone(w.events), func(e *event) bool { return runs[e.id] != nil })
	fmt.Fprintf(&what, "%d messages, %d listed, %d not; %d workflows are open", len(w.events), len(runs), len(missing), len(open))
	for _, id := range open[:min(most, len(open))] {
		message, _, _ := strings.Cut(id, ":")
		fmt.Fprintf(&what, "\nopen: %s, with %+v", id, w.server.deliveries(w.t, message))
		if run, err := engine.DescribeWorkflowExecution(context.Background(), id, ""); err == nil {
			fmt.Fprintf(&what, " %s task %v", run.WorkflowExecutionInfo.Type.Name, run.PendingWorkflowTask)
			for _, a := range run.PendingActivities {
				fmt.Fprintf(&what, "\n    %v", a)
			}
		}
	}
	for _, e := range missing[:min(most, len(missing))] {
		run, err := engine.DescribeWorkflowExecution(context.Background(), e.id, "")
		fmt.Fprintf(&what, "\nnot listed: %s of %s, which Temporal describes as %v (%v), with %+v", e.id, clock(e.posted),
			run.GetWorkflowExecutionInfo(), err, w.server.deliveries(w.t, e.id))
	}
	return what.String()
}
