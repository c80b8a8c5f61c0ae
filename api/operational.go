package api

import (
	"context"
	"maps"
	"slices"

	"github.com/posthorn/posthorn"
)

// An organisation's operational-webhook endpoints are the endpoints of a hidden application. The operations here send
// the caller there, and leave the rest to the operations on endpoints.

// OperationalUpdate is all of an operational-webhook endpoint that a PUT replaces. It is exported for huma, which finds
// embedded fields only then.
type OperationalUpdate struct {
	URL          string            `json:"url" minLength:"1" maxLength:"65536" doc:"Where events go; http or https."`
	Description  string            `json:"description,omitempty" doc:"For people."`
	UID          string            `json:"uid,omitempty" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Your own id for it; may be used wherever its id is."`
	EventTypes   []string          `json:"eventTypes,omitempty" minItems:"1" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"The operational events it subscribes to, such as message.attempt.exhausted. Default: all."`
	Disabled     bool              `json:"disabled,omitempty" doc:"Whether it takes no events."`
	ThrottleRate int               `json:"throttleRate,omitempty" minimum:"1" maximum:"65535" doc:"Events per second. Default: no limit."`
	RateLimit    int               `json:"rateLimit,omitempty" minimum:"1" maximum:"65535" deprecated:"true" doc:"The older name of throttleRate."`
	FilterTypes  []string          `json:"filterTypes,omitempty" minItems:"1" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" deprecated:"true" doc:"The older name of eventTypes."`
	Metadata     map[string]string `json:"metadata,omitempty" doc:"Yours to fill, up to 4096 bytes."`
}

// endpoint is the same for an endpoint like any other.
func (in OperationalUpdate) endpoint() EndpointUpdate {
	return EndpointUpdate{
		URL: in.URL, Description: in.Description, UID: in.UID, EventTypes: in.EventTypes, FilterTypes: in.FilterTypes,
		Disabled: in.Disabled, ThrottleRate: in.ThrottleRate, RateLimit: in.RateLimit, Metadata: in.Metadata,
	}
}

type operationalIn struct {
	OperationalUpdate
	Secret  string            `json:"secret,omitempty" writeOnly:"true" doc:"Signing secret: whsec_ and 24 to 75 bytes in base64, or whsk_ and an Ed25519 key. Default: a fresh whsec_ one."`
	Headers map[string]string `json:"headers,omitempty" writeOnly:"true" doc:"Sent with every event to the endpoint."`
}

// OperationalPath names an operational-webhook endpoint.
type OperationalPath struct {
	EndpointID string `path:"endpoint_id" doc:"The endpoint's id or uid."`
}

func (p OperationalPath) endpoint() EndpointPath {
	return EndpointPath{AppPath: AppPath{AppID: posthorn.OperationalUID}, EndpointID: p.EndpointID}
}

// operational lets the caller act on the organisation behind its own. The hidden application and its catalogue of events
// are made when they are first needed.
func (s *Server) operational(ctx context.Context) (context.Context, error) {
	who := callerOf(ctx)
	who.org, who.app = posthorn.OperationalOrg(who.org), ""
	if err := s.prepareOperational(ctx, who.org); err != nil {
		return ctx, err
	}
	return context.WithValue(ctx, callerKey{}, who), nil
}

// prepareOperational may run several times at once: a conflict means that another run has done its work.
func (s *Server) prepareOperational(ctx context.Context, org string) error {
	_, err := s.store.Application(ctx, org, posthorn.OperationalUID)
	if posthorn.CodeOf(err) == posthorn.NotFound {
		in := applicationIn{Name: "Operational webhooks", UID: posthorn.OperationalUID}
		err = s.store.CreateApplication(ctx, in.create(org, s.clock()))
	}
	if err != nil && posthorn.CodeOf(err) != posthorn.Conflict {
		return err
	}
	events := posthorn.OperationalEvents()
	missing, err := s.store.MissingEventTypes(ctx, org, slices.Sorted(maps.Keys(events)))
	if err != nil {
		return err
	}
	for _, name := range missing {
		now := s.clock()
		err := s.store.CreateEventType(ctx, posthorn.EventType{Name: name, OrgID: org, Description: events[name], CreatedAt: now, UpdatedAt: now})
		if err != nil && posthorn.CodeOf(err) != posthorn.Conflict {
			return err
		}
	}
	return nil
}

// onOperational makes an operation on operational-webhook endpoints out of one on endpoints.
func onOperational[I, E, O, P any](
	s *Server, endpoints func(context.Context, E) (*O, error), in func(*I) E, out func(*O) *P,
) func(context.Context, *I) (*P, error) {
	return func(ctx context.Context, input *I) (*P, error) {
		ctx, err := s.operational(ctx)
		if err != nil {
			return nil, err
		}
		found, err := endpoints(ctx, in(input))
		if err != nil {
			return nil, err
		}
		return out(found), nil
	}
}

// unchanged is for answers that are the same for both.
func unchanged[O any](out *O) *O { return out }

// operationalOut shows an operational-webhook endpoint as an endpoint.
type operationalOut struct{ EndpointOut }

// older has no version, unlike that of an endpoint.
func (e operationalOut) older() any { return reshape(e.EndpointOut) }

func showOperational(found *answer[EndpointOut]) *answer[operationalOut] {
	return &answer[operationalOut]{Body: operationalOut{found.Body}}
}

func showOperationalPut(put *answerWith[EndpointOut]) *answerWith[operationalOut] {
	return &answerWith[operationalOut]{Status: put.Status, Body: operationalOut{put.Body}}
}

func showOperationalList(found *answer[listResponse[EndpointOut]]) *answer[listResponse[operationalOut]] {
	list := found.Body
	body := listResponse[operationalOut]{
		Data: make([]operationalOut, len(list.Data)), Iterator: list.Iterator, PrevIterator: list.PrevIterator, Done: list.Done,
	}
	for i, e := range list.Data {
		body.Data[i] = operationalOut{e}
	}
	return &answer[listResponse[operationalOut]]{Body: body}
}

type listOperationalIn struct {
	PageParams
	OrderParam
}

func (in *listOperationalIn) endpoints() *listEndpointsIn {
	return &listEndpointsIn{AppPath: AppPath{AppID: posthorn.OperationalUID}, PageParams: in.PageParams, OrderParam: in.OrderParam}
}

type createOperationalIn struct{ Body operationalIn }

func (s *Server) createOperational(ctx context.Context, in *createOperationalIn) (*answer[operationalOut], error) {
	ctx, err := s.operational(ctx)
	if err != nil {
		return nil, err
	}
	body := endpointIn{EndpointUpdate: in.Body.OperationalUpdate.endpoint(), Secret: in.Body.Secret, Headers: in.Body.Headers}
	made, err := s.addEndpoint(ctx, posthorn.OperationalUID, &body)
	if err != nil {
		return nil, err
	}
	return showOperational(made), nil
}

type updateOperationalIn struct {
	OperationalPath
	Body OperationalUpdate
}

func (in *updateOperationalIn) endpoints() *updateEndpointIn {
	return &updateEndpointIn{EndpointPath: in.endpoint(), Body: in.Body.endpoint()}
}

type rotateOperationalSecretIn struct {
	OperationalPath
	Body *endpointSecretRotateIn
}

func (in *rotateOperationalSecretIn) endpoints() *rotateSecretIn {
	return &rotateSecretIn{EndpointPath: in.endpoint(), Body: in.Body}
}

type updateOperationalHeadersIn struct {
	OperationalPath
	Body endpointHeadersIn
}

func (in *updateOperationalHeadersIn) endpoints() *updateHeadersIn {
	return &updateHeadersIn{EndpointPath: in.endpoint(), Body: in.Body}
}

func operationalPath(in *OperationalPath) *EndpointPath {
	path := in.endpoint()
	return &path
}
