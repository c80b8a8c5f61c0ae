package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store/sqlstore"
)

// The classes and codes of PostgreSQL's errors that mean something here.
const (
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	readOnlyTransaction  = "25006"
	queryCanceled        = "57014"
	undefinedTable       = "42P01"
	checkViolation       = "23514"

	connectionException   = "08"
	insufficientResources = "53"
	operatorIntervention  = "57"
	systemError           = "58"
)

// codeOf is PostgreSQL's code of an error; empty if it is none of PostgreSQL's.
func codeOf(err error) string {
	if failure, ok := errors.AsType[*pgconn.PgError](err); ok {
		return failure.Code
	}
	return ""
}

// isLost reports whether a transaction was lost to another one, and has to be repeated.
func isLost(err error) bool {
	code := codeOf(err)
	return code == serializationFailure || code == deadlockDetected
}

// classified marks the errors that sqlstore knows.
func classified(err error) error {
	if codeOf(err) == uniqueViolation {
		return fmt.Errorf("%w: %w", sqlstore.ErrDuplicate, err)
	}
	return err
}

// Refusal implements [sqlstore.Database]. Whatever may be over soon is Unavailable.
func (d *server) Refusal(err error) error {
	code := codeOf(err)
	switch {
	case strings.HasPrefix(code, insufficientResources):
		return posthorn.Errorf(posthorn.Unavailable, "the database has no room or no connection left: %w", err)
	case strings.HasPrefix(code, connectionException), strings.HasPrefix(code, operatorIntervention), strings.HasPrefix(code, systemError),
		code == readOnlyTransaction, isLost(err), code == "" && isConnection(err):
		return posthorn.Errorf(posthorn.Unavailable, "the database does not answer: %w", err)
	default:
		return nil
	}
}

// isConnection reports whether an error is one of a connection, or of making one. A caller who gave up, or whose time was
// over, says nothing about the database.
func isConnection(err error) bool {
	if errors.Is(err, errMute) {
		return true
	}
	if errors.Is(err, context.Canceled) {
		return false
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, errLost) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err)
}

// errLost is what an answer that never came is for whoever waited for it.
var errLost = errors.New("the connection to the database was lost")
