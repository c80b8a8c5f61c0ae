package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrate brings the schema to the newest version and makes partitions for the weeks to come. Several may do so at the same
// time: one of them does, the others wait. It refuses a database that a newer program has migrated, because this one would
// not know what it does to it.
func Migrate(ctx context.Context, url string, log *slog.Logger) error {
	if err := migrateSchema(ctx, url, log); err != nil {
		return err
	}
	made, err := prepare(ctx, url)
	if err != nil {
		return err
	}
	if made > 0 {
		log.InfoContext(ctx, "made room for the weeks to come", "partitions", made)
	}
	return nil
}

// migrateTries is how often the migration tries to make each partition: longer than any lock should be held.
const migrateTries = 300

// prepare makes the partitions that the program will need first.
func prepare(ctx context.Context, url string) (made int, err error) {
	config, err := parse(url)
	if err != nil {
		return 0, err
	}
	conn, err := pgx.ConnectConfig(ctx, config.ConnConfig)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	return makePartitions(ctx, conn, time.Now(), migrateTries)
}

func migrateSchema(ctx context.Context, url string, log *slog.Logger) error {
	return withProvider(url, true, func(provider *goose.Provider) error {
		current, target, err := versions(ctx, provider)
		if err != nil {
			return err
		}
		if current == target {
			log.InfoContext(ctx, "the database schema is up to date", "version", current)
			return nil
		}
		results, err := provider.Up(ctx)
		if err != nil {
			return fmt.Errorf("migrating the schema from version %d to %d: %w", current, target, err)
		}
		if len(results) == 0 {
			log.InfoContext(ctx, "the database schema was migrated by another process", "version", target)
			return nil
		}
		log.InfoContext(ctx, "database schema migrated", "from", current, "to", target)
		return nil
	})
}

// checkSchema refuses a schema that is not this program's.
func checkSchema(ctx context.Context, url string) error {
	return withProvider(url, false, func(provider *goose.Provider) error {
		current, target, err := versions(ctx, provider)
		if err != nil {
			return err
		}
		if current < target {
			return fmt.Errorf("the database has schema version %d and this program needs %d: run `posthorn migrate` first", current, target)
		}
		return nil
	})
}

// versions returns the version of the schema and the one that this program needs.
func versions(ctx context.Context, provider *goose.Provider) (current, target int64, err error) {
	current, target, err = provider.GetVersions(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("reading the schema version: %w", err)
	}
	if current > target {
		return 0, 0, fmt.Errorf("the database has schema version %d and this program knows none above %d: a newer program has used it", current, target)
	}
	return current, target, nil
}

func withProvider(url string, locked bool, use func(*goose.Provider) error) (err error) {
	config, err := parse(url)
	if err != nil {
		return err
	}
	db := stdlib.OpenDB(*config.ConnConfig)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := newProvider(db, locked)
	if err != nil {
		return fmt.Errorf("reading the migrations: %w", err)
	}
	return use(provider)
}

func newProvider(db *sql.DB, locked bool) (*goose.Provider, error) {
	folder, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithLogger(goose.NopLogger()), goose.WithDisableGlobalRegistry(true)}
	if locked {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300), lock.WithUnlockTimeout(1, 30))
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(goose.DialectPostgres, db, folder, options...)
}
