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
	"strconv"
	"sync"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/api"
	"github.com/posthorn/posthorn/internal/catalogue"
	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/dispatch"
	"github.com/posthorn/posthorn/internal/egress"
	"github.com/posthorn/posthorn/internal/engine"
	"github.com/posthorn/posthorn/internal/routing"
	"github.com/posthorn/posthorn/internal/seal"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/worker"
	"github.com/posthorn/posthorn/workflows"
)

// Namespace is the namespace of the embedded Temporal that holds the workflows.
const Namespace = engine.DefaultNamespace

const (
	// drainMargin is what a graceful stop gives requests in flight beyond the attempt timeout, for recording them.
	drainMargin = 5 * time.Second
	sweepEvery  = 5 * time.Minute
	expireEvery = 15 * time.Minute
	tidyEvery   = time.Hour
	wakeEvery   = time.Minute
)

// App is one running Posthorn: API, worker or both, with an embedded Temporal or on a cluster. Start and Close are
// idempotent.
type App struct {
	cfg     config.Config
	log     *slog.Logger
	version string

	mu      sync.Mutex
	started bool
	closers []func() error // in the order of starting

	listener net.Listener
	address  string // Temporal's
	ui       string // the Web UI's; "" if this process has none
	tokens   *api.Tokens
	probes   probes
	connect  func(ctx context.Context, box *seal.Box) (backend, error)
}

// backend is what an App stands on.
type backend struct {
	store     store.Store
	engine    client.Client
	namespace string
	// left is how old what an earlier process has left behind must be for this one to take it up when it starts: another
	// replica may be at it.
	left time.Duration
}

// New returns an App that is yet to be started. It fails with all problems of the configuration. Version is what the
// User-Agent header and the API's documents say; empty means "dev".
func New(cfg config.Config, version string, log *slog.Logger) (*App, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &App{cfg: cfg, log: log, version: cmp.Or(version, "dev")}
	a.probes.log = log
	if a.connect = a.cluster; cfg.Cluster.Role == config.Alone {
		a.connect = a.embedded
	}
	return a, nil
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
// Temporal and the database last. One of several replicas says that it is not ready first, and goes on for as long as
// others may take to notice.
func (a *App) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.started && a.cfg.Cluster.Role != config.Alone {
		a.probes.stopping.Store(true)
		<-time.After(a.cfg.Cluster.DrainDelay)
	}
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
	outgoing, err := a.outgoing()
	if err != nil {
		return err
	}
	role := a.cfg.Cluster.Role
	if role == config.Alone {
		if err := a.claimDataDir(); err != nil {
			return err
		}
	}
	if role.ServesAPI() {
		if a.tokens, err = readTokens(a.cfg.DataDir, a.cfg.JWT); err != nil {
			return err
		}
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
	on, err := a.connect(ctx, box)
	if err != nil {
		return err
	}
	db := on.store

	sender := egress.New(outgoing)
	a.onClose(func() error { sender.Close(); return nil })

	routes := routing.New(db)
	types := catalogue.New(db)
	accepted, wakes := activities.NewAccepted(), activities.NewWakes()
	dispatcher := &dispatch.Dispatcher{
		Client: on.engine, Store: db, Routes: routes, Accepted: accepted, Wakes: wakes, Namespace: on.namespace,
		AttemptTimeout: a.cfg.AttemptTimeout,
	}
	notices := dispatch.NewNotices(dispatcher, a.log)
	a.onClose(func() error { notices.Close(); return nil })
	db.OnNotice(notices.Add)
	starter := dispatch.NewInsistent(dispatcher, a.log)
	a.onClose(func() error { starter.Close(); return nil })
	acts := activities.New(activities.Options{
		Store: db, Routes: routes, Catalogue: types, Egress: sender, Accepted: accepted, Wakes: wakes, Starter: starter,
		Schedule: a.cfg.RetrySchedule, AttemptTimeout: a.cfg.AttemptTimeout, Logger: a.log,
		Circuits: routing.NewCircuits(db), Health: a.cfg.Health.Rules(),
		Retention: activities.Retention(a.cfg.Retention),
	})
	db.OnAttention(acts.TendSoon)
	db.OnHealthChange(acts.HealthChanged)
	db.OnRelease(acts.WakeSoon)
	a.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), a.cfg.AttemptTimeout+drainMargin)
		defer cancel()
		acts.Close(ctx)
		return nil
	})
	a.probes.add("database", db.Ping)
	a.probes.add("temporal", dispatcher.Ping)
	if role.Works() {
		if err := a.startWorker(ctx, on, acts); err != nil {
			return err
		}
	}
	if !role.ServesAPI() {
		a.serve(http.NotFoundHandler())
		return nil
	}
	return a.startAPI(api.Options{
		Store: db, Catalogue: types, Dispatcher: dispatcher, Tokens: a.tokens, Logger: a.log, Version: a.version,
		PublicURL: cmp.Or(a.cfg.Access.PublicURL, a.URL()),
		Clients:   api.Clients{Allow: a.cfg.Access.AllowClients, TrustedProxies: a.cfg.Access.TrustedProxies},
		Limits:    api.RateLimits{Token: api.Rate(a.cfg.Access.RateLimitToken), Address: api.Rate(a.cfg.Access.RateLimitAddress)},
		Health:    a.cfg.Health.Rules(),
		HTTPSOnly: a.cfg.EndpointHTTPSOnly, SignatureType: api.SignatureType(a.cfg.DefaultSignatureType),
	})
}

func (a *App) startWorker(ctx context.Context, on backend, acts *activities.Activities) error {
	w := worker.New(on.engine, acts, worker.Options{
		StopTimeout: a.cfg.AttemptTimeout + drainMargin, Deployment: a.deployment(),
	})
	if err := w.Start(); err != nil {
		return fmt.Errorf("starting the worker: %w", err)
	}
	a.onClose(func() error { w.Stop(); return nil })

	// What a crash left between storing and starting goes on at once; the schedule is for crashes of other processes.
	if _, err := acts.StartUndispatched(ctx, time.Now().Add(-on.left)); err != nil {
		a.log.Warn("not all messages and tasks of an earlier run were picked up; the sweep will", "error", err)
	}
	if _, err := acts.WakeOverdue(ctx); err != nil {
		a.log.Warn("not everything that was overdue was woken; the next round will", "error", err)
	}
	if err := schedule(ctx, on.engine, workflows.WakeScheduleID, workflows.WakeOverdueType, wakeEvery); err != nil {
		return err
	}
	if err := schedule(ctx, on.engine, workflows.SweepScheduleID, workflows.SweepUndispatchedType, sweepEvery); err != nil {
		return err
	}
	if err := schedule(ctx, on.engine, workflows.ExpireScheduleID, workflows.ExpirePayloadsType, expireEvery); err != nil {
		return err
	}
	return schedule(ctx, on.engine, workflows.HousekeepingScheduleID, workflows.HousekeepingType, tidyEvery)
}

func (a *App) startAPI(o api.Options) error {
	handler, err := api.New(o)
	if err != nil {
		return err
	}
	a.serve(handler.Handler())
	return nil
}

// serve answers requests until the App is closed, those about its health without the handler.
func (a *App) serve(handler http.Handler) {
	server := api.HTTPServer(a.probes.handler(handler), api.Connections{}, a.log)
	served := make(chan error, 1)
	go func() { served <- server.Serve(a.listener) }()
	a.onClose(func() error {
		// A request may have an attempt made, and wait for it.
		ctx, cancel := context.WithTimeout(context.Background(), a.cfg.AttemptTimeout+drainMargin)
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
func (a *App) TemporalAddress() string { return a.address }

// TemporalUIURL returns the address of the Temporal Web UI, or "" if it is off.
func (a *App) TemporalUIURL() string { return a.ui }

// Token returns a token for everything that the default organisation owns, or "" where
// only a public key is set or there is no API.
func (a *App) Token() (string, error) {
	if a.tokens == nil || !a.tokens.CanSign() {
		return "", nil
	}
	return a.tokens.Organisation(posthorn.DefaultOrg)
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
