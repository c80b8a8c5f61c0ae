package posthorn

import (
	"encoding/json"
	"time"
)

// EventType is an entry of the organisation's event catalogue.
type EventType struct {
	Name        string // such as "order.created"; its identity
	OrgID       string
	Description string
	Archived    bool
	Deprecated  bool
	Schemas     map[string]json.RawMessage // JSON Schema by version; nil if none
	FeatureFlag string                     // shown only to tokens with this flag; empty = to all
	CreatedAt   time.Time
	UpdatedAt   time.Time
}
