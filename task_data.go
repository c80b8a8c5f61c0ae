package posthorn

import "encoding/json"

// BroadcastData is what a BroadcastMessage task tells.
type BroadcastData struct {
	Sent    int `json:"sent"`    // applications that have got the message
	Skipped int `json:"skipped"` // applications that had a message with the event id before
}

// PurgeData is what a PurgeContent task tells.
type PurgeData struct {
	Expunged int `json:"expunged"` // messages that had a payload
}

// StatsData is what an ApplicationStats task tells.
type StatsData struct {
	AppStats []AppStats `json:"appStats"`
}

// AppStats counts what was sent to an application.
type AppStats struct {
	AppID               string  `json:"appId"`
	AppUID              *string `json:"appUid"`
	MessageDestinations int     `json:"messageDestinations"` // messages, each as often as it has endpoints
}

// SubscriptionData is what an AggregateEventTypes task tells.
type SubscriptionData struct {
	EventTypes []AppSubscriptions `json:"event_types"`
}

// AppSubscriptions are what the endpoints of an application subscribe to, those that are disabled included.
type AppSubscriptions struct {
	AppID      string   `json:"appId"`
	Explicitly []string `json:"explicitlySubscribedEventTypes"` // by name
	CatchAll   bool     `json:"hasCatchAllEndpoint"`            // one of them takes every event type
}

// ExportData is what an ExportCatalogue task tells: the document, and where to get it as a file.
type ExportData struct {
	Spec      json.RawMessage `json:"spec"`
	SchemaZip string          `json:"schemaZip"` // a data: URL of a ZIP archive that holds the document as openapi.json
}
