package clustertest_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/clustertest"
)

// idleFor is how long the installation is watched doing nothing. What that costs is no cost of events.
const idleFor = 10 * time.Second

// clients is how many post at the same time, each the next event as soon as the last one is accepted.
const clients = 32

// BenchmarkReplicas measures an installation with 1, 2 and 4 replicas, from the request to the record of the delivery: events
// per second, and what an event costs each program. The machine is shared by all of them, by the clients and by the receiver.
// The last one is for deliveries whose first attempt fails and whose second is a success.
//
//	go test ./internal/clustertest -run '^$' -bench Replicas -benchtime 10000x -timeout 30m
func BenchmarkReplicas(b *testing.B) {
	for _, one := range []struct{ replicas, failures int }{{1, 0}, {2, 0}, {4, 0}, {2, 1}} {
		b.Run(fmt.Sprintf("%d replicas, %d failures each", one.replicas, one.failures), func(b *testing.B) {
			c := clustertest.Start(b, clustertest.Options{Replicas: one.replicas, Settings: []string{
				"POSTHORN_RETRY_SCHEDULE=1s", "POSTHORN_BREAKER_FAILURES=0",
			}})
			c.CreateApplication()
			receiver := clustertest.NewStubborn(b, c.API, "receiver", 1, one.failures)
			warm, _ := flood(b, c, 500) // caches and connections
			require.Eventually(b, func() bool { return receiver.Missing(warm) == 0 }, recovery, 10*time.Millisecond)
			wait(idleFor) // for what follows a delivery at Temporal
			idle := c.Usage()
			wait(idleFor)
			idle = c.Usage().Since(idle)
			before := c.Usage()
			began := time.Now()
			b.ResetTimer()
			accepted, refused := flood(b, c, b.N)
			acceptedIn := time.Since(began)
			require.Eventually(b, func() bool { return receiver.Missing(accepted) == 0 }, recovery, 10*time.Millisecond)
			deliveredIn := time.Since(began)
			b.StopTimer()
			used := c.Usage().Since(before).Without(idle, deliveredIn.Seconds()/idleFor.Seconds())
			each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(b.N) }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(float64(refused), "refused")
			b.ReportMetric(float64(b.N)/acceptedIn.Seconds(), "accepted/s")
			b.ReportMetric(float64(b.N)/deliveredIn.Seconds(), "delivered/s")
			cpu := used.Processor
			b.ReportMetric(each(cpu.Posthorn), "posthorn-µs/event")
			b.ReportMetric(each(cpu.Frontend), "frontend-µs/event")
			b.ReportMetric(each(cpu.History), "history-µs/event")
			b.ReportMetric(each(cpu.Matching), "matching-µs/event")
			b.ReportMetric(each(cpu.Worker), "worker-µs/event")
			b.ReportMetric(each(cpu.Postgres), "postgres-µs/event")
			b.ReportMetric(float64(used.Commits)/float64(b.N), "commits/event")
			b.ReportMetric(float64(used.PosthornCommits)/float64(b.N), "posthorn-commits/event")
			b.ReportMetric(float64(used.WAL)/float64(b.N), "WAL-bytes/event")
			b.ReportMetric(float64(used.Size)/float64(b.N), "stored-bytes/event")
			b.ReportMetric(float64(used.Connections), "connections")
			b.ReportMetric(float64(used.PosthornBackends), "posthorn-connections")
		})
	}
}

// flood posts n events and returns them by id, and how often one was refused and posted again.
func flood(b *testing.B, c *clustertest.Cluster, n int) (accepted map[string]int, refused int) {
	b.Helper()
	var next atomic.Int64
	var mu sync.Mutex
	accepted = make(map[string]int, n)
	post := func(number int) (again bool) {
		body := fmt.Sprintf(`{"eventType":"order.created","payload":{"number":%d,"padding":%q}}`, number, padding)
		answer, err := c.Call(b.Context(), http.MethodPost, "/app/acme/msg", body)
		if !assert.NoError(b, err) {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		if answer.Status == http.StatusServiceUnavailable {
			refused++
			return true
		}
		if assert.Equal(b, http.StatusAccepted, answer.Status, "%s", answer.Body) {
			accepted[id(b, answer.Body)] = number
		}
		return false
	}
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for number := int(next.Add(1)); number <= n; number = int(next.Add(1)) {
				for post(number) {
					wait(time.Second)
				}
			}
		})
	}
	all.Wait()
	require.Len(b, accepted, n)
	return accepted, refused
}

// padding makes an event about half a kilobyte.
var padding = strings.Repeat("x", 450)
