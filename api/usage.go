package api

import (
	"context"
	"fmt"
	"time"

	"github.com/posthorn/posthorn"
)

// startedStatsOut is the answer of the operation that begins to count.
type startedStatsOut struct {
	TaskFields
	UnresolvedAppIDs []string `json:"unresolvedAppIds" nullable:"false" doc:"Those of the appIds that there are no applications for."`
}

type usageIn struct {
	Since  time.Time `json:"since" doc:"Messages posted from this moment on."`
	Until  time.Time `json:"until" doc:"Messages posted before this moment."`
	AppIDs *[]string `json:"appIds,omitempty" nullable:"true" minItems:"1" maxItems:"1000" doc:"The ids or uids of the applications to count. Default: all."`
}

type aggregateAppStatsIn struct{ Body usageIn }

func (s *Server) aggregateAppStats(ctx context.Context, in *aggregateAppStatsIn) (*answer[startedStatsOut], error) {
	if !in.Body.Since.Before(in.Body.Until) {
		return nil, invalidField("body.since", "must be before until")
	}
	input := posthorn.StatsInput{Since: in.Body.Since.UTC(), Until: in.Body.Until.UTC()}
	unresolved := []string{}
	if in.Body.AppIDs != nil {
		var err error
		if input.Apps, unresolved, err = s.resolveApplications(ctx, *in.Body.AppIDs); err != nil {
			return nil, err
		}
		if len(input.Apps) == 0 {
			return nil, invalidField("body.appIds", "names no application that exists")
		}
	}
	t, err := s.beginTask(ctx, posthorn.ApplicationStats, "", input)
	if err != nil {
		return nil, err
	}
	return &answer[startedStatsOut]{Body: startedStatsOut{showTaskFields(t), unresolved}}, nil
}

// resolveApplications finds applications by id or uid, each of them once.
func (s *Server) resolveApplications(ctx context.Context, refs []string) (apps []posthorn.AppName, unresolved []string, err error) {
	unresolved = []string{}
	known := map[string]bool{}
	for _, ref := range refs {
		found, err := s.application(ctx, ref)
		switch {
		case posthorn.CodeOf(err) == posthorn.NotFound:
			unresolved = append(unresolved, ref)
		case err != nil:
			return nil, nil, fmt.Errorf("looking for application %s: %w", ref, err)
		case !known[found.ID]:
			known[found.ID] = true
			apps = append(apps, posthorn.AppName{ID: found.ID, UID: found.UID})
		}
	}
	return apps, unresolved, nil
}

func (s *Server) aggregateEventTypes(ctx context.Context, _ *struct{}) (*answer[startedTaskOut], error) {
	return s.begun(ctx, posthorn.AggregateEventTypes, "", struct{}{})
}
