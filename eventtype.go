package posthorn

import (
	"encoding/json"
	"slices"
	"time"
)

// EventType is an entry of the organisation's event catalogue.
type EventType struct {
	Name         string // such as "order.created"; its identity
	OrgID        string
	Description  string
	GroupName    string // for people who browse the catalogue; empty if none
	Archived     bool
	Deprecated   bool
	Schemas      map[string]json.RawMessage // JSON Schema of the payload by version; nil if none
	Validation   Validation                 // what is done with payloads that violate their schema
	FeatureFlags []string                   // shown only to tokens with one of these; empty = to all

	RetrySchedule *Schedule // of its messages; nil = the server's, empty = a single attempt

	CreatedAt time.Time
	UpdatedAt time.Time
}

// Validation says what becomes of a message whose payload violates the schema of its version.
type Validation string

// The modes. Unchecked is the default.
const (
	Unchecked Validation = ""       // payloads are not looked at
	Warn      Validation = "warn"   // the message is accepted, and carries what is wrong with it
	Reject    Validation = "reject" // the message is refused
)

// VisibleWith reports whether a token that holds some feature flags may see the event type.
func (t *EventType) VisibleWith(flags []string) bool {
	return len(t.FeatureFlags) == 0 || slices.ContainsFunc(t.FeatureFlags, func(flag string) bool { return slices.Contains(flags, flag) })
}
