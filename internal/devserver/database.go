package devserver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/blang/semver/v4"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/headers"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/schema"
	sqliteschema "go.temporal.io/server/schema/sqlite"
)

const (
	mainFile       = "temporal.db"
	mainSchema     = "sqlite/v3/temporal/schema.sql"
	visibilityFile = "visibility.db"
)

// busyTimeout is how long a statement waits for another process, such as a backup, that holds the file.
const busyTimeout = 10 * time.Second

// pragmas of a connection, by name.
type pragmas map[string]string

// sharedPragmas hold for both files.
func sharedPragmas() pragmas {
	return pragmas{
		// Readers do not block the writer, and a commit is one append instead of two synced files.
		"journal_mode": "wal",
		"busy_timeout": fmt.Sprint(busyTimeout.Milliseconds()),
		// Copy the log back every 16 MiB instead of 4: under load the same pages are written again and again, and
		// only the last version is copied.
		"wal_autocheckpoint": "4000",
		// After a burst give the log's disk space back down to this many bytes.
		"journal_size_limit": "67108864",
		// Sorting for lists must not create files.
		"temp_store": "memory",
	}
}

// mainPragmas hold for the file with workflows and histories.
func mainPragmas(d Durability) pragmas {
	p := sharedPragmas()
	// FULL syncs the log at each commit, NORMAL only before it is copied back. Either keeps the file consistent.
	p["synchronous"] = "FULL"
	if d == Normal {
		p["synchronous"] = "NORMAL"
	}
	// 6 MiB of pages (negative: KiB): the inner pages of every index, and the newest rows. Ids grow with time, so that is
	// where the work is.
	p["cache_size"] = "-6144"
	return p
}

// visibilityPragmas hold for the file with the list of workflows.
func visibilityPragmas() pragmas {
	p := sharedPragmas()
	// Never wait for the disk: the list follows from the workflows and may be lost, see Options.Durability.
	p["synchronous"] = "OFF"
	p["cache_size"] = "-2048"
	return p
}

// sqlConfig is the same file as Temporal's own SQLite plugin opens it: one connection, shared by all services.
//
// More connections would not help. The plugin's transactions begin as readers, and one that turns writer after another
// has committed fails at once instead of waiting.
//
// nonce differs at each start. The plugin keeps connections by address for the life of the process, and a second
// server in this process must not be handed a file that the first one replaced. SQLite ignores the parameter.
func sqlConfig(path string, p pragmas, nonce string) *config.SQL {
	attributes := map[string]string{"mode": "rw", "setup": nonce}
	for name, value := range p {
		attributes[name] = value
	}
	return &config.SQL{
		PluginName:        sqliteplugin.PluginName,
		DatabaseName:      escapePath(path),
		ConnectAttributes: attributes,
	}
}

// escapePath makes a path safe inside the URI that SQLite opens.
func escapePath(path string) string {
	return (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath()
}

// openFile opens path, creating it if need be, on one connection with the given pragmas.
func openFile(ctx context.Context, path string, p pragmas) (*sql.DB, error) {
	query := url.Values{"mode": {"rwc"}}
	for name, value := range p {
		query.Add("_pragma", name+"="+value)
	}
	db, err := sql.Open("sqlite", "file:"+escapePath(path)+"?"+query.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// inFile runs f on path and closes it again.
func inFile(ctx context.Context, path string, p pragmas, f func(*sql.DB) error) (err error) {
	db, err := openFile(ctx, path, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	return f(db)
}

// inTx runs f in one transaction.
func inTx(ctx context.Context, db *sql.DB, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// exists reports whether path is there.
func exists(path string) (bool, error) {
	switch _, err := os.Stat(path); {
	case err == nil:
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	default:
		return false, err
	}
}

// prepareMain creates the main file, or checks that this version can go on with it, and registers the namespace.
// It returns the column that each search attribute of the namespace is stored in.
func prepareMain(ctx context.Context, path string, o Options) (columns map[string]string, err error) {
	err = inFile(ctx, path, mainPragmas(o.Durability), func(db *sql.DB) error {
		return inTx(ctx, db, func(tx *sql.Tx) error {
			if err := migrateMain(ctx, tx); err != nil {
				return err
			}
			columns, err = registerNamespace(ctx, tx, o)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("preparing %s: %w", path, err)
	}
	return columns, nil
}

// migrateMain brings tx's file to the schema of the Temporal server in this binary, from nothing or not at all.
//
// Temporal does not check the schema of a SQLite file, so a table of our own records who wrote it last.
func migrateMain(ctx context.Context, tx *sql.Tx) error {
	const createVersion = `CREATE TABLE IF NOT EXISTS posthorn_version (
		id             INTEGER PRIMARY KEY CHECK (id = 1),
		server_version TEXT NOT NULL,
		schema_version TEXT NOT NULL)`
	if _, err := tx.ExecContext(ctx, createVersion); err != nil {
		return err
	}
	var server, schemaVersion string
	switch err := tx.QueryRowContext(ctx, `SELECT server_version, schema_version FROM posthorn_version`).
		Scan(&server, &schemaVersion); {
	case errors.Is(err, sql.ErrNoRows):
		if err := execSchema(ctx, tx, mainSchema); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if err := checkVersion(server, schemaVersion); err != nil {
			return err
		}
	}
	const record = `INSERT INTO posthorn_version (id, server_version, schema_version) VALUES (1, ?, ?)
		ON CONFLICT (id) DO UPDATE SET server_version = excluded.server_version, schema_version = excluded.schema_version`
	_, err := tx.ExecContext(ctx, record, headers.ServerVersion, sqliteschema.Version)
	return err
}

// checkVersion says whether this binary may go on with a file that the given version of Temporal wrote.
func checkVersion(server, schemaVersion string) error {
	wrote, err := semver.Parse(server)
	if err != nil {
		return fmt.Errorf("recorded Temporal version %q: %w", server, err)
	}
	if own := semver.MustParse(headers.ServerVersion); wrote.GT(own) {
		return fmt.Errorf("written by Temporal %s, this binary embeds the older %s: "+
			"use the newer binary, or start with an empty folder", server, own)
	}
	if schemaVersion != sqliteschema.Version {
		return fmt.Errorf("written with Temporal's schema %s, this binary needs %s: "+
			"use the binary that wrote it, or start with an empty folder", schemaVersion, sqliteschema.Version)
	}
	return nil
}

// execSchema runs one of the schema files that the Temporal server ships.
func execSchema(ctx context.Context, tx *sql.Tx, name string) error {
	script, err := fs.ReadFile(schema.Assets(), name)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, string(script)); err != nil {
		return fmt.Errorf("running %s: %w", name, err)
	}
	return nil
}

// checkpoint moves what is in the write-ahead log into the file itself and empties the log.
func checkpoint(ctx context.Context, path string, p pragmas) error {
	err := inFile(ctx, path, p, func(db *sql.DB) error {
		var busy, logged, moved int
		row := db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
		if err := row.Scan(&busy, &logged, &moved); err != nil {
			return err
		}
		if busy != 0 {
			return errors.New("another process is reading the file")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("checkpointing %s: %w", path, err)
	}
	return nil
}
