package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"golang.org/x/sync/errgroup"

	"github.com/posthorn/posthorn"
)

// concurrentExpunges bounds how many messages of one request are on their way to the database at once, where they share commits.
const concurrentExpunges = 64

func (s *Server) expungeMessage(ctx context.Context, in *MessagePath) (*nothing, error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	return nil, s.store.ExpungePayload(ctx, owner.ID, in.MsgID)
}

func (s *Server) expungeAttempt(ctx context.Context, in *getAttemptIn) (*nothing, error) {
	m, err := s.message(ctx, in.MessagePath)
	if err != nil {
		return nil, err
	}
	return nil, s.store.ExpungeAttempt(ctx, m.ID, in.AttemptID)
}

type bulkExpungeIn struct {
	IDs []string `json:"ids,omitempty" maxItems:"1000" minLength:"1" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" nullable:"false" doc:"The ids or eventIds of the messages."`
}

type bulkExpungeOut struct {
	Results map[string]expungeStatus `json:"results" doc:"What came of each of them."`
}

type expungeStatus string

const (
	statusExpunged expungeStatus = "expunged"
	statusNotFound expungeStatus = "not-found"
)

// Schema names the two.
func (expungeStatus) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Enum: []any{statusExpunged, statusNotFound}}
}

type bulkExpungeRequest struct {
	AppPath
	Body bulkExpungeIn
}

func (s *Server) bulkExpunge(ctx context.Context, in *bulkExpungeRequest) (*answer[bulkExpungeOut], error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	ids := in.Body.IDs
	found := make([]bool, len(ids))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(concurrentExpunges)
	for i, id := range ids {
		group.Go(func() error {
			err := s.store.ExpungePayload(groupCtx, owner.ID, id)
			found[i] = err == nil
			if posthorn.CodeOf(err) == posthorn.NotFound {
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	results := make(map[string]expungeStatus, len(ids))
	for i, id := range ids {
		results[id] = statusNotFound
		if found[i] {
			results[id] = statusExpunged
		}
	}
	return &answer[bulkExpungeOut]{Body: bulkExpungeOut{Results: results}}, nil
}

// expungeAll begins to remove the payloads of what was posted until now.
func (s *Server) expungeAll(ctx context.Context, in *AppPath) (*answer[startedTaskOut], error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	return s.begun(ctx, posthorn.PurgeContent, owner.ID, posthorn.PurgeInput{Before: s.now().Add(time.Millisecond)})
}
