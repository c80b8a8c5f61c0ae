// Command posthorn delivers webhooks durably. Run it with --help to learn what it can do.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/posthorn/posthorn/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(cli.Main(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.LookupEnv))
}
