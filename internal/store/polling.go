package store

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

// Polling is for customers who fetch their messages. Pollers are addressed by the application's ID and ref, where ref is
// an ID or a UID.
type Polling interface {
	// Stream returns a stretch of an application's messages, payloads included, in the order in which they became visible.
	// Messages for a single endpoint are none of it.
	// Whoever reads on from Stretch.Next misses none and gets none twice, whatever is written meanwhile.
	//
	// That order is not the order of IDs: an ID is made before its message is committed, so a message can appear later
	// than one with a larger ID. A database with a single writer has the order for the asking. One whose transactions
	// number their rows and then commit in any order must hold back whatever lies beyond the oldest transaction that is
	// still open: in PostgreSQL, rows whose transaction ID is not below pg_snapshot_xmin(pg_current_snapshot()).
	Stream(ctx context.Context, appID string, from Position, f StreamFilter, limit int) (Stretch, error)

	// CreatePoller stores a new poller. Poller.Start is ignored and set to the newest message that is visible now.
	// Conflict: the UID is taken in its application.
	CreatePoller(ctx context.Context, p posthorn.Poller) (posthorn.Poller, error)
	// Poller finds one. NotFound.
	Poller(ctx context.Context, appID, ref string) (posthorn.Poller, error)
	// UpdatePoller reads, changes and writes one poller (secrets included) in a single transaction. An error of change is
	// returned as it is and nothing is written. NotFound, Conflict.
	UpdatePoller(ctx context.Context, appID, ref string, change func(*posthorn.Poller) error) (posthorn.Poller, error)
	// DeletePoller removes it with its secrets and its consumers. NotFound.
	DeletePoller(ctx context.Context, appID, ref string) error
	// ListPollers lists an application's pollers by ID.
	ListPollers(ctx context.Context, appID string, page Page) (List[posthorn.Poller], error)

	// Consumer returns where a consumer of a poller stands: at the poller's start, if nothing is known of it. NotFound:
	// there is no such poller.
	Consumer(ctx context.Context, pollerID, name string) (Consumer, error)
	// Acknowledge moves a consumer forward, and returns where it stands then. It leaves it where it is if it stands
	// farther on already, or has been sought since: c.Epoch is not its epoch. NotFound: there is no such poller.
	// LimitReached: the poller has posthorn.MaxConsumers others.
	Acknowledge(ctx context.Context, c Consumer) (Consumer, error)
	// Seek puts a consumer anywhere, and begins a new epoch. NotFound, LimitReached: as for Acknowledge.
	Seek(ctx context.Context, pollerID, name string, to Position) (Consumer, error)
}

// Position is a place between an application's messages. The zero Position is before all of them.
type Position struct {
	// MessageID is the message behind which it lies. If the database doesn't have that message any more, reading begins
	// where it must have been, or a little earlier.
	MessageID string
	// After leaves out messages that were made at this moment, to the millisecond, or before.
	After time.Time
}

// StreamFilter narrows a stream. Zero fields don't. A message without channels has none of the Channels.
type StreamFilter struct {
	EventTypes [][]string // of each element, one of its event types
	Channels   [][]string // of each element, one of its channels
}

// Stretch is a part of a stream.
type Stretch struct {
	Messages []posthorn.Message
	Next     Position // behind all that was read, matching or not
	Done     bool     // there was nothing further to read at that time
}

// StreamReach is how many messages one call of Stream passes over at most, so that a filter which nothing matches costs
// no more than that.
const StreamReach = 10_000

// StreamBytes is how many bytes of payload end a stretch, however many messages were asked for.
const StreamBytes = 8 << 20

// StreamSlack is how long the way of a message from its ID to its commit may take for Position.After to include it.
const StreamSlack = 5 * time.Minute

// Consumer is one reader of a poller.
type Consumer struct {
	PollerID string
	Name     string
	Position Position // what lies before it is acknowledged
	Epoch    int      // how many times it has been sought
}
