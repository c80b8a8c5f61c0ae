// Command breaker measures what a dead endpoint costs, with the circuit breaker and without, and how long it takes until
// everything is delivered once the endpoint answers again.
//
//	go run ./bench/breaker                  10,000 messages: some minutes each with and without
//	go run ./bench/breaker -messages 1000   quickly
//
// The whole of Posthorn runs in this process, and so does the receiver. Without the breaker a message is given up when its
// schedule is used up; with it, what was held is delivered.
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
	"text/tabwriter"
	"time"

	"github.com/posthorn/posthorn"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "breaker:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to do
	}
}

// options are the flags.
type options struct {
	messages int
	clients  int
	schedule posthorn.Schedule
	probe    time.Duration
}

func parseFlags(args []string) (options, error) {
	o := options{schedule: posthorn.Schedule{5 * time.Second, 10 * time.Second}}
	flags := flag.NewFlagSet("breaker", flag.ContinueOnError)
	flags.IntVar(&o.messages, "messages", 10_000, "how many messages are posted while the endpoint is dead")
	flags.IntVar(&o.clients, "clients", 8, "how many post at once")
	flags.Func("schedule", "`waits` between the attempts of a message; default 5s,10s",
		func(text string) error { return o.schedule.UnmarshalText([]byte(text)) })
	flags.DurationVar(&o.probe, "probe", 5*time.Second, "time between two probes")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.messages < 1 || o.clients < 1 || flags.NArg() > 0 {
		return o, errors.New("-messages and -clients must be at least 1, and nothing else be given")
	}
	return o, nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseFlags(args)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(out, "%d messages, %d attempts each at most, probes every %s\n\n", o.messages, o.schedule.Attempts(), o.probe)
	fmt.Fprintln(table, "breaker\trequests while dead\tdead for\tdelivered after return\tin\t")
	for _, failures := range []int{0, posthorn.DefaultBreakerFailures} {
		r, err := measure(ctx, o, failures)
		if err != nil {
			return err
		}
		name := "off"
		if failures > 0 {
			name = fmt.Sprintf("after %d failures", failures)
		}
		fmt.Fprintf(table, "%s\t%d\t%.0f s\t%d\t%.0f s\t\n",
			name, r.refused, r.dead.Seconds(), r.delivered, r.released.Seconds())
	}
	return table.Flush()
}
