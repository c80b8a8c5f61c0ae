package main_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
)

const (
	// unrecorded is how long before a crash a receiver may have answered without the answer being on record: the fast
	// lane gathers for 200 ms, and the rest is for the commit on a loaded machine.
	unrecorded = 2 * time.Second
	// leftovers is how long after the start of the next process receivers may still read what the dead one had sent.
	leftovers = 300 * time.Millisecond
	// recovery is how long everything may take to be delivered after the last crash: what a dead process had left under way
	// is looked for in rounds of a minute, once a minute and the time of an attempt have gone by.
	recovery = 4 * time.Minute
)

// crash is the time from just before a process was killed until its successor can have sent anything.
type crash struct{ killed, over time.Time }

// overtook reports whether the process died before it can be relied upon to have recorded what ended at a moment.
func (c crash) overtook(ended time.Time) bool {
	return ended.After(c.killed.Add(-unrecorded)) && ended.Before(c.over)
}

// TestCrashes kills the program again and again while events come in and receivers fail, and counts: what was accepted
// is delivered, and what was delivered is not sent again, but for what was on its way when a process died.
func TestCrashes(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	rounds := 5
	if text := os.Getenv("POSTHORN_CRASH_ROUNDS"); text != "" {
		var err error
		rounds, err = strconv.Atoi(text)
		require.NoError(t, err)
	}

	// The stubborn customer fails each message twice: to anybody with a breaker that is a dead endpoint.
	s := newServer(t, "--attempt-timeout", "10s", "--breaker-failures", "0",
		"--retry-schedule", "300ms,600ms,1s,1s,2s,2s,3s,3s,5s,5s,5s,5s,5s,5s")
	s.createApp(t)
	customers := []*customer{
		newCustomer(t, s, "steady", steady),
		newCustomer(t, s, "stubborn", stubborn),
		newCustomer(t, s, "sluggish", sluggish),
		newCustomer(t, s, "flaky", flaky),
	}
	posters := newPosters(t, s, 3)

	var crashes []crash
	kill := func(after time.Duration) {
		<-time.After(after)
		c := crash{killed: time.Now()}
		s.Kill()
		s.restart()
		c.over = s.Began.Add(leftovers)
		crashes = append(crashes, c)
	}
	between := func(shortest, longest time.Duration) time.Duration {
		return shortest + time.Duration(random.Int64N(int64(longest-shortest)))
	}
	afterBurst := func() {
		posters.burst(100)
		kill(between(0, 50*time.Millisecond))
	}
	for round := range rounds {
		switch round % 3 {
		case 0:
			kill(between(300*time.Millisecond, 2*time.Second))
		case 1:
			kill(between(300*time.Millisecond, 2*time.Second))
			kill(between(0, 700*time.Millisecond)) // while it starts, and picks up what the last one left
		case 2:
			afterBurst()
		}
		s.waitReady()
	}
	afterBurst()
	s.waitReady()
	restarted := time.Now()
	accepted := posters.stop()
	require.NotEmpty(t, accepted)

	// Nothing is lost: neither what was accepted, nor what was stored for a request that got no answer.
	require.Eventually(t, func() bool {
		for _, c := range customers {
			if c.missing(accepted) > 0 {
				return false
			}
		}
		return true
	}, recovery, 100*time.Millisecond, "waiting for %d accepted messages: %s", len(accepted), lazily(func() string { return shortfall(customers, accepted) }))
	var last time.Time
	for _, c := range customers {
		if at := c.lastSuccess(accepted); at.After(last) {
			last = at
		}
	}
	t.Logf("the last delivery came %s after the last start was over", last.Sub(restarted).Round(time.Millisecond))

	stored := s.messages(t)
	require.Subset(t, stored, keys(accepted))
	open := stored
	require.Eventually(t, func() bool {
		for len(open) > 0 && delivered(s.deliveries(t, open[0]), len(customers)) {
			open = open[1:]
		}
		return len(open) == 0
	}, recovery, 100*time.Millisecond, "waiting for all that is stored to be on record as delivered: %s",
		lazily(func() string { return fmt.Sprintf("%s %+v", open[0], s.deliveries(t, open[0])) }))

	recorded := make(map[string]map[string][]attempt, len(stored)) // by message and endpoint
	for _, message := range stored {
		recorded[message] = make(map[string][]attempt)
		for _, a := range s.attempts(t, message) {
			recorded[message][a.EndpointID] = append(recorded[message][a.EndpointID], a)
		}
	}
	requests, duplicates := 0, 0
	for _, c := range customers {
		requests += c.check(t, stored, accepted, recorded, crashes)
		duplicates += c.duplicates(t, crashes)
	}
	requireOneWorkflowEach(t, s, stored)

	t.Logf("%d kills, %d accepted, %d stored, %d deliveries, %d requests, %d duplicates",
		len(crashes), len(accepted), len(stored), len(stored)*len(customers), requests, duplicates)
	require.Zero(t, s.Stop(t), "%s", s.Stderr)
}

func delivered(deliveries []delivery, endpoints int) bool {
	for _, d := range deliveries {
		if d.State != "delivered" {
			return false
		}
	}
	return len(deliveries) == endpoints
}

// requireOneWorkflowEach asks Temporal: each message had one DeliverMessage workflow with one run, which is completed.
func requireOneWorkflowEach(t *testing.T, s *server, stored []string) {
	t.Helper()
	engine := s.engine()
	var runs map[string]int
	require.Eventually(t, func() bool { // the index follows the workflows
		runs = make(map[string]int)
		open := 0
		for token, first := []byte(nil), true; first || len(token) > 0; first = false {
			page, err := engine.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
				Namespace: namespace, PageSize: 500, NextPageToken: token, Query: "WorkflowType = 'DeliverMessage'",
			})
			if err != nil {
				return false // a loaded machine may be too slow for it
			}
			for _, run := range page.Executions {
				runs[run.Execution.WorkflowId]++
				if run.Status != enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
					open++
				}
			}
			token = page.NextPageToken
		}
		return open == 0 && len(runs) >= len(stored)
	}, patience, 500*time.Millisecond, "waiting for the workflows to be completed")
	for _, message := range stored {
		require.Equal(t, 1, runs[message], "runs of %s", message)
	}
	require.Len(t, runs, len(stored), "no workflow without a message")
}

// The customers' servers.

// steady takes everything at once.
func steady(*rand.Rand, int) reaction { return reaction{status: http.StatusOK} }

// stubborn fails the first two requests of each message.
func stubborn(_ *rand.Rand, n int) reaction {
	if n <= 2 {
		return reaction{status: http.StatusInternalServerError}
	}
	return reaction{status: http.StatusNoContent}
}

// sluggish now and then takes its time.
func sluggish(random *rand.Rand, _ int) reaction {
	if random.IntN(15) > 0 {
		return reaction{status: http.StatusOK}
	}
	return reaction{status: http.StatusOK, after: 1500*time.Millisecond + time.Duration(random.Int64N(int64(2500*time.Millisecond)))}
}

// flaky now and then hangs up.
func flaky(random *rand.Rand, _ int) reaction {
	if random.IntN(8) == 0 {
		return reaction{}
	}
	return reaction{status: http.StatusAccepted}
}
