package api

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

const (
	// maxRecovery is how far back an endpoint can be recovered.
	maxRecovery = 14 * 24 * time.Hour
	// clockSkew is by how much a caller's clock may differ from ours where a moment has to lie in a range.
	clockSkew = 5 * time.Minute
)

type recoverIn struct {
	Since time.Time `json:"since" doc:"Messages posted from this moment on; at most 14 days ago."`
	Until time.Time `json:"until,omitempty" nullable:"true" doc:"Messages posted before this moment. Default: now."`
}

// input checks the range and makes it exact.
func (in *recoverIn) input(endpointID string, now time.Time) (posthorn.RecoverInput, error) {
	since, until := in.Since.Truncate(time.Millisecond), in.Until // the precision of what the API shows
	switch {
	case until.IsZero():
		until = now
	case until.After(now.Add(clockSkew)):
		return posthorn.RecoverInput{}, invalidField("body.until", "must not lie in the future")
	case until.After(now):
		until = now
	}
	switch {
	case since.Before(now.Add(-maxRecovery - clockSkew)):
		return posthorn.RecoverInput{}, invalidField("body.since", "must not be more than 14 days ago")
	case !since.Before(until):
		return posthorn.RecoverInput{}, invalidField("body.since", "must be before until, which is now unless given")
	}
	return posthorn.RecoverInput{EndpointID: endpointID, Since: since.UTC(), Until: until.UTC()}, nil
}

type recoverEndpointIn struct {
	EndpointPath
	Body recoverIn
}

// recoverEndpoint begins to send again what failed at an endpoint.
func (s *Server) recoverEndpoint(ctx context.Context, in *recoverEndpointIn) (*answer[startedTaskOut], error) {
	found, err := s.endpoint(ctx, in.EndpointPath)
	if err != nil {
		return nil, err
	}
	input, err := in.Body.input(found.ID, s.now())
	if err != nil {
		return nil, err
	}
	return s.begun(ctx, posthorn.RecoverEndpoint, found.AppID, input)
}
