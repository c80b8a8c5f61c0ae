package main

import (
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/usage"
)

// TestMain lets the test's own program be the system under test, as the benchmark's is.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == childCommand {
		if err := runChild(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestEverySystemDeliversEachEventOnceToEachEndpoint(t *testing.T) {
	t.Parallel()
	for _, s := range measured() {
		t.Run(string(s), func(t *testing.T) {
			t.Parallel()
			const endpoints, events = 3, 5
			d, err := newDriver(t.Context(), s, endpoints, 200)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, d.close()) })
			for range events {
				e := d.post(t.Context(), time.Now())
				require.True(t, e.wasAccepted())
				d.await(t.Context(), e)
			}
			require.NoError(t, settle(t.Context(), d))
			require.NoError(t, verify(t.Context(), d))
			require.EqualValues(t, events, d.receivers.ledger.completed.Load())
			require.EqualValues(t, events*endpoints, d.receivers.seen.Load())
			u, err := usage.Of(d.process.PID())
			require.NoError(t, err)
			require.Positive(t, u.CPU)
			require.Greater(t, u.Peak, int64(10<<20))
		})
	}
}

func TestReceiverRefusesWhatWasNeverSent(t *testing.T) {
	t.Parallel()
	r, err := newReceivers(1)
	require.NoError(t, err)
	t.Cleanup(r.close)
	res, err := http.Post(r.targets[0].URL, "application/json", http.NoBody)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusBadRequest, res.StatusCode)
	require.NotNil(t, r.problem.Load())
}

func TestLedgerCountsASecondReceiptApart(t *testing.T) {
	t.Parallel()
	l := &ledger{endpoints: 2}
	begin := time.Now()
	sequence, e := l.add(begin)
	require.True(t, l.receive(sequence, 0, begin.Add(time.Second)))
	require.True(t, l.receive(sequence, 0, begin.Add(time.Minute)))
	require.Zero(t, l.completed.Load())
	require.True(t, l.receive(sequence, 1, begin.Add(2*time.Second)))
	require.Equal(t, []time.Duration{time.Second, 2 * time.Second}, e.received)
	require.EqualValues(t, 2, l.deliveries.Load())
	require.EqualValues(t, 1, l.completed.Load())
	require.EqualValues(t, 1, l.duplicates.Load())
	require.False(t, l.receive(sequence+1, 0, begin))
}

func TestPayloadCarriesItsSequenceNumberInTheSizeAskedFor(t *testing.T) {
	t.Parallel()
	for _, size := range []int{minPayload, 512, 20_000} {
		p := payload(1234567, size)
		require.Len(t, p, size)
		sequence, err := sequenceOf(p)
		require.NoError(t, err)
		require.Equal(t, 1234567, sequence)
	}
}

func TestPercentilesAreValuesThatOccurred(t *testing.T) {
	t.Parallel()
	var waits []time.Duration
	for i := range 200 {
		waits = append(waits, time.Duration(200-i)*time.Millisecond)
	}
	p50, p99 := percentiles(waits)
	require.InDelta(t, 100, p50, 0)
	require.InDelta(t, 198, p99, 0)
}

func TestSummaryTakesMediansAndHidesNoLateDelivery(t *testing.T) {
	t.Parallel()
	summary := summarise([]measurement{
		{System: naive, Endpoints: 1, EventsPerSecond: 10},
		{System: posthorn, Endpoints: 1, EventsPerSecond: 300, Late: 1},
		{System: posthorn, Endpoints: 1, Load: 50, EventsPerSecond: 50},
		{System: posthorn, Endpoints: 1, EventsPerSecond: 100},
		{System: posthorn, Endpoints: 1, EventsPerSecond: 200},
	})
	require.Len(t, summary, 3)
	require.InDelta(t, 200, find(summary, posthorn, 1, closedLoop).EventsPerSecond, 0)
	require.Equal(t, 1, find(summary, posthorn, 1, closedLoop).Late)
	require.InDelta(t, 10, find(summary, naive, 1, closedLoop).EventsPerSecond, 0)
	require.InDelta(t, 50, find(summary, posthorn, 1, 50).EventsPerSecond, 0)
	require.Nil(t, find(summary, posthorn, 10, closedLoop))
}

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-rounds", "0"}, {"-duration", "1ms"}, {"-payload", "10"}, {"more"}} {
		_, err := parseFlags(args)
		require.Error(t, err, "%v", args)
	}
	_, err := selectCases(options{only: "7"})
	require.Error(t, err)
	cases, err := selectCases(options{only: "posthorn,10,closed, 50/s"})
	require.NoError(t, err)
	require.Equal(t, []setting{{posthorn, 10, 16, []load{closedLoop, 50}}}, cases)
}
