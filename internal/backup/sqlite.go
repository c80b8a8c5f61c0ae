package backup

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"
)

// copyDatabase makes a copy of a database as it is at one moment. Whoever writes to it goes on. The copy has none of the
// free pages, and so nothing of what was erased.
//
// SQLite's backup interface would begin again whenever another process writes, and never end under load.
func copyDatabase(ctx context.Context, from, to string) error {
	return inDatabase(from, func(db *sql.DB) error {
		_, err := db.ExecContext(ctx, "VACUUM INTO ?", to)
		return err
	})
}

// reopen notes in a restored database what may have lost its workflow, if that began between the copy of the workflows and
// that of this database: the start of the server looks after messages that are undispatched and tasks that have not begun,
// and finds those out that have their workflow all the same. For deliveries that wait for an attempt nothing is needed,
// because they are woken when they are overdue.
func reopen(ctx context.Context, path string) error {
	return inDatabase(path, func(db *sql.DB) error {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		for _, statement := range []string{
			"INSERT OR IGNORE INTO undispatched (message_id) SELECT message_id FROM scheduled",
			"DELETE FROM scheduled",
			"UPDATE task SET begun = 0 WHERE state = 'running'",
		} {
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return errors.Join(err, tx.Rollback())
			}
		}
		return tx.Commit()
	})
}

// inDatabase opens a file that there has to be, for one connection.
func inDatabase(path string, do func(*sql.DB) error) (err error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	source := url.URL{Scheme: "file", OmitHost: true, Path: absolute, RawQuery: url.Values{
		"mode":    {"rw"},
		"_pragma": {"busy_timeout(10000)"},
	}.Encode()}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	return do(db)
}
