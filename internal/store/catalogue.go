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

// AllEventTypes lists an organisation's event types by name, page by page.
func AllEventTypes(ctx context.Context, from EventTypes, org string, f EventTypeFilter) ([]posthorn.EventType, error) {
	var all []posthorn.EventType
	for page := (Page{Limit: 1000}); ; {
		found, err := from.ListEventTypes(ctx, org, f, page)
		if err != nil {
			return nil, err
		}
		all = append(all, found.Items...)
		if !found.More {
			return all, nil
		}
		page.After = found.Items[len(found.Items)-1].Name
	}
}
