// Command neighbours measures how much one tenant feels of another: how long a quiet tenant's events take while a loud
// one posts a burst of 50,000 messages, by single requests or in batches, or while all 50 endpoints of the loud one hang.
//
//	go run ./bench/neighbours                 every scenario, two rounds: about 10 minutes
//	go run ./bench/neighbours -only hanging   one of them
//
// In each scenario a fresh server, a process of its own, is first measured with the quiet tenant alone and then with both.
// The quiet tenant posts at a fixed rate, whether or not its earlier events are answered. This process is the tenants and
// their receivers; it shares the machine with what it measures, so its own share is printed too. It needs Linux.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// childCommand is the hidden first argument of the process that is the server.
const childCommand = "server"

func main() {
	if len(os.Args) == 2 && os.Args[1] == childCommand {
		if err := runServer(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "neighbours: server:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "neighbours:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to do
	}
}

// options are the flags.
type options struct {
	rounds  int
	rate    int
	burst   int
	lead    time.Duration
	window  time.Duration
	only    []string
	profile string
}

func parseFlags(args []string) (options, error) {
	var o options
	var only string
	flags := flag.NewFlagSet("neighbours", flag.ContinueOnError)
	flags.IntVar(&o.rounds, "rounds", 2, "how often each scenario is measured; figures are of all rounds together")
	flags.IntVar(&o.rate, "rate", 20, "events per second of the quiet tenant")
	flags.IntVar(&o.burst, "burst", 50_000, "most messages of the loud tenant; a fifth of it where endpoints hang")
	flags.DurationVar(&o.lead, "lead", 10*time.Second, "how long the tenants post before a measurement begins")
	flags.DurationVar(&o.window, "window", 40*time.Second, "length of one measurement")
	flags.StringVar(&only, "only", "", "`scenarios` to measure, of posts, batches and hanging; default: all")
	flags.StringVar(&o.profile, "pprof", "", "write profiles of the server's processor time, while the loud tenant is at work, into this `folder`")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 || o.rounds < 1 || o.rate < 1 || o.burst < 1 || o.window < time.Second {
		return o, errors.New("-rounds, -rate and -burst must be at least 1, -window 1s, and nothing else be given")
	}
	for _, word := range strings.FieldsFunc(only, func(r rune) bool { return r == ',' }) {
		if !slices.ContainsFunc(scenarios(), func(s scenario) bool { return s.name == word }) {
			return o, fmt.Errorf("-only: there is no scenario %q", word)
		}
		o.only = append(o.only, word)
	}
	return o, nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parseFlags(args)
	if err != nil {
		return err
	}
	if o.profile != "" {
		if err := os.MkdirAll(o.profile, 0o755); err != nil {
			return err
		}
	}
	results := make([]result, len(scenarios()))
	for round := range o.rounds {
		for i, s := range scenarios() {
			if len(o.only) > 0 && !slices.Contains(o.only, s.name) {
				continue
			}
			results[i].scenario = s
			err := results[i].measure(ctx, o, round)
			if err = cmp.Or(err, ctx.Err()); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	return writeReport(out, slices.DeleteFunc(results, func(r result) bool { return r.name == "" }))
}
