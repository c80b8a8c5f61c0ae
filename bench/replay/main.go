// Command replay measures how many messages a second are sent to an endpoint again: by a background task that recovers
// the endpoint, and by resending each message, which is a workflow of its own.
//
//	go run ./bench/replay                  three rounds of 3,000 messages each way
//	go run ./bench/replay -messages 200    quickly, to see that all works
//
// Everything runs in this process, on real stores and behind real sockets: the server, its Temporal, and the receiver.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "replay:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to do
	}
}

// options are the flags.
type options struct {
	messages int
	rounds   int
}

// mostMessages is how many attempts the API counts.
const mostMessages = 10_000

func parseFlags(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("replay", flag.ContinueOnError)
	flags.IntVar(&o.messages, "messages", 3000, "how many messages are sent again each way in a round")
	flags.IntVar(&o.rounds, "rounds", 3, "how often")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.messages < 1 || o.messages > mostMessages || o.rounds < 1 || flags.NArg() > 0 {
		return o, fmt.Errorf("-messages must be between 1 and %d, -rounds at least 1, and nothing else be given", mostMessages)
	}
	return o, nil
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	o, err := parseFlags(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "posthorn-replay-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := startStage(ctx, dir, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	fmt.Fprint(out, "| round | a workflow each, messages/s | a task, messages/s | ratio |\n|--:|--:|--:|--:|\n")
	var ratios []float64
	for round := range o.rounds {
		each, err := s.measure(ctx, s.endpoints[2*round], s.resend)
		if err != nil {
			return fmt.Errorf("resending each message: %w", err)
		}
		task, err := s.measure(ctx, s.endpoints[2*round+1], s.recover)
		if err != nil {
			return fmt.Errorf("recovering the endpoint: %w", err)
		}
		ratios = append(ratios, task/each)
		fmt.Fprintf(out, "| %d | %.0f | %.0f | %.1f |\n", round+1, each, task, task/each)
	}
	slices.Sort(ratios)
	fmt.Fprintf(out, "\nmedian of the ratios: %.1f\n", ratios[len(ratios)/2])
	return nil
}
