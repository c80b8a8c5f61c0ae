package posthorn

import "time"

// BroadcastInput is what a BroadcastMessage task is given: a message without an addressee.
type BroadcastInput struct {
	EventID   string `json:",omitempty"` // an application that has a message with this one is passed over
	EventType string
	Channels  []string      `json:",omitempty"`
	Tags      []string      `json:",omitempty"`
	Payload   []byte        // byte for byte what receivers get
	Retention time.Duration // of the payload

	PayloadVersion string            `json:",omitempty"`
	Variants       map[string][]byte `json:",omitempty"`
	Warnings       []string          `json:",omitempty"`

	DeliverAt     time.Time `json:",omitzero"`
	DeliverBefore time.Time `json:",omitzero"`
}

// PurgeInput is what a PurgeContent task is given. The application is the task's.
type PurgeInput struct {
	Before time.Time // exclusive, by the time in the message's ID: what is posted later stays
}

// StatsInput is what an ApplicationStats task is given: whose messages, from Since on and before Until, to count.
type StatsInput struct {
	Since time.Time
	Until time.Time
	Apps  []AppName `json:",omitempty"` // those of the organisation's applications to count; none means all
}

// AppName is an application in the input and the data of tasks.
type AppName struct {
	ID  string
	UID string `json:",omitempty"`
}
