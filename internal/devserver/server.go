package devserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"go.temporal.io/server/temporal"
)

// Server is a running Temporal server, with its Web UI if one was asked for.
type Server struct {
	options  Options
	ports    ports
	state    *folderState
	temporal temporal.Server
	ui       *webUI // nil: none
	pools    pools
	log      logger

	stop func() error
}

// Start runs Temporal on the files in o.Dir and returns when workflows can be started, with every search attribute in
// place. Canceling ctx makes it give up; it does not stop a started server. A port that is taken is a [PortError].
func Start(ctx context.Context, o Options) (*Server, error) {
	return launch(ctx, o, (*Server).start, (*Server).shutdown)
}

// launch makes a server of the options and has start bring it up. What start got to, stop undoes.
func launch(
	ctx context.Context, o Options, start func(*Server, context.Context) error, stop func(*Server) error,
) (*Server, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("devserver options: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()

	p, err := findPorts(ctx, o)
	if err != nil {
		return nil, err
	}
	s := &Server{options: o, ports: p, log: newLogger(o.Logger)}
	s.stop = sync.OnceValue(func() error { return stop(s) })
	defer s.ports.release()
	if err := start(s, ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("starting Temporal in %s: %w", o.Dir, err), s.Stop())
	}
	return s, nil
}

// start fills s step by step; whatever it got to is undone by Stop.
func (s *Server) start(ctx context.Context) (err error) {
	phase := phases(ctx, s.options.Logger)
	if s.state, err = lockFolder(ctx, s.options.Dir); err != nil {
		return err
	}
	before, err := exists(s.mainPath())
	if err != nil {
		return err
	}
	columns, err := prepareMain(ctx, s.mainPath(), s.options)
	if err != nil {
		return err
	}
	phase("main database ready")
	if err := prepareVisibility(ctx, s.visibilityPath(), columns, s.options.Logger, expectation{
		file: before, intact: s.state.intact,
	}); err != nil {
		return err
	}
	phase("visibility database ready")

	nonce := rand.Text()
	main := sqlConfig(s.mainPath(), mainPragmas(s.options.Durability), nonce)
	visibility := sqlConfig(s.visibilityPath(), visibilityPragmas(), nonce)
	if s.pools, err = openPools(keepPrepared, main, visibility); err != nil {
		return err
	}
	server, err := newTemporal(&s.ports, main, visibility, dynamicConfig(), s.log)
	if err != nil {
		return err
	}
	phase("services built")
	s.temporal = server
	if err := startTemporal(server); err != nil {
		return err
	}
	phase("services started")
	if err := awaitReady(ctx, s.Address(), s.options.Namespace); err != nil {
		return err
	}
	phase("services ready")
	if s.ports.ui != nil {
		if s.ui, err = startUI(ctx, *s.ports.ui, s.Address(), s.options.Namespace); err != nil {
			return err
		}
		phase("web ui ready")
	}
	s.log.stage.Store(running)
	return nil
}

// Address is host:port of the gRPC frontend, as a client on this machine dials it.
func (s *Server) Address() string { return s.ports.frontend.dial() }

// UIAddress is the URL of the Web UI, or "" if there is none.
func (s *Server) UIAddress() string {
	if s.ports.ui == nil {
		return ""
	}
	return "http://" + s.ports.ui.dial()
}

// Namespace is the one that was registered.
func (s *Server) Namespace() string { return s.options.Namespace }

// Stop ends the Web UI, then the server, and leaves complete database files without logs beside them. Stop workers and
// close clients before. It may be called again, from anywhere, and then returns the same result when all is done.
func (s *Server) Stop() error { return s.stop() }

func (s *Server) shutdown() error {
	// Not the caller's: giving up halfway would leave the folder locked.
	ctx := context.Background()
	var errs []error
	s.log.stage.Store(stopping)
	if s.ui != nil {
		s.ui.stop()
	}
	if s.temporal != nil {
		errs = append(errs, stopTemporal(s.temporal))
	}
	if s.pools != nil {
		errs = append(errs,
			s.pools.close(),
			checkpoint(ctx, s.mainPath(), mainPragmas(s.options.Durability)),
			checkpoint(ctx, s.visibilityPath(), visibilityPragmas()))
	}
	if s.state != nil {
		errs = append(errs, s.state.unlock(ctx, errors.Join(errs...) == nil))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("stopping Temporal in %s: %w", s.options.Dir, err)
	}
	return nil
}

func (s *Server) mainPath() string       { return filepath.Join(s.options.Dir, mainFile) }
func (s *Server) visibilityPath() string { return filepath.Join(s.options.Dir, visibilityFile) }

// phases returns a function that logs, at debug, how long each step of the start took.
func phases(ctx context.Context, log *slog.Logger) func(step string) {
	last := time.Now()
	return func(step string) {
		now := time.Now()
		log.DebugContext(ctx, "starting Temporal: "+step, "took", now.Sub(last))
		last = now
	}
}
