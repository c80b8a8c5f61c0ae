package api

import (
	"context"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// countLimit is how many attempts are counted exactly.
const countLimit = 10_000

type countAttemptsIn struct {
	EndpointPath
	WindowParams
	AttemptParams
}

type countOut struct {
	Count        int  `json:"count" minimum:"0" maximum:"10000" doc:"How many attempts the filters let through, counted up to 10000."`
	Approximated bool `json:"approximated" doc:"There are more than were counted."`
}

// countAttempts counts what listAttemptsByEndpoint lists, looking back as far as that does.
func (s *Server) countAttempts(ctx context.Context, in *countAttemptsIn) (*answer[countOut], error) {
	found, err := s.endpoint(ctx, in.EndpointPath)
	if err != nil {
		return nil, err
	}
	_, bounds, err := PageParams{}.timed(in.WindowParams, posthorn.AttemptID, s.now())
	if err != nil {
		return nil, err
	}
	filter := store.AttemptFilter{EndpointID: found.ID}
	var n int
	if in.narrow(&filter, bounds, in.WindowParams) {
		if n, err = s.store.CountAttempts(ctx, filter, countLimit+1); err != nil {
			return nil, err
		}
	}
	return &answer[countOut]{Body: countOut{Count: min(n, countLimit), Approximated: n > countLimit}}, nil
}
