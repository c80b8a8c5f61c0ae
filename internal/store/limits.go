package store

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

// Limits is about how much endpoints are sent at once. The limits themselves are fields of endpoints and applications; each
// method reads them in its transaction, so that a change holds for everybody from its commit on.
type Limits interface {
	// ThrottleRate returns an application's limit, in messages per second; 0 if it has none or does not exist.
	ThrottleRate(ctx context.Context, appID string) (int, error)
	// TakeTurn asks for the turn of a message under the limits of its endpoint and its application; see [TakeTurn]. If it is
	// not granted, the delivery that comes with it waits from the same commit on, unless it has been told the same before.
	// Without limits, every turn is granted.
	TakeTurn(ctx context.Context, t Turn) (Turned, error)
	// Throttled says since when an endpoint's messages have had to wait for their turn; zero if they don't.
	Throttled(ctx context.Context, appID, endpointID string, now time.Time) (time.Time, error)
	// ReleaseMistimed is Release for the deliveries that wait for a turn which they were given before a limit of their endpoint
	// or its application was last changed. It begins behind the message after.
	ReleaseMistimed(ctx context.Context, appID, endpointID, after string, due time.Time, limit int) ([]posthorn.Delivery, error)

	// Board asks for one of the requests that an endpoint may have under way, and keeps it for its holder until Land or the
	// end that it names. A holder that has one gets it again. If there is none, the delivery that comes with it waits from the
	// same commit on. Without a limit, there always is one, and nothing is kept.
	Board(ctx context.Context, b Boarding) (Boarded, error)
	// Land gives back what a holder has, if it has something. What is free then, this and what has expired, goes to the
	// deliveries that wait for it, the oldest first: they hold it until an end, are due now, and are returned.
	Land(ctx context.Context, endpointID, holder string, now, until time.Time) ([]posthorn.Delivery, error)
	// Stranded returns endpoints of which something was not given back before it expired.
	Stranded(ctx context.Context, now time.Time, limit int) (endpointIDs []string, err error)
}

// Turn is what TakeTurn is asked.
type Turn struct {
	AppID, EndpointID string
	Now               time.Time
	Due               time.Time     // when the turn comes that was given out before; zero if none was
	Patience          time.Duration // how long the caller can wait by itself
	// Delivery waits if the turn is not granted; only MessageID and Reason are read. Without a MessageID nothing does.
	Delivery posthorn.Delivery
}

// Turned is the answer.
type Turned struct {
	At      time.Time // when the message is sent, or asks again
	Granted bool
}

// Boarding is what Board is asked.
type Boarding struct {
	AppID, EndpointID string
	Holder            string // the message's ID, or that of an attempt by hand
	Now, Until        time.Time
	// Delivery waits if there is none; only MessageID, Reason and Parked are read. Without a MessageID nothing does.
	Delivery posthorn.Delivery
}

// Boarded is the answer.
type Boarded struct {
	OK bool
	// Again is when to ask again if nobody hands one over before: by then it is this delivery's turn, even if each request
	// before it takes as long as a request may.
	Again time.Time
}

// longestFlightWait bounds Boarded.Again, and maxCounted how many waiting deliveries are counted for it.
const longestFlightWait = 10 * time.Minute

// MaxCountedFlights is how many waiting deliveries it takes to look no further when to ask again.
const MaxCountedFlights = 1000

// FlightAgain is Boarded.Again for a delivery that so many others wait before.
func FlightAgain(b Boarding, waiting, most int) time.Time {
	rounds := time.Duration(1 + waiting/most)
	return b.Now.Add(min(rounds*b.Until.Sub(b.Now), longestFlightWait))
}
