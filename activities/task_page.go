package activities

import (
	"time"

	"github.com/posthorn/posthorn"
)

// pageCursor is where a step stands in a list by ID. At is the moment from which the identifiers of the page's new
// things are derived: close to the truth, and yet the same when the step is repeated.
type pageCursor struct {
	After string    `json:",omitempty"`
	At    time.Time `json:",omitzero"`
}

// begun is the moment of the page.
func (c pageCursor) begun(t posthorn.Task) time.Time {
	if c.At.IsZero() {
		return t.CreatedAt
	}
	return c.At
}

// moment is now, to the precision of identifiers.
func (a *Activities) moment() time.Time { return a.Now().UTC().Truncate(time.Millisecond) }
