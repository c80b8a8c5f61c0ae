package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/posthorn/posthorn"
)

// ErrDuplicate is what a unique index that refuses a row is for every database.
var ErrDuplicate = errors.New("there is such a row already")

// refused marks the error of a caller's function on its way through a transaction.
type refused struct{ error }

// annotate says what was being done, on the error of a database that did not do it. A domain error speaks for itself,
// and so does a caller's own.
func (s *Store) annotate(err *error, format string, args ...any) {
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
	if refusal := s.db.Refusal(*err); refusal != nil {
		*err = refusal
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
func isDuplicate(err error) bool { return errors.Is(err, ErrDuplicate) }

// orDuplicate is the error of an insert, also where that has only said that there is such a row.
func orDuplicate(inserted bool, err error) error {
	if err == nil && !inserted {
		return ErrDuplicate
	}
	return err
}
