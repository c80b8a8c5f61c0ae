package clustertest_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/posthorn/posthorn/internal/clustertest"
	"github.com/posthorn/posthorn/internal/disktest"
)

// atLength is whether faults last long, and are over only when nothing is left of them. Their figures mean something then.
//
//	POSTHORN_FAULTS=long go test ./internal/clustertest -run TestFaults -count=1 -v -timeout 60m
var atLength = os.Getenv("POSTHORN_FAULTS") == "long"

var (
	outage = choose(5*time.Second, 30*time.Second)           // of what is stopped
	rest   = choose(1*time.Second, 10*time.Second)           // after each fault, once all is well again
	only   = regexp.MustCompile(os.Getenv("POSTHORN_FAULT")) // matches the names of those that are inflicted
)

func choose[T any](short, long T) T {
	if atLength {
		return long
	}
	return short
}

const (
	// perSecond is how many events are posted.
	perSecond = 10
	// deadTime is how long a program that was killed stays away.
	deadTime = time.Second
	// jump is how far clocks jump.
	jump = 20 * time.Second
	// recovery is how long everything may take to be delivered after a fault, on a machine that has other things to do.
	recovery = 10 * time.Minute
	tick     = 100 * time.Millisecond
)

// TestFaults breaks everything that can be broken, one after the other, while events are posted. Whatever was answered with
// 202 is delivered to every receiver, once or, around a fault, twice; what can't be accepted is refused with 503 and
// Retry-After; and all of it without anybody's doing.
func TestFaults(t *testing.T) {
	disk := disktest.New(t, 1<<30)
	c := clustertest.Start(t, clustertest.Options{Replicas: 2, Disk: disk, Settings: []string{
		"POSTHORN_RETRY_SCHEDULE=1s,1s,2s,2s,3s,5s,5s,5s,5s,10s,10s,10s,10s,10s,10s,10s",
		"POSTHORN_ATTEMPT_TIMEOUT=3s", "POSTHORN_BREAKER_PROBE_INTERVAL=2s", "POSTHORN_DISABLE_ENDPOINTS_AFTER=0s",
	}})
	c.CreateApplication()
	receivers := []*clustertest.Receiver{clustertest.NewReceiver(t, c.API, "steady"), clustertest.NewStubborn(t, c.API, "stubborn", 3, 2)}
	load := clustertest.StartLoad(c.API, perSecond)
	flows := func() {
		t.Helper()
		before := len(load.Accepted())
		require.Eventually(t, func() bool {
			c.Revive()
			return len(load.Accepted()) > before+perSecond
		}, recovery, tick, "waiting for events to be accepted again")
		c.AwaitReady()
		wait(rest)
	}
	flows()

	var faults []clustertest.Fault
	inflict := func(name string, do, undo func()) {
		t.Helper()
		if !only.MatchString(name) {
			return
		}
		fault := clustertest.Inflict(name, do, undo)
		flows()
		fault.Over = time.Now()
		faults = append(faults, fault)
		t.Logf("%s: events are accepted again", name)
		if atLength { // one fault begins when nothing is left of the one before
			for _, r := range receivers {
				before := load.Accepted()
				require.Eventually(t, func() bool { return r.Missing(before) == 0 }, recovery, tick,
					"waiting for what was accepted around %q: %s", name, c.Shortfall(r, before))
			}
		}
	}
	for _, p := range c.Programs() {
		inflict("kill -9 "+p.Name, p.Kill, func() { wait(deadTime); p.Start() })
	}
	inflict("kill -9 PostgreSQL", c.Postgres.Kill, func() { wait(deadTime); c.Postgres.Start() })
	inflict("PostgreSQL stopped", c.Postgres.Stop, func() { wait(outage); c.Postgres.Start() })
	inflict("Temporal stopped", func() {
		var all sync.WaitGroup
		for _, p := range c.Temporal.Services() {
			all.Go(p.Kill)
		}
		all.Wait()
	}, func() {
		wait(outage)
		for _, p := range c.Temporal.Services() {
			p.Start()
		}
	})
	ballast := filepath.Join(disk, "ballast")
	inflict("disk of PostgreSQL full", func() { disktest.Fill(t, ballast) }, func() {
		wait(outage)
		require.NoError(t, os.Remove(ballast))
		c.Revive()
	})
	inflict("clocks jump", func() {
		c.Replicas[0].SetClock(jump)
		c.Replicas[1].SetClock(-jump)
		c.Temporal.History.SetClock(jump)
	}, func() {
		wait(outage)
		for _, p := range []*clustertest.Program{c.Replicas[0], c.Replicas[1], c.Temporal.History} {
			p.SetClock(0)
		}
	})
	inflict("receiver cut off", receivers[0].Cut, func() { wait(outage); receivers[0].Heal() })
	inflict("rolling restart", func() {
		for _, p := range c.Replicas {
			require.Zero(t, p.Stop(), "%s", p.Name)
			p.Start()
			c.AwaitReady()
		}
	}, func() {})

	books := load.Stop()
	settled := time.Now()
	for _, r := range receivers {
		require.Eventually(t, func() bool { return r.Missing(books.Accepted) == 0 }, recovery, tick,
			"waiting for %d accepted messages at %s: %s", len(books.Accepted), r.Name, c.Shortfall(r, books.Accepted))
	}
	t.Logf("all was delivered %s after the last event", time.Since(settled).Round(time.Millisecond))
	messages := slices.Collect(maps.Keys(books.Accepted))
	requireDelivered(t, c, messages, len(receivers))
	requireOneWorkflowEach(t, c, messages)

	duplicates := make(map[string]int)
	requests := 0
	for _, r := range receivers {
		requests += r.Check(t, books.Accepted)
		for name, n := range r.Duplicates(t, faults) {
			duplicates[name] += n
		}
	}
	var table strings.Builder
	for _, f := range faults {
		var longest time.Duration
		for _, r := range receivers {
			longest = max(longest, r.Recovery(f, books))
		}
		fmt.Fprintln(&table, books.Report(f, longest, duplicates[f.Name]))
	}
	t.Logf("%d accepted, %d refused, %d without an answer, %d requests to receivers; the slowest answer took %s\n%s%s",
		len(books.Accepted), len(books.Refused), len(books.Unanswered), requests, books.Slowest.Round(time.Millisecond), clustertest.ReportHeader, &table)
	for _, p := range c.Replicas {
		require.Zero(t, p.Stop(), p.Name)
	}
}

// requireDelivered asks Posthorn about each message.
func requireDelivered(t *testing.T, c *clustertest.Cluster, messages []string, endpoints int) {
	t.Helper()
	for page := range slices.Chunk(messages, 100) {
		var all sync.WaitGroup
		for _, id := range page {
			all.Go(func() { c.AssertDelivered(id, endpoints, recovery) })
		}
		all.Wait()
	}
}

// requireOneWorkflowEach asks Temporal's list: each message had one workflow with one run, and that is completed.
func requireOneWorkflowEach(t *testing.T, c *clustertest.Cluster, messages []string) {
	t.Helper()
	engine := c.Temporal.Client(clustertest.Namespace)
	var runs map[string]int
	require.Eventually(t, func() bool { // the list follows the workflows
		runs = make(map[string]int)
		for token, first := []byte(nil), true; first || len(token) > 0; first = false {
			page, err := engine.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{
				PageSize: 1000, NextPageToken: token, Query: "WorkflowType = 'DeliverMessage'",
			})
			require.NoError(t, err)
			for _, run := range page.Executions {
				if run.Status != enums.WORKFLOW_EXECUTION_STATUS_COMPLETED {
					return false
				}
				runs[run.Execution.WorkflowId]++
			}
			token = page.NextPageToken
		}
		return len(runs) >= len(messages)
	}, recovery, time.Second, "waiting for the workflows to be completed")
	for _, id := range messages {
		require.Equal(t, 1, runs[id], "runs of %s", id)
	}
}

// wait is for time to pass: the length of a fault.
func wait(d time.Duration) { <-time.After(d) }
