package posthorn

import (
	"errors"
	"fmt"
)

// Code classifies an error by what the caller can do about it. It knows nothing of HTTP; package api maps it.
type Code string

// The codes. Anything that is not an *Error counts as Internal.
const (
	Invalid      Code = "invalid"       // the input is wrong; Field says where
	Unauthorized Code = "unauthorized"  // no token, or one that proves nothing
	Forbidden    Code = "forbidden"     // a good token that may not do this
	NotFound     Code = "not_found"     // there is none, or none that the caller may know of
	Conflict     Code = "conflict"      // another one has this uid, name or event id
	TooLarge     Code = "too_large"     // the input exceeds a size limit
	LimitReached Code = "limit_reached" // a documented count is used up
	Gone         Code = "gone"          // it was there, and its content has expired or been expunged
	Unavailable  Code = "unavailable"   // try again later; nothing was accepted
	Internal     Code = "internal"      // ours to mend
)

// Error is the one error type of the domain.
type Error struct {
	Code    Code
	Message string // for the caller to read; holds no secrets
	Field   string // path of the offending input, such as "body.url"; empty if it is about no field
	Err     error  // cause, for the log; never shown to the caller
}

// Errorf returns an *Error with a formatted message; %w sets the cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: errors.Unwrap(err)}
}

// InvalidField returns an Invalid error about one field of the input.
func InvalidField(field, format string, args ...any) *Error {
	e := Errorf(Invalid, format, args...)
	e.Field = field
	return e
}

func (e *Error) Error() string {
	switch {
	case e.Field != "":
		return e.Field + ": " + e.Message
	case e.Message != "":
		return e.Message
	default:
		return string(e.Code)
	}
}

func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first *Error in err's chain, Internal if there is none, and "" if err is nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return Internal
}
