// Command posthorn delivers webhooks durably. Run it with --help to learn what it can do.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/posthorn/posthorn/internal/cli"
)

func main() {
	// Nothing of ours uses this logger. net/http does, to print what receivers send without being asked.
	log.SetOutput(io.Discard)
	os.Exit(cli.Main(untilSignal(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv))
}

// untilSignal returns a context that ends at the first signal to stop. From then on, another one ends the process at once.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals)
		cancel()
	}()
	return ctx
}
