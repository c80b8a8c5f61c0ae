package api

import (
	"cmp"
	"context"
	"time"

	"github.com/posthorn/posthorn"
)

// AppPath names an application.
type AppPath struct {
	AppID string `path:"app_id" doc:"The application's id or uid."`
}

type applicationIn struct {
	Name         string            `json:"name" minLength:"1" doc:"What people call it." example:"Acme"`
	UID          string            `json:"uid,omitempty" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Your own id for it; may be used wherever its id is." example:"acme"`
	ThrottleRate int               `json:"throttleRate,omitempty" minimum:"1" maximum:"65535" doc:"Messages per second to all its endpoints. Default: no limit."`
	RateLimit    int               `json:"rateLimit,omitempty" minimum:"1" maximum:"65535" deprecated:"true" doc:"The older name of throttleRate."`
	Metadata     map[string]string `json:"metadata,omitempty" doc:"Yours to fill, up to 4096 bytes."`
}

func (in *applicationIn) validate() error {
	return problems(
		checkFilled("body.name", in.Name),
		checkUID("body.uid", posthorn.ApplicationID, in.UID),
		checkThrottle(in.throttleRate()),
		checkMetadata(in.Metadata),
	)
}

func (in *applicationIn) throttleRate() int { return cmp.Or(in.ThrottleRate, in.RateLimit) }

// create makes the application that the input describes.
func (in *applicationIn) create(org string, now time.Time) posthorn.Application {
	return posthorn.Application{
		ID: posthorn.ApplicationID.New(), OrgID: org, UID: in.UID, Name: in.Name,
		ThrottleRate: in.throttleRate(), Metadata: in.Metadata, CreatedAt: now, UpdatedAt: now,
	}
}

type applicationPatch struct {
	Name         Optional[string]            `json:"name,omitzero" minLength:"1" doc:"What people call it."`
	UID          Optional[string]            `json:"uid,omitzero" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Your own id for it; null removes it."`
	ThrottleRate Optional[int]               `json:"throttleRate,omitzero" minimum:"1" maximum:"65535" doc:"Messages per second; null removes the limit."`
	RateLimit    Optional[int]               `json:"rateLimit,omitzero" minimum:"1" maximum:"65535" deprecated:"true" doc:"The older name of throttleRate."`
	Metadata     Optional[map[string]string] `json:"metadata,omitzero" doc:"Replaces what was there; null removes it."`
}

type applicationOut struct {
	ID           string            `json:"id"`
	UID          *string           `json:"uid,omitempty"`
	Name         string            `json:"name" doc:"What people call it."`
	ThrottleRate *int              `json:"throttleRate,omitempty" doc:"Messages per second to all its endpoints. Absent: no limit."`
	Metadata     map[string]string `json:"metadata"`
	CreatedAt    time.Time         `json:"createdAt"`
	UpdatedAt    time.Time         `json:"updatedAt"`
}

func showApplication(a posthorn.Application) applicationOut {
	return applicationOut{
		ID: a.ID, UID: optional(a.UID), Name: a.Name, ThrottleRate: optional(a.ThrottleRate),
		Metadata: orEmpty(a.Metadata), CreatedAt: timestamp(a.CreatedAt), UpdatedAt: timestamp(a.UpdatedAt),
	}
}

// application finds the application of a path. To an application's token there is no other than its own.
func (s *Server) application(ctx context.Context, ref string) (posthorn.Application, error) {
	who := callerOf(ctx)
	found, err := s.store.Application(ctx, who.org, ref)
	if err == nil && who.app != "" && who.app != found.ID {
		err = posthorn.Errorf(posthorn.NotFound, "Entity not found")
	}
	if err != nil {
		return posthorn.Application{}, err
	}
	return found, nil
}

type listApplicationsIn struct {
	PageParams
	OrderParam
}

func (s *Server) listApplications(ctx context.Context, in *listApplicationsIn) (*answer[listResponse[applicationOut]], error) {
	page, err := in.page(in.descending(false), posthorn.ApplicationID.Valid)
	if err != nil {
		return nil, err
	}
	found, err := s.store.ListApplications(ctx, callerOf(ctx).org, page)
	if err != nil {
		return nil, err
	}
	return listed(found, func(a posthorn.Application) string { return a.ID }, showApplication), nil
}

type createApplicationIn struct {
	GetIfExists bool `query:"get_if_exists" doc:"Answer with the application that has this uid already, if there is one."`
	Body        applicationIn
}

func (s *Server) createApplication(ctx context.Context, in *createApplicationIn) (*answerWith[applicationOut], error) {
	if err := in.Body.validate(); err != nil {
		return nil, err
	}
	org := callerOf(ctx).org
	made := in.Body.create(org, s.clock())
	err := s.store.CreateApplication(ctx, made)
	if in.GetIfExists && in.Body.UID != "" && posthorn.CodeOf(err) == posthorn.Conflict {
		found, err := s.store.Application(ctx, org, in.Body.UID)
		if err != nil {
			return nil, err
		}
		return created(false, showApplication(found)), nil
	}
	if err != nil {
		return nil, err
	}
	return created(true, showApplication(made)), nil
}

func (s *Server) getApplication(ctx context.Context, in *AppPath) (*answer[applicationOut], error) {
	found, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	return &answer[applicationOut]{Body: showApplication(found)}, nil
}

type updateApplicationIn struct {
	AppPath
	Body applicationIn
}

func (s *Server) updateApplication(ctx context.Context, in *updateApplicationIn) (*answerWith[applicationOut], error) {
	if err := in.Body.validate(); err != nil {
		return nil, err
	}
	org, now := callerOf(ctx).org, s.clock()
	changed, err := s.store.UpdateApplication(ctx, org, in.AppID, func(a *posthorn.Application) error {
		a.UID = replacedUID(a.UID, in.Body.UID, in.AppID)
		a.Name, a.ThrottleRate, a.Metadata, a.UpdatedAt = in.Body.Name, in.Body.throttleRate(), in.Body.Metadata, now
		return nil
	})
	if posthorn.CodeOf(err) != posthorn.NotFound || posthorn.ApplicationID.Has(in.AppID) {
		if err != nil {
			return nil, err
		}
		return created(false, showApplication(changed)), nil
	}
	made := in.Body.create(org, now)
	made.UID = cmp.Or(made.UID, in.AppID)
	if err := checkUID("path.app_id", posthorn.ApplicationID, made.UID); err != nil {
		return nil, err
	}
	if err := s.store.CreateApplication(ctx, made); err != nil {
		return nil, err
	}
	return created(true, showApplication(made)), nil
}

// replacedUID is the uid after a PUT: the one in the body. Without one it is removed, unless the path addressed the
// resource by it: repeating such a PUT has to find the same resource again.
func replacedUID(old, body, path string) string {
	if body == "" && old == path {
		return old
	}
	return body
}

type patchApplicationIn struct {
	AppPath
	Body applicationPatch
}

func (s *Server) patchApplication(ctx context.Context, in *patchApplicationIn) (*answer[applicationOut], error) {
	p := in.Body
	changed, err := s.store.UpdateApplication(ctx, callerOf(ctx).org, in.AppID, func(a *posthorn.Application) error {
		if err := p.Name.into(&a.Name, "body.name"); err != nil {
			return err
		}
		p.UID.orZero(&a.UID)
		p.ThrottleRate.or(p.RateLimit).orZero(&a.ThrottleRate)
		p.Metadata.orZero(&a.Metadata)
		a.UpdatedAt = s.clock()
		return cmp.Or(checkUID("body.uid", posthorn.ApplicationID, a.UID), checkMetadata(a.Metadata))
	})
	if err != nil {
		return nil, err
	}
	return &answer[applicationOut]{Body: showApplication(changed)}, nil
}

func (s *Server) deleteApplication(ctx context.Context, in *AppPath) (*nothing, error) {
	return nil, s.store.DeleteApplication(ctx, callerOf(ctx).org, in.AppID, s.clock())
}

// clock is the time of a change, to the precision that the API shows.
func (s *Server) clock() time.Time { return timestamp(s.now()) }
