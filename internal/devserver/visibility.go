package devserver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"go.temporal.io/server/schema"
)

const visibilitySchema = "sqlite/v3/visibility/schema.sql"

// expectation is what is known about the visibility file before looking at it.
type expectation struct {
	// file: there should be one.
	file bool
	// intact: the machine has not gone down under a running server, so the file need not be checked. A check reads all
	// of it, 2 s for 100,000 workflows.
	intact bool
}

// prepareVisibility creates the visibility file, or moves it aside and creates a new one if it cannot be used.
// columns maps the search attributes of the namespace to where they are stored.
func prepareVisibility(ctx context.Context, path string, columns map[string]string, log *slog.Logger, e expectation) error {
	found, err := exists(path)
	if err != nil {
		return fmt.Errorf("preparing %s: %w", path, err)
	}
	const lost = "the list of past workflows is lost, the workflows themselves are not: " +
		"running ones go on, and each is listed again as soon as it closes"
	switch {
	case found:
		problem, err := checkVisibility(ctx, path, e.intact)
		if err != nil {
			return fmt.Errorf("checking %s: %w", path, err)
		}
		if problem != "" {
			aside, err := moveAside(path)
			if err != nil {
				return fmt.Errorf("moving damaged %s aside: %w", path, err)
			}
			log.WarnContext(ctx, "visibility database cannot be used; "+lost, "moved_to", aside, "reason", problem)
		}
	case e.file:
		log.WarnContext(ctx, "visibility database is gone; "+lost, "path", path)
	}
	err = inFile(ctx, path, visibilityPragmas(), func(db *sql.DB) error {
		return inTx(ctx, db, func(tx *sql.Tx) error {
			if err := createVisibility(ctx, tx); err != nil {
				return err
			}
			return reconcileIndexes(ctx, tx, slices.Collect(maps.Values(columns)))
		})
	})
	if err != nil {
		return fmt.Errorf("preparing %s: %w", path, err)
	}
	return nil
}

// checkVisibility returns what makes the file unusable, or "". An error means that it could not be checked.
func checkVisibility(ctx context.Context, path string, intact bool) (problem string, err error) {
	want, err := visibilityLayout()
	if err != nil {
		return "", err
	}
	err = inFile(ctx, path, visibilityPragmas(), func(db *sql.DB) error {
		var got int32
		if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&got); err != nil {
			return err
		}
		// Temporal has no migrations for this file.
		if got != want {
			problem = fmt.Sprintf("layout %d, this version of Temporal needs %d", got, want)
			return nil
		}
		if intact {
			return nil
		}
		var verdict string
		if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
			return err
		}
		if verdict != "ok" {
			problem = verdict
		}
		return nil
	})
	if damaged(err) {
		return err.Error(), nil
	}
	return problem, err
}

// damaged reports whether SQLite found the file corrupt or not a database. Anything else, a lock or a full disk, says
// nothing about the file.
func damaged(err error) bool {
	const (
		primary = 0xff // of an extended result code
		corrupt = 11
		notADB  = 26
	)
	var coded interface{ Code() int }
	if !errors.As(err, &coded) {
		return false
	}
	code := coded.Code() & primary
	return code == corrupt || code == notADB
}

// moveAside renames the file and what belongs to it, so that it can be looked into, and returns the new name.
func moveAside(path string) (string, error) {
	aside := path + ".broken-" + time.Now().UTC().Format("20060102T150405.000000000Z")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return aside, nil
}

// visibilityLayout identifies the tables of the visibility file: a number that changes with Temporal's schema.
func visibilityLayout() (int32, error) {
	script, err := fs.ReadFile(schema.Assets(), visibilitySchema)
	if err != nil {
		return 0, err
	}
	return int32(crc32.ChecksumIEEE(script) >> 1), nil //nolint:gosec // 31 bits fit.
}

// createVisibility makes the tables in a new file and leaves any other alone.
func createVisibility(ctx context.Context, tx *sql.Tx) error {
	var version int32
	if err := tx.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return err
	}
	if version != 0 {
		return nil
	}
	if err := execSchema(ctx, tx, visibilitySchema); err != nil {
		return err
	}
	if err := replaceTriggers(ctx, tx); err != nil {
		return err
	}
	layout, err := visibilityLayout()
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, layout))
	return err
}
