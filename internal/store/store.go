// Package store is the contract of Posthorn's database: what there is (applications, endpoints, event types, messages)
// and what happened (deliveries, attempts). What happens next is Temporal's business.
//
// Each method says which errors it may return besides those of the database itself; they are *posthorn.Error values,
// recognised with posthorn.CodeOf. A method that returns nil has committed: what it wrote survives a crash of the
// process, and a power failure too unless the store was opened with less durability.
//
// A function that is given to an Update method may be called more than once, when its transaction is repeated. It must
// not use the store.
//
// Implementations live in sub-packages and pass package storetest, the one conformance suite.
package store

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

// Store holds everything but the workflows. Its methods are safe for concurrent use.
type Store interface {
	Applications
	Endpoints
	EventTypes
	Catalogue
	Messages
	Deliveries
	Waiting
	Cancelling
	Healths
	Fanout
	Ordering
	Limits
	Polling
	AttemptStatistics
	Counts
	Tasks
	Replays
	Contents
	Retention
	Usage
	Revocations
	Claims
	Notices

	// Ping reports whether the database answers.
	Ping(ctx context.Context) error
	// Close releases the database. It waits for writes under way.
	Close() error
}

// Applications are addressed by org and ref, where ref is an ID or a UID.
type Applications interface {
	// CreateApplication stores a new application. Conflict: the UID is taken in its organisation.
	CreateApplication(ctx context.Context, app posthorn.Application) error
	// Application finds one. NotFound.
	Application(ctx context.Context, org, ref string) (posthorn.Application, error)
	// UpdateApplication reads, changes and writes one application in a single transaction, so that concurrent changes
	// don't overwrite each other. An error of change is returned as it is and nothing is written. NotFound, Conflict.
	UpdateApplication(ctx context.Context, org, ref string, change func(*posthorn.Application) error) (posthorn.Application, error)
	// DeleteApplication hides it and its endpoints for good, erases its pollers and frees its UID. Its messages stay.
	// NotFound.
	DeleteApplication(ctx context.Context, org, ref string, now time.Time) error
	// Owner returns the organisation of an application, by its ID, deleted or not. NotFound.
	Owner(ctx context.Context, appID string) (org string, err error)
	// ListApplications lists an organisation's applications by ID.
	ListApplications(ctx context.Context, org string, page Page) (List[posthorn.Application], error)
}

// Endpoints are addressed by the application's ID and ref, where ref is an ID or a UID.
type Endpoints interface {
	// CreateEndpoint stores a new endpoint. Conflict: the UID is taken in its application.
	CreateEndpoint(ctx context.Context, ep posthorn.Endpoint) error
	// Endpoint finds one that is not deleted. NotFound.
	Endpoint(ctx context.Context, appID, ref string) (posthorn.Endpoint, error)
	// UpdateEndpoint reads, changes and writes one endpoint (secrets and headers included) in a single transaction. An
	// error of change is returned as it is and nothing is written. NotFound, Conflict.
	UpdateEndpoint(ctx context.Context, appID, ref string, change func(*posthorn.Endpoint) error) (posthorn.Endpoint, error)
	// DeleteEndpoint hides it from everything but the deliveries that it has already, and frees its UID. Its secrets are
	// erased. NotFound.
	DeleteEndpoint(ctx context.Context, appID, ref string, now time.Time) error
	// ListEndpoints lists an application's endpoints by ID.
	ListEndpoints(ctx context.Context, appID string, page Page) (List[posthorn.Endpoint], error)
	// Routes returns all endpoints of an application that are not deleted, by ID.
	Routes(ctx context.Context, appID string) ([]posthorn.Endpoint, error)
	// OnRouteChange has f called, after the commit, with the ID of each application whose Routes or ThrottleRate may have
	// changed, and of the endpoint; without one, all may have. f must be quick. Call it before the store is shared.
	OnRouteChange(f func(appID, endpointID string))
}

// EventTypes are addressed by organisation and name.
type EventTypes interface {
	// CreateEventType stores a new event type, in place of an archived one of that name. Conflict: one that is not
	// archived has the name.
	CreateEventType(ctx context.Context, et posthorn.EventType) error
	// EventType finds one, archived or not. NotFound.
	EventType(ctx context.Context, org, name string) (posthorn.EventType, error)
	// UpdateEventType reads, changes and writes one in a single transaction. NotFound.
	UpdateEventType(ctx context.Context, org, name string, change func(*posthorn.EventType) error) (posthorn.EventType, error)
	// DeleteEventType removes one for good. NotFound.
	DeleteEventType(ctx context.Context, org, name string) error
	// ListEventTypes lists them by name (Page.After is a name).
	ListEventTypes(ctx context.Context, org string, f EventTypeFilter, page Page) (List[posthorn.EventType], error)
	// MissingEventTypes returns those of the names that the catalogue does not have.
	MissingEventTypes(ctx context.Context, org string, names []string) ([]string, error)
}

// Messages are addressed by the application's ID and ref, where ref is an ID or an EventID.
type Messages interface {
	// CreateMessage stores a message and notes it as not dispatched. Many concurrent calls share one commit. Conflict:
	// the application has a message with this EventID.
	CreateMessage(ctx context.Context, m posthorn.Message) error
	// CreateManualMessage stores a message that is sent by hand only: it is never Undispatched. Conflict as above.
	CreateManualMessage(ctx context.Context, m posthorn.Message) error
	// Message finds one, payload in all versions included unless it has expired. NotFound.
	Message(ctx context.Context, appID, ref string) (posthorn.Message, error)
	// MessageByID finds one by its ID alone, payload in all versions included unless it has expired. NotFound.
	MessageByID(ctx context.Context, id string) (posthorn.Message, error)
	// ListMessages lists an application's messages by ID.
	ListMessages(ctx context.Context, appID string, f MessageFilter, page Page) (List[posthorn.Message], error)
	// Undispatched returns messages, without payload, that were made before a moment and whose first round of sending has
	// not been recorded: in progress, or left behind by a crash. MarkScheduled ends that, too. Oldest first, beginning behind the ID after.
	Undispatched(ctx context.Context, after string, before time.Time, limit int) ([]posthorn.Message, error)
	// IsUndispatched reports whether one message is among those.
	IsUndispatched(ctx context.Context, id string) (bool, error)
	// ExpungePayload removes a message's payload in all versions, and the warnings that quote it. NotFound.
	ExpungePayload(ctx context.Context, appID, ref string) error
}

// Deliveries and their attempts.
type Deliveries interface {
	// Record writes what happened, all of it in one commit, which many concurrent calls share. It returns the attempts
	// with their Number set. An attempt whose ID is there already is left as it is, so Record may be repeated. NotFound: the
	// message is not kept any more, and nothing was written.
	Record(ctx context.Context, r Record) ([]posthorn.Attempt, error)
	// Delivery finds one. NotFound.
	Delivery(ctx context.Context, messageID, endpointID string) (posthorn.Delivery, error)
	// MessageDeliveries returns all deliveries of a message, by endpoint ID.
	MessageDeliveries(ctx context.Context, messageID string) ([]posthorn.Delivery, error)
	// LastAttempt returns the newest scheduled attempt of a delivery. NotFound.
	LastAttempt(ctx context.Context, messageID, endpointID string) (posthorn.Attempt, error)
	// ListDestinations lists a message's deliveries with their endpoints, deleted ones included, by endpoint ID.
	ListDestinations(ctx context.Context, messageID string, page Page) (List[Destination], error)
	// ListEndpointMessages lists the messages that have a delivery to an endpoint, by message ID.
	ListEndpointMessages(ctx context.Context, endpointID string, f EndpointMessageFilter, page Page) (List[EndpointMessage], error)
	// Attempt finds one, Sent included. NotFound: also if it is another message's.
	Attempt(ctx context.Context, messageID, attemptID string) (posthorn.Attempt, error)
	// ListAttempts lists attempts by ID. The filter names a message, an endpoint or both.
	ListAttempts(ctx context.Context, f AttemptFilter, page Page) (List[posthorn.Attempt], error)
}

// Record is a set of facts about one message that become durable together.
type Record struct {
	MessageID string
	AppID     string
	// Dispatched ends the message's first round: it is no longer Undispatched.
	Dispatched bool
	// Pending are endpoints whose delivery has begun without an ended attempt. A delivery that exists is left as it is.
	Pending []string
	// Ordered are those of the endpoints concerned that want their messages in order: deliveries that are made by this
	// record take their place in the order.
	Ordered []string
	// Attempts have ended. Each moves its delivery on: to Delivered on success (for good), otherwise to Retrying where
	// NextAt is set and to Failed where it is not. A Manual attempt that fails leaves the state as it is unless there was no delivery
	// before, in which case the delivery is Failed. A failure leaves a Cancelled delivery as it is, and then has no NextAt.
	// Attempt.Number is ignored and set.
	Attempts []posthorn.Attempt
	// Waiting deliveries are not sent for now; only MessageID, EndpointID, Waits, Reason, Parked and NextAt (zero: until it is woken)
	// are read. One that has ended stays as it is, unless only attempts by hand have failed. Nothing else is changed: waiting uses up no attempts.
	Waiting []posthorn.Delivery
	// Closed deliveries end without a further attempt; only MessageID, EndpointID, State and Reason are read. One that
	// is Delivered stays Delivered.
	Closed []posthorn.Delivery
	// Rules say what follows for endpoints that fail.
	Rules posthorn.HealthRules
}

// Destination is a delivery seen from the message.
type Destination struct {
	Endpoint posthorn.Endpoint
	Delivery posthorn.Delivery
}

// EndpointMessage is a delivery seen from the endpoint.
type EndpointMessage struct {
	Message  posthorn.Message
	Delivery posthorn.Delivery
}

// Page asks for a part of a list.
type Page struct {
	Limit      int    // how many items at most; at least 1
	Descending bool   // newest (or last by name) first
	After      string // key of the item where the last page ended; empty for the first page. An unknown key is a position like any other
	Backward   bool   // the page that ends just before After instead of the one that starts behind it
}

// List is a page of a list, in the order asked for, also where the page was read backward.
type List[T any] struct {
	Items []T
	More  bool // there are further items in the direction of reading
}

// Window is a time range, by the time in the item's ID. A zero bound is open.
type Window struct {
	After  time.Time // exclusive
	Before time.Time // exclusive
}

// EventTypeFilter narrows a list of event types.
type EventTypeFilter struct {
	Archived     bool     // include archived ones
	AnyFlag      bool     // include those with feature flags, whichever they are
	FeatureFlags []string // else, include those with one of these flags besides those with none
}

// MessageFilter narrows a list of messages. Zero fields don't.
type MessageFilter struct {
	Window
	Channel     string
	Tag         string
	EventTypes  []string
	WithPayload bool // fill Message.Payload and Warnings, unless they have expired, but not the bytes of Variants
}

// EndpointMessageFilter narrows a list of an endpoint's messages. Zero fields don't.
type EndpointMessageFilter struct {
	MessageFilter
	States []posthorn.DeliveryState
}

// AttemptFilter narrows a list of attempts. Zero fields don't.
type AttemptFilter struct {
	Window
	MessageID   string
	EndpointID  string
	Success     *bool
	StatusClass *int // 0 for no response, 100, 200, … 500; a success has 200
	Channel     string
	Tag         string
	EventTypes  []string
}
