package store

import (
	"context"

	"github.com/posthorn/posthorn"
)

// Catalogue is the event types of an organisation as a whole.
type Catalogue interface {
	// UpdateCatalogue reads all event types of an organisation, archived ones included, by name, and writes those that
	// change returns, new ones included, in a single transaction. An error of change is returned as it is and nothing is
	// written.
	UpdateCatalogue(ctx context.Context, org string, change func([]posthorn.EventType) ([]posthorn.EventType, error)) error
	// OnEventTypeChange has f called, after the commit, with the organisation and the name of each event type that was
	// made, changed or removed. f must be quick.
	OnEventTypeChange(f func(org, name string))
}
