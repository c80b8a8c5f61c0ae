package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A server can be connected and say nothing: it was stopped, its disk hangs, or the network swallows what is sent. Then
// whoever waits gives up at some time, even if the caller would wait for ever. The connection is not used again, so that
// the server undoes what it had begun.
const (
	// groupTimeout is how long a round trip of a transaction may take, and the locks at its beginning.
	groupTimeout = 10 * time.Second
	// readTimeout is how long the answer to a query may take.
	readTimeout = 30 * time.Second
)

// errMute is what the database has done that was waited for too long.
var errMute = errors.New("it has not answered in time")

// patience is how long an answer of the database is waited for.
type patience struct {
	context.Context
	caller context.Context
	end    context.CancelFunc
}

func waitFor(caller context.Context, limit time.Duration) *patience {
	ctx, cancel := context.WithTimeout(caller, limit)
	return &patience{ctx, caller, cancel}
}

// explain tells the end of our patience from the end of the caller's, which says nothing about the database.
func (p *patience) explain(err error) error {
	if err != nil && errors.Is(p.Err(), context.DeadlineExceeded) && p.caller.Err() == nil {
		return fmt.Errorf("%w: %w", errMute, err)
	}
	return err
}
