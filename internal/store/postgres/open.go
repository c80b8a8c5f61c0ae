package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlstore"
)

// Store is a [store.Store] in a PostgreSQL database.
type Store struct {
	*sqlstore.Store
	server *server
	now    func() time.Time
}

var _ store.Store = (*Store)(nil)

// Open opens a database whose schema [Migrate] has brought up to date. ctx bounds the opening only.
func Open(ctx context.Context, o Options) (*Store, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("settings of the database: %w", err)
	}
	if err := checkSchema(ctx, o.URL); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	d, err := connect(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	s, _, err := sqlstore.Open(ctx, d, sqlstore.Options{Box: o.Box, Now: o.Now})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("database: %w", err), d.Close())
	}
	d.versions.follow(s.RoutesOutdated)
	return &Store{Store: s, server: d, now: o.Now}, nil
}

// server is the database server, as a [sqlstore.Database].
type server struct {
	readers *pgxpool.Pool
	writers *pgxpool.Pool
	writer  *writer

	versions *routeVersions // of the routes of applications
}

var _ sqlstore.Database = (*server)(nil)

func connect(ctx context.Context, o Options) (*server, error) {
	return connectWith(ctx, o, func(*pgx.ConnConfig) {})
}

// connectWith is connect with further settings.
func connectWith(ctx context.Context, o Options, set func(*pgx.ConnConfig)) (*server, error) {
	readers, err := pool(ctx, o.URL, o.Connections-o.writers(), set)
	if err != nil {
		return nil, err
	}
	writers, err := pool(ctx, o.URL, o.writers(), set)
	if err != nil {
		readers.Close()
		return nil, err
	}
	if err := moveNumbersOn(ctx, writers); err != nil {
		readers.Close()
		writers.Close()
		return nil, err
	}
	versions := newRouteVersions()
	return &server{readers: readers, writers: writers, writer: startWriter(writers, o.writers(), versions), versions: versions}, nil
}

func pool(ctx context.Context, url string, size int, set func(*pgx.ConnConfig)) (*pgxpool.Pool, error) {
	config, err := parse(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(size)
	set(config.ConnConfig)
	return pgxpool.NewWithConfig(ctx, config)
}

// Close implements [sqlstore.Database].
func (d *server) Close() error {
	d.writer.stop()
	d.writers.Close()
	d.readers.Close()
	return nil
}

// Write implements [sqlstore.Database].
func (d *server) Write(ctx context.Context, locks []string, run func(ctx context.Context, tx *sqlstore.Session) error) error {
	return d.writer.do(ctx, locks, run)
}

// Pool implements [sqlstore.Database].
func (d *server) Pool() *sqlstore.Session { return sqlstore.NewSession(&reader{d.readers}) }

// Dialect implements [sqlstore.Database].
func (d *server) Dialect() sqlstore.Dialect {
	return sqlstore.Dialect{Shared: true, Settled: "seq < (SELECT numbers_settled())"}
}
