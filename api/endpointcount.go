package api

import "context"

// playURL is where the addresses begin that Svix's tool for trying out webhooks gives away.
const playURL = "https://play.svix.com/"

// ExcludePlayParam leaves out endpoints that somebody is only trying out.
type ExcludePlayParam struct {
	ExcludeSvixPlay bool `query:"exclude_svix_play" default:"true" doc:"Leave out endpoints whose URL is one of play.svix.com."`
}

func (p ExcludePlayParam) except() []string {
	if p.ExcludeSvixPlay {
		return []string{playURL}
	}
	return nil
}

type countActiveIn struct {
	ExcludePlayParam
	ExcludeDisabled bool `query:"exclude_disabled" default:"true" doc:"Leave out endpoints that are disabled."`
}

type activeCountOut struct {
	Count int `json:"count" doc:"Applications that have such an endpoint."`
}

func (s *Server) countActive(ctx context.Context, in *countActiveIn) (*answer[activeCountOut], error) {
	count, err := s.store.CountActiveApplications(ctx, callerOf(ctx).org, in.ExcludeDisabled, in.except())
	if err != nil {
		return nil, err
	}
	return &answer[activeCountOut]{Body: activeCountOut{Count: count}}, nil
}

type endpointCountOut struct {
	Active   int `json:"active" doc:"Endpoints that take messages."`
	Disabled int `json:"disabled" doc:"Endpoints that don't."`
}

func (s *Server) countEndpoints(ctx context.Context, in *ExcludePlayParam) (*answer[endpointCountOut], error) {
	active, disabled, err := s.store.CountEndpoints(ctx, callerOf(ctx).org, in.except())
	if err != nil {
		return nil, err
	}
	return &answer[endpointCountOut]{Body: endpointCountOut{Active: active, Disabled: disabled}}, nil
}
