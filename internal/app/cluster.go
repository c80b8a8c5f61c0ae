package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/posthorn/posthorn/internal/config"
	"github.com/posthorn/posthorn/internal/engine"
	"github.com/posthorn/posthorn/internal/seal"
	"github.com/posthorn/posthorn/worker"
)

// leftBehind is how old a message without a workflow must be for a replica that starts to take it up. Younger ones are
// about to get theirs from the replica that accepted them.
const leftBehind = 30 * time.Second

// cluster connects to PostgreSQL and to a Temporal cluster, which other replicas use too.
func (a *App) cluster(ctx context.Context, box *seal.Box) (backend, error) {
	url, err := databaseURL(a.cfg.Cluster.Database)
	if err != nil {
		return backend{}, err
	}
	db, err := openPostgres(ctx, url, a.cfg.Cluster.Database.Connections, box)
	if err != nil {
		return backend{}, a.cannotOpen(err)
	}
	a.onClose(db.Close)

	polls := new(engine.Polls)
	c, err := engine.Dial(ctx, a.cfg.Cluster.Temporal, polls, a.log)
	if err != nil {
		return backend{}, err
	}
	a.onClose(func() error { c.Close(); return nil })
	a.address = a.cfg.Cluster.Temporal.HostPort
	if a.cfg.Cluster.Role.Works() {
		a.probes.add("worker", polls.Working)
	}
	return backend{store: db, engine: c, namespace: a.cfg.Cluster.Temporal.Namespace, left: leftBehind}, nil
}

// deployment is what the worker calls this build.
func (a *App) deployment() worker.Deployment {
	d := a.cfg.Cluster.Deployment
	if d.Name == "" {
		return worker.Deployment{}
	}
	if d.BuildID == "" {
		d.BuildID = a.version
	}
	return worker.Deployment(d)
}

// Migrate brings the schema of the database up to date and gives Temporal the namespace and the search attributes that
// Posthorn needs. It tells, for people, what it has done. It may run several times, also at once.
func Migrate(ctx context.Context, cfg config.Cluster, say func(format string, args ...any), log *slog.Logger) error {
	var problems []error
	cfg.Database.Validate(func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) })
	if len(problems) > 0 {
		return errors.Join(problems...)
	}
	url, err := databaseURL(cfg.Database)
	if err != nil {
		return err
	}
	if err := migratePostgres(ctx, url, log); err != nil {
		return fmt.Errorf("migrating the database: %w", err)
	}
	say("Database: the schema is the one of this program")
	return engine.SetUp(ctx, cfg.Temporal, say)
}

// databaseURL is the address of the database. Errors never show it, because a password may be in it.
func databaseURL(d config.Database) (string, error) {
	if d.URLFile == "" {
		return d.URL, nil
	}
	content, err := os.ReadFile(d.URLFile)
	if err != nil {
		return "", fmt.Errorf("--database-url-file %s: %w", d.URLFile, withoutPath(err))
	}
	url := string(bytes.TrimSpace(content))
	if !config.IsDatabaseURL(url) {
		return "", fmt.Errorf("--database-url-file %s must hold a URL such as postgres://posthorn@db.example.com/posthorn", d.URLFile)
	}
	return url, nil
}
