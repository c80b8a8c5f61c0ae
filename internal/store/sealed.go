package store

import "errors"

// Errors of opening a store whose secrets are sealed.
var (
	// ErrSealed: the secrets in the database are encrypted and no main secret was given.
	ErrSealed = errors.New("the secrets in the database are encrypted, and can't be read without the main secret")
	// ErrOtherSecret: the secrets in the database are encrypted with another main secret than the one given.
	ErrOtherSecret = errors.New("the secrets in the database are encrypted with another main secret")
)
