package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	driver "modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/posthorn/posthorn"
)

// primary is the part of a result code that SQLite documents as the basic one.
const primary = 0xff

// refused marks the error of a caller's function on its way through a transaction.
type refused struct{ error }

// annotate says what was being done, on the error of a database that did not do it. A domain error speaks for itself,
// and so does a caller's own.
func annotate(err *error, format string, args ...any) {
	if *err == nil {
		return
	}
	if own, ok := (*err).(refused); ok { //nolint:errorlint // it is the outermost by construction; one that a caller wrapped is not ours
		*err = own.error
		return
	}
	if _, ok := errors.AsType[*posthorn.Error](*err); ok {
		return
	}
	*err = fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), *err)
	if failure, ok := errors.AsType[*driver.Error](*err); ok {
		switch failure.Code() & primary {
		case lib.SQLITE_FULL:
			*err = posthorn.Errorf(posthorn.Unavailable, "the database has no room to write: %w", *err)
		case lib.SQLITE_BUSY:
			*err = posthorn.Errorf(posthorn.Unavailable, "the database is in use by another process: %w", *err)
		}
	}
}

// notFound turns "no row" into a domain error that names what was looked for.
func notFound(err error, format string, args ...any) error {
	if errors.Is(err, sql.ErrNoRows) {
		return posthorn.Errorf(posthorn.NotFound, "there is no "+format, args...)
	}
	return err
}

// isDuplicate reports whether a unique index refused a row.
func isDuplicate(err error) bool {
	failure, ok := errors.AsType[*driver.Error](err)
	return ok && (failure.Code() == lib.SQLITE_CONSTRAINT_UNIQUE || failure.Code() == lib.SQLITE_CONSTRAINT_PRIMARYKEY)
}
