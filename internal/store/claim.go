package store

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

// Claims keep a request that is repeated under the same key from being executed twice, also by two processes.
//
// A claim is open while its request is being executed. It then becomes answered, or settled, or is dropped. Time ends it
// too: from ExpiresAt on it is as if it were not there. An open claim whose process died is therefore taken over by
// whoever comes after that.
type Claims interface {
	// Claim finds one that has not expired at a moment. NotFound.
	Claim(ctx context.Context, id []byte, now time.Time) (Claim, error)
	// CreateClaim stores an open claim, or a settled one if it names messages, in place of an expired one. Conflict: there
	// is one that has not expired at CreatedAt.
	CreateClaim(ctx context.Context, c Claim) error
	// AnswerClaim gives an open claim its answer and a later end. NotFound: it is not the owner's any more.
	AnswerClaim(ctx context.Context, c Claim) error
	// DropClaim removes an open claim. Nothing happens if it is not the owner's any more.
	DropClaim(ctx context.Context, c Claim) error
	// DeleteExpiredClaims removes up to limit claims that have expired at a moment, and returns how many it found.
	DeleteExpiredClaims(ctx context.Context, now time.Time, limit int) (int, error)
	// CreateMessages stores messages in one commit, each as CreateMessage does, and passes over those without an ID. A
	// message with an EventID that another message of the application has, an earlier one of the same call included, is
	// left out: its error is a Conflict, and the others are nil. If any message is stored, the claim, unless nil, is
	// settled in the same commit: either all of this is durable, or nothing. Conflict as the second error: there is such a
	// claim already, and nothing was stored.
	CreateMessages(ctx context.Context, ms []posthorn.Message, c *Claim) ([]error, error)
}

// Claim is the right of one request to be executed, and later what came of it.
type Claim struct {
	ID          []byte // digest of whose request it is, where it went, and its key
	Fingerprint []byte // digest of the rest of the request
	Owner       string // who executes the request; empty once it is settled
	CreatedAt   time.Time
	ExpiresAt   time.Time
	// Messages are what a settled claim's request made, in the order of the request: the IDs, and an empty string for
	// each message that was left out. The answer can be told from them. Set by CreateMessages.
	Messages []string
	// Answer is what an answered claim's request was answered with, sealed.
	Answer []byte
}

// Settled reports whether the messages that the request made tell the answer.
func (c *Claim) Settled() bool { return len(c.Messages) > 0 }

// Answered reports whether the answer is kept.
func (c *Claim) Answered() bool { return len(c.Answer) > 0 }
