package store

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

// Revocations are kept by organisation and subject.
type Revocations interface {
	// Revoke stores revocations, all in one commit. It removes those of the same subjects that the new ones make
	// superfluous, and all of any subject that are over by now. To revoke a token again changes nothing.
	Revoke(ctx context.Context, revocations []posthorn.Revocation, now time.Time) error
	// RevocationsOf returns an organisation's revocations of any of the subjects.
	RevocationsOf(ctx context.Context, org string, subjects []string) ([]posthorn.Revocation, error)
}
