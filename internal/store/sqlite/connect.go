package sqlite

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

const readers = 4

// connectWriter opens a pool of one connection. cache_size is in KiB where it is negative.
func connectWriter(path string, durability Durability) (*sql.DB, error) {
	return connect(path, 1,
		"journal_mode(wal)",
		"synchronous("+string(durability)+")",
		"busy_timeout(10000)",
		"cache_size(-4096)",
		"wal_autocheckpoint(4000)",     // in pages, four times the default: hot pages are copied back less often
		"journal_size_limit(67108864)", // gives the disk back what a burst of writes took
		"secure_delete(on)",            // what was erased or expunged does not linger in free pages
	)
}

// connectReaders opens a pool of connections that can't write.
func connectReaders(path string) (*sql.DB, error) {
	return connect(path, readers, "query_only(on)", "busy_timeout(10000)", "cache_size(-1024)")
}

func connect(path string, size int, pragmas ...string) (*sql.DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("locating %s: %w", path, err)
	}
	source := url.URL{
		Scheme: "file", OmitHost: true, Path: absolute,
		RawQuery: url.Values{"_pragma": pragmas}.Encode(),
	}
	db, err := sql.Open("sqlite", source.String())
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	return db, nil
}

// createFile makes the database file, if there is none, with the mode that the files beside it inherit.
func createFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}
