package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/posthorn/posthorn/internal/config"
)

// slowStart is when a start has taken so long that it deserves a word.
const slowStart = time.Second

// devCmd runs a complete Posthorn for development.
type devCmd struct {
	settings
}

// Help implements kong.HelpProvider.
func (*devCmd) Help() string {
	return `Starts an embedded Temporal server (SQLite, namespace "default"), its Web UI, the API and the worker in one process, and prints where each is, a token, and a curl command to try. Everything is kept in the data folder across restarts. Deliveries to this machine (127.0.0.0/8, ::1) are allowed. Ctrl-C ends it cleanly; a second Ctrl-C at once.

Examples:

    posthorn dev
    posthorn dev --retry-schedule 1s,5s,30s --log-level debug
    posthorn dev --listen 127.0.0.1:0 --temporal-ui-listen off --data-dir /tmp/try`
}

// Run starts the server, prints the banner and stays until ctx ends.
func (c *devCmd) Run(ctx context.Context, p *program) error {
	cfg := c.config()
	cfg.AllowSubnets = append(cfg.AllowSubnets, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
	if err := cfg.Validate(); err != nil {
		return usage(err)
	}
	srv, err := p.newServer(cfg, newLogger(cfg, p.stderr))
	if err != nil {
		return cannotStart(err)
	}
	if err := p.start(ctx, srv); err != nil {
		return unlessEnded(ctx, cannotStart(err))
	}
	token, err := srv.Token()
	if err != nil {
		_ = srv.Close() // the token is the news
		return cannotStart(fmt.Errorf("making a token: %w", err))
	}
	fmt.Fprint(p.stdout, p.banner(cfg, srv, token))

	<-ctx.Done()
	fmt.Fprintln(p.stderr, "posthorn: stopping (Ctrl-C again ends at once)")
	if err := srv.Close(); err != nil {
		return fmt.Errorf("stopping: %w", err)
	}
	return nil
}

func (p *program) start(ctx context.Context, srv server) error {
	slow := time.AfterFunc(slowStart, func() { fmt.Fprintln(p.stderr, "posthorn: starting Temporal …") })
	defer slow.Stop()
	return srv.Start(ctx)
}

// exampleEvent needs nothing to be there before: it brings its application along.
const exampleEvent = `{"eventType":"order.created","payload":{"id":"ord_1","total":4200},"application":{"uid":"demo","name":"Demo"}}`

func (p *program) banner(cfg config.Config, srv server, token string) string {
	var b strings.Builder
	row := func(name, value string) { fmt.Fprintf(&b, "  %-16s %s\n", name, value) }
	dataDir := cfg.DataDir
	if abs, err := filepath.Abs(dataDir); err == nil {
		dataDir = abs
	}

	b.WriteString("Posthorn is ready. Ctrl-C ends it.\n\n")
	row("API", srv.URL())
	row("API reference", srv.URL()+"/docs")
	row("Temporal", srv.TemporalAddress()+" (namespace default)")
	if ui := srv.TemporalUIURL(); ui != "" {
		row("Temporal Web UI", ui)
	}
	row("Data", dataDir)
	row("Network guard", "loopback receivers are allowed in dev; --allow-subnets opens more")
	if cfg.Durability != config.Full {
		row("Durability", string(cfg.Durability)+": the loss of power may undo the last accepted events")
	}
	if token == "" {
		row("Token", "only a public key is set: make one where the private key is")
		token = "TOKEN"
	} else {
		row("Token", token)
	}

	fmt.Fprintf(&b, `
Receive in a second terminal:

  %s

Send an event:

  curl -X POST %s/api/v1/app/demo/msg \
    -H 'Authorization: Bearer %s' \
    -H 'Content-Type: application/json' \
    -d '%s'

`, p.listenHint(cfg, srv), srv.URL(), token, exampleEvent)
	return b.String()
}

// listenHint is a `posthorn listen` that finds this server.
func (p *program) listenHint(cfg config.Config, srv server) string {
	standard := config.Default()
	words := p.name + " listen --app demo"
	if srv.URL() != "http://"+standard.Listen {
		words += " --server " + shellWord(srv.URL())
	}
	if cfg.DataDir != standard.DataDir {
		words += " --data-dir " + shellWord(cfg.DataDir)
	}
	return words
}

func newLogger(cfg config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == config.JSON {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
