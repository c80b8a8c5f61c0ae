package devserver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const stateFile = "server.state"

// folderState is the lock on a folder, and the memory of how the last server on it ended. It is a SQLite file because
// SQLite's locks work alike on every system and vanish with the process.
type folderState struct {
	db *sql.DB
	// intact is false if the last server was still running when the machine went down. A process that is merely killed
	// damages nothing: what it wrote is with the operating system.
	intact bool
}

// lockFolder takes the folder for this server and notes that it is in use.
func lockFolder(ctx context.Context, dir string) (*folderState, error) {
	path := filepath.Join(dir, stateFile)
	db, err := openFile(ctx, path, pragmas{
		// The first write locks the file until it is closed, not only until the end of the transaction.
		"locking_mode": "exclusive",
		// Fail at once, waiting would be for the life of the other server.
		"busy_timeout": "0",
	})
	s := &folderState{db: db}
	if err == nil {
		if err = s.begin(ctx); err != nil {
			err = errors.Join(err, db.Close())
		}
	}
	if err != nil {
		return nil, fmt.Errorf("locking %s (is another server using the folder?): %w", path, err)
	}
	return s, nil
}

func (s *folderState) begin(ctx context.Context) error {
	return inTx(ctx, s.db, func(tx *sql.Tx) error {
		const create = `CREATE TABLE IF NOT EXISTS state (
			id    INTEGER PRIMARY KEY CHECK (id = 1),
			clean INTEGER NOT NULL, -- whether the last server was stopped, or there was none
			boot  TEXT    NOT NULL  -- when it started: the machine's boot
		)`
		if _, err := tx.ExecContext(ctx, create); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO state VALUES (1, TRUE, '') ON CONFLICT DO NOTHING`); err != nil {
			return err
		}
		var clean bool
		var lastBoot string
		if err := tx.QueryRowContext(ctx, `SELECT clean, boot FROM state`).Scan(&clean, &lastBoot); err != nil {
			return err
		}
		boot := bootID()
		s.intact = clean || boot != "" && boot == lastBoot
		_, err := tx.ExecContext(ctx, `UPDATE state SET clean = FALSE, boot = ?`, boot)
		return err
	})
}

// unlock gives the folder back. clean says whether all files are as they should be.
func (s *folderState) unlock(ctx context.Context, clean bool) error {
	_, err := s.db.ExecContext(ctx, `UPDATE state SET clean = ?`, clean)
	return errors.Join(err, s.db.Close())
}

// bootID names this run of the machine, or is "" where the system does not say.
func bootID() string {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}
