package devserver

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"

	"go.temporal.io/server/common/dynamicconfig"
)

// StartStock is Start for comparisons: Temporal as the `temporal` command's `server start-dev --db-filename` runs it.
// That is one SQLite file for everything, every visibility index, and that command's few settings. What that command does
// beside it, its metrics and HTTP API, is left out, so that comparisons are fair. The journal is SQLite's journal_mode:
// that command leaves it at "delete" and has a flag for "wal".
//
// The folder must be new. Of the options, UIListen and SearchAttributes are ignored.
func StartStock(ctx context.Context, o Options, journal string) (*Server, error) {
	o.UIListen, o.SearchAttributes = "", nil
	start := func(s *Server, ctx context.Context) error { return s.startStock(ctx, journal) }
	return launch(ctx, o, start, (*Server).shutdownStock)
}

func (s *Server) startStock(ctx context.Context, journal string) error {
	durability := pragmas{"journal_mode": journal, "synchronous": "FULL"}
	if s.options.Durability == Normal {
		durability["synchronous"] = "NORMAL"
	}
	err := inFile(ctx, s.mainPath(), durability, func(db *sql.DB) error {
		return inTx(ctx, db, func(tx *sql.Tx) error {
			for _, script := range []string{mainSchema, visibilitySchema} {
				if err := execSchema(ctx, tx, script); err != nil {
					return err
				}
			}
			_, err := registerNamespace(ctx, tx, s.options)
			return err
		})
	})
	if err != nil {
		return fmt.Errorf("preparing %s: %w", s.mainPath(), err)
	}
	file := sqlConfig(s.mainPath(), durability, rand.Text())
	if s.pools, err = openPools(func(pool *sql.DB) (*sql.DB, error) { return pool, nil }, file); err != nil {
		return err
	}
	server, err := newTemporal(&s.ports, file, file, stockDynamicConfig(), s.log)
	if err != nil {
		return err
	}
	s.temporal = server
	if err := startTemporal(s.temporal); err != nil {
		return err
	}
	if err := awaitReady(ctx, s.Address(), s.options.Namespace); err != nil {
		return err
	}
	s.log.stage.Store(running)
	return nil
}

func (s *Server) shutdownStock() error {
	var errs []error
	s.log.stage.Store(stopping)
	if s.temporal != nil {
		errs = append(errs, stopTemporal(s.temporal))
	}
	return errors.Join(append(errs, s.pools.close())...)
}

// stockDynamicConfig are the settings that the `temporal` command makes for its development server.
func stockDynamicConfig() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key():                 8096,
		dynamicconfig.FrontendMaxNamespaceVisibilityRPSPerInstance.Key(): 100,
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key():      true,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():                    10_000,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():                     45_000,
		// Not one of them, but nothing that is being measured should call a server on the internet.
		dynamicconfig.EnableServerVersionCheck.Key(): false,
		// Nor these. They run twice a day, so they are not what is being measured, and Temporal does not stop them.
		dynamicconfig.TaskQueueScannerEnabled.Key(): false,
		dynamicconfig.HistoryScannerEnabled.Key():   false,
	}
}
