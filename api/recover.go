package api

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

const (
	// maxRecovery is how far back messages can be sent to an endpoint again.
	maxRecovery = 14 * 24 * time.Hour
	// clockSkew is by how much a caller's clock may differ from ours where a moment has to lie in a range.
	clockSkew = 5 * time.Minute
)

// ReplayFields are what all operations take that send an endpoint's messages again. They are exported for huma, which
// finds embedded fields only then.
type ReplayFields struct {
	Since     time.Time `json:"since" doc:"Messages posted from this moment on; at most 14 days ago."`
	Until     time.Time `json:"until,omitempty" nullable:"true" doc:"Messages posted before this moment. Default: now."`
	DryRun    bool      `json:"dryRun,omitempty" doc:"Only count the messages: the task ends with their count, and nothing is sent (not in Svix)."`
	RateLimit int       `json:"rateLimit,omitempty" minimum:"1" maximum:"65535" doc:"Messages per second at most. Default: no limit but the endpoint's throttleRate (not in Svix)."`
}

// input checks the range and makes it exact.
func (in *ReplayFields) input(endpointID string, now time.Time) (posthorn.ReplayInput, error) {
	since, until := in.Since.Truncate(time.Millisecond), in.Until // the precision of what the API shows
	switch {
	case until.IsZero():
		until = now
	case until.After(now.Add(clockSkew)):
		return posthorn.ReplayInput{}, invalidField("body.until", "must not lie in the future")
	case until.After(now):
		until = now
	}
	switch {
	case since.Before(now.Add(-maxRecovery - clockSkew)):
		return posthorn.ReplayInput{}, invalidField("body.since", "must not be more than 14 days ago")
	case !since.Before(until):
		return posthorn.ReplayInput{}, invalidField("body.since", "must be before until, which is now unless given")
	}
	return posthorn.ReplayInput{
		EndpointID: endpointID, Since: since.UTC(), Until: until.UTC(), DryRun: in.DryRun, RateLimit: in.RateLimit,
	}, nil
}

type recoverIn struct{ ReplayFields }

type recoverEndpointIn struct {
	EndpointPath
	Body recoverIn
}

// recoverEndpoint begins to send again what failed at an endpoint.
func (s *Server) recoverEndpoint(ctx context.Context, in *recoverEndpointIn) (*answer[startedTaskOut], error) {
	return s.replay(ctx, posthorn.RecoverEndpoint, in.EndpointPath, in.Body.ReplayFields, nil)
}

// replay begins a task that sends messages to an endpoint again. narrow, unless nil, says which.
func (s *Server) replay(
	ctx context.Context, kind posthorn.TaskKind, path EndpointPath, fields ReplayFields, narrow func(*posthorn.ReplayInput) error,
) (*answer[startedTaskOut], error) {
	found, err := s.endpoint(ctx, path)
	if err != nil {
		return nil, err
	}
	input, err := fields.input(found.ID, s.now())
	if err == nil && narrow != nil {
		err = narrow(&input)
	}
	if err != nil {
		return nil, err
	}
	return s.begun(ctx, kind, found.AppID, input)
}
