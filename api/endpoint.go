package api

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/signing"
)

// EndpointPath names an endpoint of an application.
type EndpointPath struct {
	AppPath
	EndpointID string `path:"endpoint_id" doc:"The endpoint's id or uid."`
}

// EndpointUpdate is all of an endpoint that a PUT replaces. It is exported for huma, which finds embedded fields only then.
type EndpointUpdate struct {
	URL          string            `json:"url" minLength:"1" maxLength:"65536" doc:"Where messages go; http or https." example:"https://example.com/webhooks"`
	Description  string            `json:"description,omitempty" doc:"For people."`
	UID          string            `json:"uid,omitempty" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Your own id for it; may be used wherever its id is."`
	EventTypes   []string          `json:"eventTypes,omitempty" minItems:"1" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"The event types it subscribes to. Default: all."`
	FilterTypes  []string          `json:"filterTypes,omitempty" minItems:"1" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" deprecated:"true" doc:"The older name of eventTypes."`
	Channels     []string          `json:"channels,omitempty" minItems:"1" maxItems:"10" maxLength:"128" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"The channels it listens on. Default: all."`
	Disabled     bool              `json:"disabled,omitempty" doc:"Whether it takes no messages."`
	Ordered      bool              `json:"ordered,omitempty" doc:"Whether it gets one message at a time, in the order in which they were accepted: each waits until those before it have ended. Default: false."`
	ThrottleRate int               `json:"throttleRate,omitempty" minimum:"1" maximum:"65535" doc:"Messages per second. Default: no limit."`
	RateLimit    int               `json:"rateLimit,omitempty" minimum:"1" maximum:"65535" deprecated:"true" doc:"The older name of throttleRate."`
	MaxInFlight  int               `json:"maxInFlight,omitempty" minimum:"1" maximum:"10000" doc:"Requests under way at the same time (not in Svix). Default: no limit."`
	Metadata     map[string]string `json:"metadata,omitempty" doc:"Yours to fill, up to 4096 bytes."`
	EndpointVersions
}

func (in *EndpointUpdate) replace(e *posthorn.Endpoint) {
	e.URL, e.Description, e.Metadata = in.URL, in.Description, in.Metadata
	e.SetDisabled(in.Disabled, "")
	e.Ordered = in.Ordered
	e.ThrottleRate = cmp.Or(in.ThrottleRate, in.RateLimit)
	e.MaxInFlight = in.MaxInFlight
	e.Channels = unique(in.Channels)
	e.EventTypes = in.EventTypes
	if e.EventTypes == nil {
		e.EventTypes = in.FilterTypes
	}
	e.EventTypes = unique(e.EventTypes)
	in.EndpointVersions.apply(e)
}

type endpointIn struct {
	EndpointUpdate
	Headers map[string]string `json:"headers,omitempty" writeOnly:"true" doc:"Sent with every message to the endpoint."`
	Secret  string            `json:"secret,omitempty" writeOnly:"true" doc:"Signing secret: whsec_ and 24 to 75 bytes in base64, or whsk_ and an Ed25519 key. Default: a fresh one of the server's default kind."`
}

type endpointPatch struct {
	URL          Optional[string]            `json:"url,omitzero" minLength:"1" maxLength:"65536" doc:"Where messages go; http or https."`
	Description  Optional[string]            `json:"description,omitzero" doc:"For people."`
	UID          Optional[string]            `json:"uid,omitzero" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Your own id for it; null removes it."`
	EventTypes   Optional[[]string]          `json:"eventTypes,omitzero" doc:"The event types it subscribes to; null subscribes to all."`
	FilterTypes  Optional[[]string]          `json:"filterTypes,omitzero" deprecated:"true" doc:"The older name of eventTypes."`
	Channels     Optional[[]string]          `json:"channels,omitzero" doc:"The channels it listens on; null listens on all."`
	Disabled     Optional[bool]              `json:"disabled,omitzero" doc:"Whether it takes no messages."`
	Ordered      Optional[bool]              `json:"ordered,omitzero" doc:"Whether it gets one message at a time, in the order in which they were accepted."`
	ThrottleRate Optional[int]               `json:"throttleRate,omitzero" minimum:"1" maximum:"65535" doc:"Messages per second; null removes the limit."`
	RateLimit    Optional[int]               `json:"rateLimit,omitzero" minimum:"1" maximum:"65535" deprecated:"true" doc:"The older name of throttleRate."`
	MaxInFlight  Optional[int]               `json:"maxInFlight,omitzero" minimum:"1" maximum:"10000" doc:"Requests under way at the same time (not in Svix); null removes the limit."`
	Metadata     Optional[map[string]string] `json:"metadata,omitzero" doc:"Replaces what was there; null removes it."`
	EndpointVersions
}

// EndpointOut shows an endpoint, and never its secrets. It is exported for huma, which finds embedded fields only then.
type EndpointOut struct {
	ID             string            `json:"id"`
	UID            *string           `json:"uid,omitempty"`
	URL            string            `json:"url" doc:"Where messages go."`
	Description    string            `json:"description" doc:"For people."`
	EventTypes     []string          `json:"eventTypes,omitempty" nullable:"false" doc:"The event types it subscribes to. Absent: all."`
	Channels       []string          `json:"channels,omitempty" nullable:"false" doc:"The channels it listens on. Absent: all."`
	Disabled       bool              `json:"disabled" doc:"Whether it takes no messages."`
	DisabledReason string            `json:"disabledReason,omitempty" doc:"Why Posthorn disabled it by itself."`
	PausedAt       *time.Time        `json:"pausedAt,omitempty" doc:"Since when its messages wait. Absent: it isn't paused."`
	Ordered        bool              `json:"ordered,omitempty" doc:"Whether it gets one message at a time, in the order in which they were accepted. Absent: no."`
	ThrottleRate   *int              `json:"throttleRate,omitempty" doc:"Messages per second. Absent: no limit."`
	MaxInFlight    *int              `json:"maxInFlight,omitempty" doc:"Requests under way at the same time (not in Svix). Absent: no limit."`
	Metadata       map[string]string `json:"metadata"`
	CreatedAt      time.Time         `json:"createdAt"`
	UpdatedAt      time.Time         `json:"updatedAt"`

	PayloadVersion  string            `json:"payloadVersion,omitempty" doc:"The version of payloads that it gets where a message has several."`
	PayloadVersions map[string]string `json:"payloadVersions,omitempty" doc:"The same for particular event types."`
}

func showEndpoint(e posthorn.Endpoint) EndpointOut {
	return EndpointOut{
		ID: e.ID, UID: optional(e.UID), URL: e.URL, Description: e.Description, EventTypes: e.EventTypes, Channels: e.Channels,
		Disabled: e.Disabled, DisabledReason: e.DisabledReason, PausedAt: optionalTimestamp(e.PausedAt), Ordered: e.Ordered, ThrottleRate: optional(e.ThrottleRate), MaxInFlight: optional(e.MaxInFlight), Metadata: orEmpty(e.Metadata),
		CreatedAt: timestamp(e.CreatedAt), UpdatedAt: timestamp(e.UpdatedAt),
		PayloadVersion: e.PayloadVersion, PayloadVersions: e.PayloadVersions,
	}
}

// endpoint finds the application and the endpoint of a path.
func (s *Server) endpoint(ctx context.Context, path EndpointPath) (posthorn.Endpoint, error) {
	owner, err := s.application(ctx, path.AppID)
	if err != nil {
		return posthorn.Endpoint{}, err
	}
	return s.store.Endpoint(ctx, owner.ID, path.EndpointID)
}

// checkEndpoint checks what the input has made of an endpoint.
func (s *Server) checkEndpoint(ctx context.Context, e *posthorn.Endpoint) error {
	if err := problems(
		s.checkURL(e.URL),
		checkUID("body.uid", posthorn.EndpointID, e.UID),
		checkNames("body.eventTypes", e.EventTypes, 0, maxName),
		checkNames("body.channels", e.Channels, maxEndpointChannels, maxChannel),
		checkThrottle(e.ThrottleRate),
		checkMaxInFlight(e.MaxInFlight),
		checkMetadata(e.Metadata),
	); err != nil {
		return err
	}
	return s.checkSubscriptions(ctx, e.EventTypes)
}

// checkSubscriptions refuses event types that the catalogue does not have.
func (s *Server) checkSubscriptions(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	missing, err := s.missingEventTypes(ctx, names)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return invalidField("body.eventTypes", "The following event types don't exist: %s", strings.Join(missing, ", "))
	}
	return nil
}

type listEndpointsIn struct {
	AppPath
	PageParams
	OrderParam
}

func (s *Server) listEndpoints(ctx context.Context, in *listEndpointsIn) (*answer[listResponse[EndpointOut]], error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	page, err := in.page(in.descending(true), posthorn.EndpointID.Valid)
	if err != nil {
		return nil, err
	}
	found, err := s.store.ListEndpoints(ctx, owner.ID, page)
	if err != nil {
		return nil, err
	}
	return listed(found, func(e posthorn.Endpoint) string { return e.ID }, showEndpoint), nil
}

type createEndpointIn struct {
	AppPath
	Body endpointIn
}

func (s *Server) createEndpoint(ctx context.Context, in *createEndpointIn) (*answer[EndpointOut], error) {
	return s.addEndpoint(ctx, in.AppID, &in.Body)
}

// addEndpoint creates an endpoint, custom headers included.
func (s *Server) addEndpoint(ctx context.Context, appRef string, in *endpointIn) (*answer[EndpointOut], error) {
	owner, err := s.application(ctx, appRef)
	if err != nil {
		return nil, err
	}
	key, err := s.parseSecret("body.secret", in.Secret)
	if err != nil {
		return nil, err
	}
	made := newEndpoint(owner.ID, key, s.clock())
	made.UID = in.UID
	in.replace(&made)
	if made.Headers, err = checkHeaders(in.Headers); err != nil {
		return nil, err
	}
	if err := problems(s.checkEndpoint(ctx, &made), s.checkPins(ctx, &in.EndpointVersions)); err != nil {
		return nil, err
	}
	if err := s.store.CreateEndpoint(ctx, made); err != nil {
		return nil, err
	}
	return &answer[EndpointOut]{Body: showEndpoint(made)}, nil
}

func newEndpoint(appID string, key signing.Key, now time.Time) posthorn.Endpoint {
	return posthorn.Endpoint{
		ID: posthorn.EndpointID.New(), AppID: appID, Secrets: []posthorn.Secret{{Key: key}}, CreatedAt: now, UpdatedAt: now,
	}
}

func (s *Server) getEndpoint(ctx context.Context, in *EndpointPath) (*answer[EndpointOut], error) {
	found, err := s.endpoint(ctx, *in)
	if err != nil {
		return nil, err
	}
	return &answer[EndpointOut]{Body: showEndpoint(found)}, nil
}

type updateEndpointIn struct {
	EndpointPath
	Body EndpointUpdate
}

func (s *Server) updateEndpoint(ctx context.Context, in *updateEndpointIn) (*answerWith[EndpointOut], error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	made := newEndpoint(owner.ID, s.newKey(), s.clock())
	made.UID = in.Body.UID
	in.Body.replace(&made)
	if err := problems(s.checkEndpoint(ctx, &made), s.checkPins(ctx, &in.Body.EndpointVersions)); err != nil {
		return nil, err
	}
	changed, err := s.store.UpdateEndpoint(ctx, owner.ID, in.EndpointID, func(e *posthorn.Endpoint) error {
		e.UID = replacedUID(e.UID, in.Body.UID, in.EndpointID)
		in.Body.replace(e)
		e.UpdatedAt = made.UpdatedAt
		return nil
	})
	if posthorn.CodeOf(err) != posthorn.NotFound || posthorn.EndpointID.Has(in.EndpointID) {
		if err != nil {
			return nil, err
		}
		return created(false, showEndpoint(changed)), nil
	}
	made.UID = cmp.Or(made.UID, in.EndpointID)
	if err := checkUID("path.endpoint_id", posthorn.EndpointID, made.UID); err != nil {
		return nil, err
	}
	if err := s.store.CreateEndpoint(ctx, made); err != nil {
		return nil, err
	}
	return created(true, showEndpoint(made)), nil
}

type patchEndpointIn struct {
	EndpointPath
	Body endpointPatch
}

func (s *Server) patchEndpoint(ctx context.Context, in *patchEndpointIn) (*answer[EndpointOut], error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	p := in.Body
	subscriptions := p.EventTypes.or(p.FilterTypes)
	// The catalogue is consulted before the transaction begins: inside it, the store can't be asked.
	if err := problems(s.checkSubscriptions(ctx, subscriptions.Value), s.checkPins(ctx, &p.EndpointVersions)); err != nil {
		return nil, err
	}
	changed, err := s.store.UpdateEndpoint(ctx, owner.ID, in.EndpointID, func(e *posthorn.Endpoint) error {
		disabled := e.Disabled
		if err := cmp.Or(
			p.URL.into(&e.URL, "body.url"),
			p.Description.into(&e.Description, "body.description"),
			p.Disabled.into(&disabled, "body.disabled"),
			p.Ordered.into(&e.Ordered, "body.ordered"),
			checkNames("body.eventTypes", subscriptions.Value, 0, maxName),
			checkNames("body.channels", p.Channels.Value, maxEndpointChannels, maxChannel),
		); err != nil {
			return err
		}
		e.SetDisabled(disabled, "")
		p.UID.orZero(&e.UID)
		subscriptions.orZero(&e.EventTypes)
		p.Channels.orZero(&e.Channels)
		p.ThrottleRate.or(p.RateLimit).orZero(&e.ThrottleRate)
		p.MaxInFlight.orZero(&e.MaxInFlight)
		p.Metadata.orZero(&e.Metadata)
		p.EndpointVersions.apply(e)
		e.EventTypes, e.Channels, e.UpdatedAt = unique(e.EventTypes), unique(e.Channels), s.clock()
		if p.URL.Set { // an address of before the setting for https may stay
			if err := s.checkURL(e.URL); err != nil {
				return err
			}
		}
		return cmp.Or(checkUID("body.uid", posthorn.EndpointID, e.UID), checkMetadata(e.Metadata))
	})
	if err != nil {
		return nil, err
	}
	return &answer[EndpointOut]{Body: showEndpoint(changed)}, nil
}

func (s *Server) deleteEndpoint(ctx context.Context, in *EndpointPath) (*nothing, error) {
	owner, err := s.application(ctx, in.AppID)
	if err != nil {
		return nil, err
	}
	return nil, s.store.DeleteEndpoint(ctx, owner.ID, in.EndpointID, s.clock())
}
