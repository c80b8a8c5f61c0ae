package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const (
	// durablePatience is how long a run of the durable lane waits by itself for a turn: less than what it costs to come back.
	durablePatience = 500 * time.Millisecond
	// fastPatience is the same for the fast lane, where whoever waits holds a slot for a workflow task.
	fastPatience = 100 * time.Millisecond
)

// checkThrottle lets through what has its turn under the rate limits of the endpoint and the application.
func (a *Activities) checkThrottle(ctx context.Context, c *candidate) (verdict, error) {
	limit, err := a.throttle(ctx, c.endpoint)
	if err != nil || limit == "" {
		return verdict{}, err
	}
	turned, err := a.Store.TakeTurn(ctx, store.Turn{
		AppID: c.message.AppID, EndpointID: c.endpoint.ID, Now: a.Now(), Due: turnOf(c), Patience: c.patience,
		Delivery: posthorn.Delivery{MessageID: c.message.ID, Reason: limit},
	})
	if err != nil {
		return verdict{}, storeError(err)
	}
	if !turned.Granted {
		return verdict{waits: posthorn.WaitThrottle, until: turned.At, reason: limit, recorded: true}, nil
	}
	c.notBefore = turned.At
	return verdict{}, nil
}

// throttle describes the limits that an endpoint is under; empty if there are none.
func (a *Activities) throttle(ctx context.Context, ep *posthorn.Endpoint) (string, error) {
	all, err := a.Routes.ThrottleRate(ctx, ep.AppID)
	switch {
	case err != nil:
		return "", storeError(err)
	case ep.ThrottleRate > 0 && all > 0:
		return fmt.Sprintf("messages to the endpoint are limited to %d a second, those of its application to %d", ep.ThrottleRate, all), nil
	case ep.ThrottleRate > 0:
		return fmt.Sprintf("messages to the endpoint are limited to %d a second", ep.ThrottleRate), nil
	case all > 0:
		return fmt.Sprintf("messages of the application are limited to %d a second", all), nil
	default:
		return "", nil
	}
}

// turnOf is when the turn of a candidate comes that it was given; zero if it has none. What waits for a free slot has had its
// turn before.
func turnOf(c *candidate) time.Time {
	switch c.delivery.Waits {
	case posthorn.WaitThrottle:
		return c.delivery.NextAt
	case posthorn.WaitFlight:
		return c.now
	default:
		return time.Time{}
	}
}

// untilTurn returns when the moment of the candidate's turn has come. That is a matter of its lane's patience.
func (a *Activities) untilTurn(c *candidate) { pause(a.sending, c.notBefore.Sub(a.Now())) }
