package api

import (
	"context"
	"time"
)

// maxMaxInFlight is the highest limit of requests under way to an endpoint.
const maxMaxInFlight = 10_000

func checkMaxInFlight(limit int) error {
	if limit < 0 || limit > maxMaxInFlight {
		return invalidField("body.maxInFlight", "must be between 1 and %d", maxMaxInFlight)
	}
	return nil
}

type throttlingStatus string

const (
	rateLimitOK throttlingStatus = "Ok"
	rateLimited throttlingStatus = "RateLimited"
)

type throttlingOut struct {
	Status         throttlingStatus `json:"status" enum:"Ok,RateLimited" doc:"RateLimited while messages have to wait for their turn."`
	ThrottledSince *time.Time       `json:"throttledSince,omitempty" doc:"Since when they have had to. Absent: they don't."`
}

func (s *Server) getThrottlingStatus(ctx context.Context, in *EndpointPath) (*answer[throttlingOut], error) {
	found, err := s.endpoint(ctx, *in)
	if err != nil {
		return nil, err
	}
	since, err := s.store.Throttled(ctx, found.AppID, found.ID, s.clock())
	if err != nil {
		return nil, err
	}
	out := throttlingOut{Status: rateLimitOK, ThrottledSince: optionalTimestamp(since)}
	if out.ThrottledSince != nil {
		out.Status = rateLimited
	}
	return &answer[throttlingOut]{Body: out}, nil
}
