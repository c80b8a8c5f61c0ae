package postgres

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/posthorn/posthorn/internal/seal"
)

// Options are the settings of a store.
type Options struct {
	// URL of the database, or its settings as libpq knows them. Required.
	URL string
	// Connections is how many the store has at most. Default: 20.
	Connections int
	// Box seals signing secrets and the values of custom headers. The first one that a database is opened with stays the
	// only one. Default: none, they are kept in the clear.
	Box *seal.Box
	// Now is the clock for Delivery.UpdatedAt and for what has expired. Default: time.Now.
	Now func() time.Time
}

// minConnections are one to write and one to read.
const minConnections = 2

func (o Options) withDefaults() Options {
	o.Connections = cmp.Or(o.Connections, 20)
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

func (o Options) validate() error {
	if o.Connections < minConnections {
		return fmt.Errorf("Connections is %d and must be at least %d", o.Connections, minConnections)
	}
	return nil
}

// writers is how many of the connections write.
func (o Options) writers() int { return max(1, o.Connections/4) }

// connectTimeout is how long a connection may take to come about, unless the URL says so.
const connectTimeout = 5 * time.Second

// parse reads a URL. Its errors don't show it, because a password may be in it.
func parse(url string) (*pgxpool.Config, error) {
	if url == "" {
		return nil, errors.New("URL is missing")
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, errors.New("URL is not that of a PostgreSQL database")
	}
	config.ConnConfig.ConnectTimeout = cmp.Or(config.ConnConfig.ConnectTimeout, connectTimeout)
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheStatement
	config.ConnConfig.RuntimeParams["application_name"] = cmp.Or(config.ConnConfig.RuntimeParams["application_name"], "posthorn")
	return config, nil
}
