package store

import (
	"context"
	"time"
)

// AttemptStatistics counts. Attempts count at the time that is in their ID; deliveries that are under way or cancelled
// count at the time of their message. Deleted endpoints count, too. What is counted is read from indexes, and writers
// don't wait for it.
type AttemptStatistics interface {
	// EndpointFigures counts what happened at one endpoint in a window.
	EndpointFigures(ctx context.Context, endpointID string, w Window) (EndpointFigures, error)
	// FiguresByEventType counts what happened to an application's messages in a window, by event type; of all event types
	// if none are given. Event types to which nothing happened are left out.
	FiguresByEventType(ctx context.Context, appID string, eventTypes []string, w Window) (map[string]Figures, error)
	// FiguresByPeriod counts what happened to an application's messages in each of the periods that lie between two
	// neighbours of bounds, which ascend; of all event types if none are given.
	FiguresByPeriod(ctx context.Context, appID string, eventTypes []string, bounds []time.Time) ([]Figures, error)
	// CountEndpoints counts the endpoints of an organisation, leaving out those whose URL begins with one of the prefixes.
	CountEndpoints(ctx context.Context, org string, except []string) (active, disabled int, err error)
	// CountActiveApplications counts an organisation's applications that have an endpoint; one that is not disabled, if so
	// wanted. Endpoints whose URL begins with one of the prefixes don't make an application active.
	CountActiveApplications(ctx context.Context, org string, enabled bool, except []string) (int, error)
}

// Figures are numbers of attempts and of deliveries that were given up without one.
type Figures struct {
	Success   int // attempts that were answered with 2xx
	Failure   int // attempts that were not
	Cancelled int // deliveries that were cancelled
}

// EndpointFigures are Figures with the deliveries that are under way.
type EndpointFigures struct {
	Figures
	Pending int // deliveries without an ended attempt
	Sending int // deliveries that wait for another attempt, or for the endpoint to take messages again
}
