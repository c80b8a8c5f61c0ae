// Command fanout measures how long it takes until a message has reached all its endpoints, and until that is recorded, by the
// number of endpoints.
//
//	go run ./bench/fanout                         10, 100, 1,000 and 10,000 endpoints
//	go run ./bench/fanout -deliveries 100 -rounds 1   quickly, to see that all works
//
// It runs the whole of Posthorn in this process and a receiver in another, on 127.0.0.1. The smaller the fan-out, the more
// messages are sent at once, so that every case has about as many requests in flight.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// options are the flags.
type options struct {
	endpoints  []int
	deliveries int
	rounds     int
	down       bool
	profile    string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := errors.New("a receiver takes no arguments")
	switch {
	case os.Getenv(receiverVariable) == "":
		var o options
		if o, err = parseFlags(os.Args[1:]); err == nil {
			err = run(ctx, o, os.Stdout)
		}
	case len(os.Args) == 1:
		err = receive(os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fanout:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to do
	}
}

func parseFlags(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("fanout", flag.ContinueOnError)
	endpoints := flags.String("endpoints", "10,100,1000,10000", "numbers of endpoints")
	flags.IntVar(&o.deliveries, "deliveries", 20_000, "how many deliveries each number is measured with, at least one message")
	flags.IntVar(&o.rounds, "rounds", 3, "how often everything is measured, alternating")
	flags.BoolVar(&o.down, "down", false, "have the receiver answer 500 to every endpoint's first request of a message")
	flags.StringVar(&o.profile, "profile", "", "`file` for a processor profile of the last number")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	for n := range strings.SplitSeq(*endpoints, ",") {
		number, err := strconv.Atoi(n)
		if err != nil || number < 1 {
			return o, fmt.Errorf("-endpoints has %q, which is no positive number", n)
		}
		o.endpoints = append(o.endpoints, number)
	}
	if o.deliveries < 1 || o.rounds < 1 || flags.NArg() > 0 {
		return o, errors.New("-deliveries and -rounds must be at least 1, and nothing else be given")
	}
	return o, nil
}

func run(ctx context.Context, o options, out io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "posthorn-fanout-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b, err := start(ctx, o, dir)
	if b != nil {
		defer func() { err = errors.Join(err, b.close()) }()
	}
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprint(t, "| endpoints\t| messages\t| deliveries/s\t| received after s\t| recorded after s\t| CPU µs/delivery\t| events\t| history KiB\t| peak MiB\t| load\t|\n"+
		"|--:\t|--:\t|--:\t|--:\t|--:\t|--:\t|--:\t|--:\t|--:\t|--:\t|\n")
	for range o.rounds {
		for i := range b.cases {
			r, err := b.measure(ctx, &b.cases[i])
			if err != nil {
				return err
			}
			fmt.Fprintf(t, "| %d\t| %d\t| %.0f\t| %.2f\t| %.2f\t| %.0f\t| %d\t| %d\t| %d\t| %s\t|\n",
				len(b.cases[i].endpoints), r.messages, float64(r.deliveries)/r.took.Seconds(), r.received.Seconds(), r.recorded.Seconds(),
				float64(r.cpu.Microseconds())/float64(r.deliveries), r.events, r.history>>10, r.peak>>20, load())
		}
	}
	return t.Flush()
}

// load is how many processes wanted a processor within the last minute.
func load() string {
	average, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	first, _, _ := strings.Cut(string(average), " ")
	return first
}

// seconds is for averages of few.
func seconds(total time.Duration, n int) time.Duration { return total / time.Duration(n) }
