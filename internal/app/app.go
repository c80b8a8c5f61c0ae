// Package app puts Posthorn together: the only place where everything meets.
package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/api"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/devserver"
	"github.com/posthorn/posthorn/internal/dispatch"
	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/internal/routing"
	"github.com/posthorn/posthorn/worker"
	"github.com/posthorn/posthorn/workflows"
)

// Namespace is the Temporal namespace that holds the workflows.
const Namespace = "default"

const (
	// drainMargin is what a graceful stop gives requests in flight beyond the attempt timeout, for recording them.
	drainMargin = 5 * time.Second
	sweepEvery  = 5 * time.Minute
	expireEvery = 15 * time.Minute
)

// App is one running Posthorn: API, worker, and the embedded Temporal. Start and Close are idempotent.
type App struct {
	cfg     config.Config
	log     *slog.Logger
	version string

	mu      sync.Mutex
	started bool
	closers []func() error // in the order of starting

	listener net.Listener
	temporal *devserver.Server
	tokens   *api.Tokens
}

// New returns an App that is yet to be started. It fails with all problems of the configuration. Version is what the
// User-Agent header and the API's documents say; empty means "dev".
func New(cfg config.Config, version string, log *slog.Logger) (*App, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &App{cfg: cfg, log: log, version: cmp.Or(version, "dev")}, nil
}

// Start brings everything up and returns when the API answers. If it fails, nothing is left running.
func (a *App) Start(ctx context.Context) (err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.started {
		return nil
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.unwind())
		}
	}()
	if err := a.start(ctx); err != nil {
		return err
	}
	a.started = true
	return nil
}

// Close ends everything in the reverse order: it stops accepting events, lets requests in flight end, and stops
// Temporal and the database last.
func (a *App) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.started = false
	return a.unwind()
}

func (a *App) unwind() error {
	var errs []error
	for len(a.closers) > 0 {
		last := len(a.closers) - 1
		errs = append(errs, a.closers[last]())
		a.closers = a.closers[:last]
	}
	return errors.Join(errs...)
}

func (a *App) onClose(f func() error) { a.closers = append(a.closers, f) }

func (a *App) start(ctx context.Context) error {
	box, err := mainBox(a.cfg)
	if err != nil {
		return err
	}
	if err := a.claimDataDir(); err != nil {
		return err
	}
	if a.tokens, err = readTokens(a.cfg.DataDir, a.cfg.JWT); err != nil {
		return err
	}
	if a.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", a.cfg.Listen); err != nil {
		return cannotListen("--listen", a.cfg.Listen, err)
	}
	a.onClose(func() error {
		// The HTTP server closes it too, when it came that far.
		if err := a.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})

	// Before the database: a port that is taken shall show before anything is made.
	engine, err := a.startTemporal(ctx)
	if err != nil {
		return err
	}
	db, err := a.openStore(ctx, box)
	if err != nil {
		return err
	}

	sender := egress.New(egress.Options{
		Timeout:      a.cfg.AttemptTimeout,
		MaxBody:      posthorn.MaxRecordedBody,
		AllowSubnets: a.cfg.AllowSubnets,
		UserAgent:    "Posthorn/" + a.version,
	})
	a.onClose(func() error { sender.Close(); return nil })

	routes := routing.New(db)
	accepted := activities.NewAccepted()
	dispatcher := &dispatch.Dispatcher{
		Client: engine, Store: db, Routes: routes, Accepted: accepted, AttemptTimeout: a.cfg.AttemptTimeout,
	}
	acts := activities.New(activities.Options{
		Store: db, Routes: routes, Egress: sender, Accepted: accepted, Starter: dispatcher,
		Schedule: a.cfg.RetrySchedule, AttemptTimeout: a.cfg.AttemptTimeout, Logger: a.log,
	})
	a.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), a.cfg.AttemptTimeout+drainMargin)
		defer cancel()
		acts.Close(ctx)
		return nil
	})
	if err := a.startWorker(ctx, engine, acts); err != nil {
		return err
	}
	return a.startAPI(api.Options{
		Store: db, Dispatcher: dispatcher, Tokens: a.tokens, Logger: a.log, Version: a.version,
		PublicURL: cmp.Or(a.cfg.Access.PublicURL, a.URL()),
		Clients:   api.Clients{Allow: a.cfg.Access.AllowClients, TrustedProxies: a.cfg.Access.TrustedProxies},
		Limits:    api.RateLimits{Token: api.Rate(a.cfg.Access.RateLimitToken), Address: api.Rate(a.cfg.Access.RateLimitAddress)},
		HTTPSOnly: a.cfg.EndpointHTTPSOnly, SignatureType: api.SignatureType(a.cfg.DefaultSignatureType),
	})
}

// claimDataDir makes the folder and locks it: two processes on the same files would ruin them.
func (a *App) claimDataDir() error {
	if err := makeDataDir(a.cfg.DataDir); err != nil {
		return err
	}
	lock := flock.New(filepath.Join(a.cfg.DataDir, "lock"))
	locked, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("--data-dir %s: %w", a.cfg.DataDir, withoutPath(err))
	}
	if !locked {
		return fmt.Errorf("--data-dir %s: in use by another posthorn process", a.cfg.DataDir)
	}
	a.onClose(lock.Unlock)
	return nil
}

func (a *App) startTemporal(ctx context.Context) (client.Client, error) {
	server, err := devserver.Start(ctx, devserver.Options{
		Dir:        a.cfg.DataDir,
		Listen:     a.cfg.TemporalListen,
		UIListen:   a.cfg.TemporalUIListen,
		Namespace:  Namespace,
		Durability: engineDurability(a.cfg.Durability),
		SearchAttributes: map[string]enums.IndexedValueType{
			workflows.ApplicationAttribute.GetName():   enums.INDEXED_VALUE_TYPE_KEYWORD,
			workflows.EventTypeAttribute.GetName():     enums.INDEXED_VALUE_TYPE_KEYWORD,
			workflows.DeliveryStateAttribute.GetName(): enums.INDEXED_VALUE_TYPE_KEYWORD,
			workflows.OpenEndpointsAttribute.GetName(): enums.INDEXED_VALUE_TYPE_KEYWORD_LIST,
		},
		Logger: a.log,
	})
	if port, ok := errors.AsType[*devserver.PortError](err); ok {
		flag := "--temporal-listen"
		if port.Addr == a.cfg.TemporalUIListen {
			flag = "--temporal-ui-listen"
		}
		return nil, cannotListen(flag, port.Addr, port.Err)
	}
	if err != nil {
		return nil, fmt.Errorf("starting Temporal: %w", err)
	}
	a.temporal = server
	a.onClose(server.Stop)

	c, err := client.DialContext(ctx, client.Options{
		HostPort:  server.Address(),
		Namespace: Namespace,
		Logger:    sdklog.NewStructuredLogger(a.log.With("component", "temporal-sdk")),
		// Within one machine compression costs more time than it saves.
		ConnectionOptions: client.ConnectionOptions{GrpcCompression: &client.GrpcCompressionNone{}},
	})
	if err != nil {
		return nil, fmt.Errorf("connecting to Temporal: %w", err)
	}
	a.onClose(func() error { c.Close(); return nil })
	return c, nil
}

func (a *App) startWorker(ctx context.Context, engine client.Client, acts *activities.Activities) error {
	w := worker.New(engine, acts, a.cfg.AttemptTimeout+drainMargin)
	if err := w.Start(); err != nil {
		return fmt.Errorf("starting the worker: %w", err)
	}
	a.onClose(func() error { w.Stop(); return nil })

	// What a crash left between storing and starting goes on at once; the schedule is for crashes of other processes.
	if _, err := acts.StartUndispatched(ctx, time.Now()); err != nil {
		a.log.Warn("not all messages and tasks of an earlier run were picked up; the sweep will", "error", err)
	}
	if err := schedule(ctx, engine, workflows.SweepScheduleID, workflows.SweepUndispatchedType, sweepEvery); err != nil {
		return err
	}
	return schedule(ctx, engine, workflows.ExpireScheduleID, workflows.ExpirePayloadsType, expireEvery)
}

func (a *App) startAPI(o api.Options) error {
	handler, err := api.New(o)
	if err != nil {
		return err
	}
	server := api.HTTPServer(handler.Handler(), api.Connections{}, a.log)
	served := make(chan error, 1)
	go func() { served <- server.Serve(a.listener) }()
	a.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), drainMargin)
		defer cancel()
		err := server.Shutdown(ctx)
		if err != nil {
			err = server.Close()
		}
		if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
			err = errors.Join(err, fmt.Errorf("serving the API: %w", ended))
		}
		return err
	})
	return nil
}

// URL returns the API's address as a base URL that works on this machine.
func (a *App) URL() string {
	addr := a.listener.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(addr.Port))
}

// TemporalAddress returns host and port of Temporal's gRPC interface.
func (a *App) TemporalAddress() string { return a.temporal.Address() }

// TemporalUIURL returns the address of the Temporal Web UI, or "" if it is off.
func (a *App) TemporalUIURL() string { return a.temporal.UIAddress() }

// Token returns a token for everything that the default organisation owns, or "" where only a public key is set.
func (a *App) Token() (string, error) {
	if !a.tokens.CanSign() {
		return "", nil
	}
	return a.tokens.Organisation(posthorn.DefaultOrg)
}

func engineDurability(d config.Durability) devserver.Durability {
	if d == config.Normal {
		return devserver.Normal
	}
	return devserver.Full
}

// cannotListen says in one line which flag asked for an address that is not to be had.
func cannotListen(flag, addr string, err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		err = errno
	}
	return fmt.Errorf("%s %s: %w", flag, addr, err)
}

func makeDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("--data-dir %s: %w", dir, withoutPath(err))
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("--data-dir %s: %w", dir, withoutPath(err))
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// withoutPath strips what a line that names the folder already would only repeat.
func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
