// Command lists measures how long the API takes for the first page of every list, narrowed by every filter: by what
// matches all, one item in the whole database, or none.
//
//	go run ./bench/lists                     1,000,000 messages, 3,000,000 attempts: some minutes to make, then half a minute to measure
//	go run ./bench/lists -dir /some/folder   keeps the data, or uses what is there
//	go run ./bench/lists -messages 10000     quickly, to see that all works
//
// The API runs in this process, on a real store and behind a real socket. Without a dispatcher nothing is delivered.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "lists:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to do
	}
}

// options are the flags.
type options struct {
	messages int
	requests int
	dir      string
}

func parseFlags(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("lists", flag.ContinueOnError)
	flags.IntVar(&o.messages, "messages", 1_000_000, "how many messages there are; each goes to three endpoints")
	flags.IntVar(&o.requests, "requests", 200, "how often each list is asked for")
	flags.StringVar(&o.dir, "dir", "", "`folder` for the database; one that is there is used as it is. Default: a temporary one")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.messages < smallest || o.requests < 1 || flags.NArg() > 0 {
		return o, fmt.Errorf("-messages must be at least %d, -requests 1, and nothing else be given", smallest)
	}
	return o, nil
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	o, err := parseFlags(args)
	if err != nil {
		return err
	}
	if o.dir == "" {
		if o.dir, err = os.MkdirTemp("", "posthorn-lists-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	}
	path := filepath.Join(o.dir, "posthorn.db")
	begin := time.Now()
	d, err := makeData(ctx, path, o.messages)
	if err != nil {
		return fmt.Errorf("making the data: %w", err)
	}
	fmt.Fprintf(out, "%d messages, %d attempts, made in %.0f s\n\n", d.messages, d.attempts, time.Since(begin).Seconds())
	results, err := measure(ctx, path, d, o.requests)
	if err != nil {
		return err
	}
	return report(out, results)
}
