package api

import (
	"context"
	"maps"
	"slices"

	"github.com/posthorn/posthorn"
)

type attemptHeadersOut struct {
	SentHeaders     map[string]string `json:"sentHeaders" doc:"The request's headers whose values may be shown."`
	Sensitive       []string          `json:"sensitive" nullable:"false" doc:"The names of the others."`
	ResponseHeaders [][]string        `json:"responseHeaders,omitempty" doc:"Name and value of each of the response's headers; left out if no response came, or its content was expunged."`
}

func showAttemptHeaders(a posthorn.Attempt) attemptHeadersOut {
	out := attemptHeadersOut{SentHeaders: map[string]string{}, Sensitive: []string{}}
	for name, value := range a.Sent {
		if posthorn.IsSensitiveHeader(name) {
			out.Sensitive = append(out.Sensitive, name)
		} else {
			out.SentHeaders[name] = value
		}
	}
	slices.Sort(out.Sensitive)
	for _, name := range slices.Sorted(maps.Keys(a.Header)) {
		for _, value := range a.Header[name] {
			out.ResponseHeaders = append(out.ResponseHeaders, []string{name, value})
		}
	}
	return out
}

func (s *Server) getAttemptHeaders(ctx context.Context, in *getAttemptIn) (*answer[attemptHeadersOut], error) {
	m, err := s.message(ctx, in.MessagePath)
	if err != nil {
		return nil, err
	}
	found, err := s.store.Attempt(ctx, m.ID, in.AttemptID)
	if err != nil {
		return nil, err
	}
	return &answer[attemptHeadersOut]{Body: showAttemptHeaders(found)}, nil
}
