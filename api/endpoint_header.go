package api

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/posthorn/posthorn"
)

type endpointHeadersIn struct {
	Headers map[string]string `json:"headers" doc:"Sent with every message to the endpoint."`
}

type endpointHeadersPatchIn struct {
	Headers       map[string]Optional[string] `json:"headers" doc:"Headers to add or change; null removes one."`
	DeleteHeaders []string                    `json:"deleteHeaders,omitempty" doc:"The names of headers to remove. A header of that name in headers is added all the same."`
}

type endpointHeadersOut struct {
	Headers   map[string]string `json:"headers" doc:"The headers whose values may be shown."`
	Sensitive []string          `json:"sensitive" nullable:"false" doc:"The names of the others."`
}

func (s *Server) getHeaders(ctx context.Context, in *EndpointPath) (*answer[endpointHeadersOut], error) {
	found, err := s.endpoint(ctx, *in)
	if err != nil {
		return nil, err
	}
	out := endpointHeadersOut{Headers: map[string]string{}, Sensitive: []string{}}
	for name, value := range found.Headers {
		if posthorn.IsSensitiveHeader(name) {
			out.Sensitive = append(out.Sensitive, name)
		} else {
			out.Headers[name] = value
		}
	}
	slices.Sort(out.Sensitive)
	return &answer[endpointHeadersOut]{Body: out}, nil
}

type updateHeadersIn struct {
	EndpointPath
	Body endpointHeadersIn
}

func (s *Server) updateHeaders(ctx context.Context, in *updateHeadersIn) (*nothing, error) {
	return nil, s.changeHeaders(ctx, in.EndpointPath, func(map[string]string) (map[string]string, error) {
		return checkHeaders(in.Body.Headers)
	})
}

// checkHeaders returns a copy of headers that an endpoint may have.
func checkHeaders(headers map[string]string) (map[string]string, error) {
	checked := make(map[string]string, len(headers))
	for name, value := range headers {
		if err := checkHeader(name, value); err != nil {
			return nil, err
		}
		if _, twice := headerNamed(checked, name); twice {
			return nil, invalidField("body.headers", "the header %s is there twice", name)
		}
		checked[name] = value
	}
	return checked, nil
}

type patchHeadersIn struct {
	EndpointPath
	Body endpointHeadersPatchIn
}

func (s *Server) patchHeaders(ctx context.Context, in *patchHeadersIn) (*nothing, error) {
	return nil, s.changeHeaders(ctx, in.EndpointPath, func(old map[string]string) (map[string]string, error) {
		next := orEmpty(maps.Clone(old))
		for _, name := range in.Body.DeleteHeaders {
			if spelling, ok := headerNamed(next, name); ok {
				delete(next, spelling)
			}
		}
		for name, value := range in.Body.Headers {
			if spelling, ok := headerNamed(next, name); ok {
				delete(next, spelling)
			}
			if value.Null {
				continue
			}
			if err := checkHeader(name, value.Value); err != nil {
				return nil, err
			}
			next[name] = value.Value
		}
		return next, nil
	})
}

func (s *Server) changeHeaders(ctx context.Context, path EndpointPath, change func(map[string]string) (map[string]string, error)) error {
	owner, err := s.application(ctx, path.AppID)
	if err != nil {
		return err
	}
	_, err = s.store.UpdateEndpoint(ctx, owner.ID, path.EndpointID, func(e *posthorn.Endpoint) error {
		next, err := change(e.Headers)
		if err != nil {
			return err
		}
		e.Headers, e.UpdatedAt = next, s.clock()
		return nil
	})
	return err
}

// headerNamed finds a header by its name in any case, and returns the spelling that it has.
func headerNamed(headers map[string]string, name string) (spelling string, ok bool) {
	for spelling := range headers {
		if strings.EqualFold(spelling, name) {
			return spelling, true
		}
	}
	return "", false
}
