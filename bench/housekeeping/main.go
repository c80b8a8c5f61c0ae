// Command housekeeping measures what those who post events notice of the removal of old messages.
//
//	go run ./bench/lists -requests 1 -dir /some/folder    makes 1,000,000 messages of the last 30 days
//	go run ./bench/housekeeping -dir /some/folder         removes those older than 48 hours, while events are posted
//
// It runs the whole of Posthorn and posts at a fixed rate. Housekeeping runs in every other stretch of time. The data in
// the folder is used up.
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

	"github.com/posthorn/posthorn/internal/config"
)

// options are the flags.
type options struct {
	dir     string
	rate    int
	rounds  int
	stretch time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parseFlags(os.Args[1:])
	if err == nil {
		err = run(ctx, o, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "housekeeping:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to do
	}
}

func parseFlags(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("housekeeping", flag.ContinueOnError)
	flags.StringVar(&o.dir, "dir", "", "`folder` with the data")
	flags.IntVar(&o.rate, "rate", 50, "events per second")
	flags.IntVar(&o.rounds, "rounds", 8, "how often housekeeping runs, and does not")
	flags.DurationVar(&o.stretch, "stretch", 15*time.Second, "how long each time")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.dir == "" || o.rate < 1 || o.rounds < 1 || o.stretch < time.Second || flags.NArg() > 0 {
		return o, errors.New("-dir must be given, -rate and -rounds be at least 1, -stretch 1s, and nothing else be given")
	}
	return o, nil
}

func run(ctx context.Context, o options, out io.Writer) (err error) {
	old := time.Now().Add(-config.MinKept)
	before, err := look(ctx, o.dir, old)
	if err != nil {
		return err
	}
	b, err := start(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.measure(ctx); err != nil {
		return err
	}
	after, err := look(ctx, o.dir, old)
	if err != nil {
		return err
	}
	if b.failed > 0 {
		return fmt.Errorf("%d events were not accepted: %w", b.failed, b.failure)
	}
	t := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprint(t, "| housekeeping\t| events\t| accept p50 ms\t| p99 ms\t| largest ms\t|\n|---\t|--:\t|--:\t|--:\t|--:\t|\n")
	for _, p := range []phase{idle, running} {
		took := b.took[p]
		p50, p99, largest := percentiles(took)
		fmt.Fprintf(t, "| %s\t| %d\t| %.1f\t| %.1f\t| %.1f\t|\n", p, len(took), p50, p99, largest)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "\nin %s of housekeeping: %d attempts and %d messages removed; %d MiB of the file were free before, %d are now, of %d\n",
		time.Duration(o.rounds)*o.stretch, before.attempts-after.attempts, before.messages-after.messages, before.free>>20, after.free>>20, after.size>>20)
	return err
}
