package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
)

// Outage reports whether an error of a store means that the database can do nothing for now: it doesn't answer, is starting
// or stopping, has no connection or no space left. Whoever repeats the call later may succeed, and a write of which this is
// the outcome may have been made.
func Outage(err error) bool {
	if err == nil {
		return false
	}
	for _, gone := range []error{
		context.DeadlineExceeded, driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
	} {
		if errors.Is(err, gone) {
			return true
		}
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	if server, ok := errors.AsType[interface {
		error
		SQLState() string
	}](err); ok {
		return passing(server.SQLState())
	}
	if file, ok := errors.AsType[interface {
		error
		Code() int
	}](err); ok {
		return passingCode(file.Code())
	}
	return false
}

// passing reports whether a code of the SQL standard, or of PostgreSQL, is about the state of the server.
func passing(state string) bool {
	for _, class := range []string{
		"08",    // connection
		"40",    // transaction rolled back, a deadlock among the reasons
		"53",    // resources: disk, memory, connections
		"57P",   // the server stops or starts
		"58",    // its operating system
		"25006", // it is a standby
		"55P03", // a lock was not to be had
	} {
		if strings.HasPrefix(state, class) {
			return true
		}
	}
	return false
}

// passingCode reports whether a code of SQLite is about its surroundings.
func passingCode(code int) bool {
	switch code & 0xff { // the rest is detail
	case 5, // busy
		6,  // locked
		10, // input or output
		13, // disk full
		14: // can't open
		return true
	}
	return false
}
