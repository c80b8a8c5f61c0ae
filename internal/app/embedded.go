//go:build !noembedded

package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/gofrs/flock"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"google.golang.org/grpc"

	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/devserver"
	"github.com/posthorn/posthorn/internal/dispatch"
	"github.com/posthorn/posthorn/internal/engine"
	"github.com/posthorn/posthorn/internal/seal"
	"github.com/posthorn/posthorn/internal/store/sqlite"
)

// engineCalls is how many calls that cost the embedded Temporal commits it gets at a time. It has one connection to its
// database, so more would only wait in there, in no order.
const engineCalls = 4

// embedded runs Temporal in this process, and opens the database, on files of which it has made sure that nobody else uses
// them.
func (a *App) embedded(ctx context.Context, box *seal.Box) (backend, error) {
	// Before the database: a port that is taken shall show before anything is made.
	c, err := a.startTemporal(ctx)
	if err != nil {
		return backend{}, err
	}
	db, err := a.openStore(ctx, box)
	if err != nil {
		return backend{}, err
	}
	return backend{store: db, engine: c, namespace: Namespace}, nil
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
		Dir:              a.cfg.DataDir,
		Listen:           a.cfg.TemporalListen,
		UIListen:         a.cfg.TemporalUIListen,
		Namespace:        Namespace,
		Durability:       engineDurability(a.cfg.Durability),
		SearchAttributes: engine.SearchAttributes(),
		Logger:           a.log,
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
	a.address, a.ui = server.Address(), server.UIAddress()
	a.onClose(server.Stop)

	polls := new(engine.Polls)
	a.probes.add("worker", polls.Working)
	c, err := client.DialContext(ctx, client.Options{
		HostPort:  server.Address(),
		Namespace: Namespace,
		Logger:    sdklog.NewStructuredLogger(a.log.With("component", "temporal-sdk")),
		// Within one machine compression costs more time than it saves.
		ConnectionOptions: client.ConnectionOptions{
			GrpcCompression: &client.GrpcCompressionNone{},
			DialOptions:     []grpc.DialOption{grpc.WithChainUnaryInterceptor(dispatch.NewTurns(engineCalls).Intercept, polls.Intercept, engine.KeepDetails)},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("connecting to Temporal: %w", err)
	}
	a.onClose(func() error { c.Close(); return nil })
	return c, nil
}

// openStore opens the database, which this process has to itself.
func (a *App) openStore(ctx context.Context, box *seal.Box) (*sqlite.Store, error) {
	db, err := sqlite.Open(ctx, sqlite.Options{
		Path:       filepath.Join(a.cfg.DataDir, "posthorn.db"),
		Durability: sqlite.Durability(a.cfg.Durability),
		Box:        box,
		Logger:     a.log,
	})
	if err != nil {
		return nil, a.cannotOpen(err)
	}
	a.onClose(db.Close)
	// Nobody is at a request that an earlier process was executing: its repetition need not wait.
	if err := db.DropOpenClaims(ctx); err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	return db, nil
}

func engineDurability(d config.Durability) devserver.Durability {
	if d == config.Normal {
		return devserver.Normal
	}
	return devserver.Full
}
