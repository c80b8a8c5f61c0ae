package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/posthorn/posthorn"
)

// exhaustedReason is why a delivery ends although its last attempt announced another.
const exhaustedReason = "the retry schedule was shortened: no attempt is left"

// typeSchedule returns the schedule of the event type of an application's messages, or the server's. Endpoints may have one of their own. It
// comes from memory, and before anything is sent: an attempt whose schedule can't be read is not made.
func (a *Activities) typeSchedule(ctx context.Context, appID, eventType string) (posthorn.Schedule, error) {
	known, err := a.Catalogue.TypeFor(ctx, appID, eventType)
	switch {
	case err != nil:
		return nil, storeError(fmt.Errorf("reading the retry schedule of %s: %w", eventType, err))
	case known == nil:
		return a.Schedule, nil
	default:
		return a.Schedule.OverriddenBy(known.RetrySchedule), nil
	}
}

// checkSchedule ends a delivery that has made all attempts of a schedule which has become shorter since.
func (a *Activities) checkSchedule(ctx context.Context, c *candidate) (verdict, error) {
	if c.delivery.Scheduled == 0 {
		return verdict{}, nil
	}
	inherited, err := a.typeSchedule(ctx, c.message.AppID, c.message.EventType)
	if err != nil {
		return verdict{}, err
	}
	if c.delivery.Scheduled < inherited.OverriddenBy(c.endpoint.RetrySchedule).Attempts() {
		return verdict{}, nil
	}
	return verdict{ends: posthorn.Failed, reason: exhaustedReason}, nil
}

// window returns the time that the deliveries which are open need at most: that of the longest schedule among their
// endpoints.
func (a *Activities) window(open []OpenDelivery, endpoints []*posthorn.Endpoint, inherited posthorn.Schedule) time.Duration {
	own := make(map[string]*posthorn.Schedule, len(endpoints))
	for _, ep := range endpoints {
		own[ep.ID] = ep.RetrySchedule
	}
	longest := time.Duration(0)
	for _, delivery := range open {
		longest = max(longest, inherited.OverriddenBy(own[delivery.EndpointID]).Window(a.AttemptTimeout))
	}
	return longest
}
