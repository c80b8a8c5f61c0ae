package api

import (
	"cmp"
	"context"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/signing"
)

// PollerPath names a poller of an application.
type PollerPath struct {
	AppPath
	SinkID string `path:"sink_id" doc:"The poller's id or uid."`
}

// PollerUpdate is all of a poller that a PUT replaces. It is exported for huma, which finds embedded fields only then.
type PollerUpdate struct {
	Description string   `json:"description,omitempty" doc:"For people."`
	UID         string   `json:"uid,omitempty" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Your own id for it; may be used wherever its id is."`
	EventTypes  []string `json:"eventTypes,omitempty" minItems:"1" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"The event types it shows. Default: all."`
	Channels    []string `json:"channels,omitempty" minItems:"1" maxItems:"10" maxLength:"128" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"The channels it shows. Default: all."`
	Disabled    bool     `json:"disabled,omitempty" doc:"Whether polling it is refused. Its messages wait meanwhile."`
}

func (in *PollerUpdate) replace(p *posthorn.Poller) {
	p.Description, p.Disabled = in.Description, in.Disabled
	p.EventTypes, p.Channels = unique(in.EventTypes), unique(in.Channels)
}

type pollerIn struct {
	PollerUpdate
	Secret string `json:"secret,omitempty" writeOnly:"true" doc:"Signing secret: whsec_ and 24 to 75 bytes in base64, or whsk_ and an Ed25519 key. Default: a fresh whsec_ one."`
}

type pollerOut struct {
	ID          string    `json:"id"`
	UID         *string   `json:"uid,omitempty"`
	Description string    `json:"description"`
	EventTypes  []string  `json:"eventTypes,omitempty"`
	Channels    []string  `json:"channels,omitempty"`
	Disabled    bool      `json:"disabled"`
	CreatedAt   time.Time `json:"createdAt"`
	UpdatedAt   time.Time `json:"updatedAt"`
}

func showPoller(p posthorn.Poller) pollerOut {
	return pollerOut{
		ID: p.ID, UID: optional(p.UID), Description: p.Description, EventTypes: p.EventTypes, Channels: p.Channels,
		Disabled: p.Disabled, CreatedAt: timestamp(p.CreatedAt), UpdatedAt: timestamp(p.UpdatedAt),
	}
}

// poller finds the application and the poller of a path.
func (s *Server) poller(ctx context.Context, path PollerPath) (posthorn.Poller, error) {
	owner, err := s.application(ctx, path.AppID)
	if err != nil {
		return posthorn.Poller{}, err
	}
	return s.store.Poller(ctx, owner.ID, path.SinkID)
}

// checkPoller checks what the input has made of a poller.
func (s *Server) checkPoller(ctx context.Context, p *posthorn.Poller) error {
	if err := problems(
		checkUID("body.uid", posthorn.PollerID, p.UID),
		checkNames("body.eventTypes", p.EventTypes, 0, maxName),
		checkNames("body.channels", p.Channels, maxEndpointChannels, maxChannel),
	); err != nil {
		return err
	}
	return s.checkSubscriptions(ctx, p.EventTypes)
}

type listPollersIn struct {
	AppPath
	PageParams
	OrderParam
}

func (s *Server) listPollers(ctx context.Context, in *listPollersIn) (*answer[listResponse[pollerOut]], error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	page, err := in.page(in.descending(true), posthorn.PollerID.Valid)
	if err != nil {
		return nil, err
	}
	found, err := s.store.ListPollers(ctx, owner.ID, page)
	if err != nil {
		return nil, err
	}
	return listed(found, func(p posthorn.Poller) string { return p.ID }, showPoller), nil
}

type createPollerIn struct {
	AppPath
	Body pollerIn
}

func (s *Server) createPoller(ctx context.Context, in *createPollerIn) (*answer[pollerOut], error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	key, err := s.parseSecret("body.secret", in.Body.Secret)
	if err != nil {
		return nil, err
	}
	made, err := s.addPoller(ctx, owner.ID, in.Body.UID, &in.Body.PollerUpdate, key)
	if err != nil {
		return nil, err
	}
	return &answer[pollerOut]{Body: showPoller(made)}, nil
}

func (s *Server) addPoller(ctx context.Context, appID, uid string, in *PollerUpdate, key signing.Key) (posthorn.Poller, error) {
	now := s.clock()
	made := posthorn.Poller{
		ID: posthorn.PollerID.New(), AppID: appID, UID: uid, Secrets: []posthorn.Secret{{Key: key}}, CreatedAt: now, UpdatedAt: now,
	}
	in.replace(&made)
	if err := s.checkPoller(ctx, &made); err != nil {
		return posthorn.Poller{}, err
	}
	return s.store.CreatePoller(ctx, made)
}

func (s *Server) getPoller(ctx context.Context, in *PollerPath) (*answer[pollerOut], error) {
	found, err := s.poller(ctx, *in)
	if err != nil {
		return nil, err
	}
	return &answer[pollerOut]{Body: showPoller(found)}, nil
}

type updatePollerIn struct {
	PollerPath
	Body PollerUpdate
}

func (s *Server) updatePoller(ctx context.Context, in *updatePollerIn) (*answerWith[pollerOut], error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	wanted := posthorn.Poller{UID: in.Body.UID}
	in.Body.replace(&wanted)
	if err := s.checkPoller(ctx, &wanted); err != nil {
		return nil, err
	}
	changed, err := s.store.UpdatePoller(ctx, owner.ID, in.SinkID, func(p *posthorn.Poller) error {
		p.UID = replacedUID(p.UID, in.Body.UID, in.SinkID)
		in.Body.replace(p)
		p.UpdatedAt = s.clock()
		return nil
	})
	if posthorn.CodeOf(err) != posthorn.NotFound || posthorn.PollerID.Has(in.SinkID) {
		if err != nil {
			return nil, err
		}
		return created(false, showPoller(changed)), nil
	}
	uid := cmp.Or(in.Body.UID, in.SinkID)
	if err := checkUID("path.sink_id", posthorn.PollerID, uid); err != nil {
		return nil, err
	}
	made, err := s.addPoller(ctx, owner.ID, uid, &in.Body, signing.NewSymmetricKey())
	if err != nil {
		return nil, err
	}
	return created(true, showPoller(made)), nil
}

func (s *Server) deletePoller(ctx context.Context, in *PollerPath) (*nothing, error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	return nil, s.store.DeletePoller(ctx, owner.ID, in.SinkID)
}

func (s *Server) getPollerSecret(ctx context.Context, in *PollerPath) (*answer[endpointSecretOut], error) {
	found, err := s.poller(ctx, *in)
	if err != nil {
		return nil, err
	}
	return showSecret(found.ID, found.Secrets)
}

type rotatePollerSecretIn struct {
	PollerPath
	Body *endpointSecretRotateIn
}

func (s *Server) rotatePollerSecret(ctx context.Context, in *rotatePollerSecretIn) (*nothing, error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	next, grace, err := s.rotation(in.Body)
	if err != nil {
		return nil, err
	}
	_, err = s.store.UpdatePoller(ctx, owner.ID, in.SinkID, func(p *posthorn.Poller) error {
		p.UpdatedAt = s.clock()
		return p.RotateSecret(next, grace, p.UpdatedAt)
	})
	return nil, err
}
