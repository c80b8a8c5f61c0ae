// Command bench measures Posthorn beside the naive design on the same machine: how many events and deliveries each
// gets through, how long a receiver waits, and what that costs in processor time and memory.
//
//	go run ./bench                 all cases, interleaved, medians over three rounds: about 20 minutes
//	go run ./bench -quick          one short round: about 2 minutes
//	go run ./bench -memory         100,000 messages, and what they leave in memory
//
// Each system under test is a process of its own with a fresh data folder, so processor time and memory are its
// alone. This process posts the events and is the receiver; it shares the machine with what it measures.
//
// The naive design is what a team writes in an afternoon: a handler starts a workflow, and the workflow runs one plain
// activity per endpoint, all with the defaults of Temporal's SDK. It runs on the server as the `temporal` command's
// development server configures it (naive), on the same with a write-ahead log (naive-wal), and on Posthorn's embedded
// server (naive-tuned), so that the table tells apart what the design gains and what the settings gain.
//
// It needs Linux: processor time and memory are read from /proc.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// childCommand is the hidden first argument of a process that is a system under test.
const childCommand = "system-under-test"

func main() {
	if len(os.Args) == 2 && os.Args[1] == childCommand {
		if err := runChild(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench: system under test:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to do
	}
}

// options are the flags.
type options struct {
	rounds   int
	duration time.Duration
	payload  int
	quick    bool
	memory   int
	others   float64
	only     string
	json     string
	pprof    string
}

func parseFlags(args []string) (options, error) {
	var o options
	var memory bool
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 3, "how often each case is measured; figures are medians")
	flags.DurationVar(&o.duration, "duration", 15*time.Second, "length of one measurement, after a warm-up of 3s")
	flags.IntVar(&o.payload, "payload", 512, "size of an event's payload in bytes, at least 64")
	flags.StringVar(&o.only, "only", "", `measure only what is named: systems, numbers of endpoints, loads; such as "posthorn,1,closed,50/s"`)
	flags.Float64Var(&o.others, "others", 0, "wait while other processes keep more than so many `cores` busy, and repeat what they disturbed; 0 does neither")
	flags.StringVar(&o.json, "json", "", "also write every measurement to this `file`")
	flags.StringVar(&o.pprof, "pprof", "", "write profiles of Posthorn into this `folder`: of processor time, with -memory of what is in use at the end")
	flags.BoolVar(&o.quick, "quick", false, "one short round without 100 endpoints and without naive-tuned, to see that all works")
	flags.BoolVar(&memory, "memory", false, "only send 100,000 messages to one endpoint of Posthorn and print its memory")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.rounds < 1 || o.duration < time.Second || o.payload < minPayload {
		return o, fmt.Errorf("-rounds must be at least 1, -duration 1s, -payload %d", minPayload)
	}
	if memory {
		o.memory = 100_000
	}
	if o.quick {
		o.rounds, o.duration = 1, 6*time.Second
	}
	return o, nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseFlags(args)
	if err != nil {
		return err
	}
	if o.pprof != "" {
		if err := os.MkdirAll(o.pprof, 0o755); err != nil {
			return err
		}
	}
	if o.memory > 0 {
		return measureMemory(ctx, o, out)
	}
	cases, err := selectCases(o)
	if err != nil {
		return err
	}
	results, err := measureAll(ctx, o, cases)
	if err != nil {
		return err
	}
	if o.json != "" {
		if err := writeJSON(o.json, results); err != nil {
			return err
		}
	}
	return writeReport(out, summarise(results))
}
