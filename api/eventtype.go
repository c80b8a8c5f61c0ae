package api

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn"
)

// EventTypePath names an event type.
type EventTypePath struct {
	Name string `path:"event_type_name" doc:"The event type's name."`
}

// EventTypeUpdate is all of an event type that a PUT replaces. It is exported for huma, which finds embedded fields
// only then.
type EventTypeUpdate struct {
	Description  string                   `json:"description" doc:"For people." example:"An order was placed."`
	Archived     bool                     `json:"archived,omitempty" doc:"Hidden from the catalogue."`
	Deprecated   bool                     `json:"deprecated,omitempty" doc:"Still sent, but not for new integrations."`
	Schemas      Optional[schemas]        `json:"schemas,omitzero" doc:"JSON Schemas (Draft 7 unless they say otherwise) of the payload, by version. Their examples are what send-example sends."`
	GroupName    Optional[string]         `json:"groupName,omitzero" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"What it is listed under, for people."`
	FeatureFlags Optional[[]string]       `json:"featureFlags,omitzero" maxItems:"50" doc:"Show it only to tokens with one of these flags."`
	FeatureFlag  Optional[string]         `json:"featureFlag,omitzero" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" deprecated:"true" doc:"The older form of featureFlags."`
	Validation   Optional[validationMode] `json:"payloadValidation,omitzero" doc:"What becomes of messages whose payload violates the schema of its version: off doesn't look, warn accepts them with warnings, reject refuses them. Not known to Svix's clients, so a PUT without it leaves it as it is. Default: off."`
}

func (in *EventTypeUpdate) check() error {
	return problems(checkSchemas(in.Schemas.Value), checkFlags(in.flags().Value))
}

func (in *EventTypeUpdate) flags() Optional[[]string] {
	return in.FeatureFlags.or(flagList(in.FeatureFlag))
}

func (in *EventTypeUpdate) replace(et *posthorn.EventType) {
	et.Description, et.Archived, et.Deprecated = in.Description, in.Archived, in.Deprecated
	et.Schemas, et.GroupName, et.FeatureFlags = in.Schemas.Value, in.GroupName.Value, unique(in.flags().Value)
	validationOf(in.Validation).orZero(&et.Validation)
}

type eventTypeIn struct {
	Name string `json:"name" minLength:"1" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Such as order.created; can't be changed."`
	EventTypeUpdate
}

type eventTypePatch struct {
	Description  Optional[string]         `json:"description,omitzero" nullable:"false" doc:"For people."`
	Archived     Optional[bool]           `json:"archived,omitzero" nullable:"false" doc:"Hidden from the catalogue."`
	Deprecated   Optional[bool]           `json:"deprecated,omitzero" nullable:"false" doc:"Still sent, but not for new integrations."`
	Schemas      Optional[schemas]        `json:"schemas,omitzero" doc:"Replaces what was there; null removes it."`
	GroupName    Optional[string]         `json:"groupName,omitzero" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"What it is listed under, for people; null removes it."`
	FeatureFlags Optional[[]string]       `json:"featureFlags,omitzero" maxItems:"50" doc:"Show it only to tokens with one of these flags; null shows it to all."`
	FeatureFlag  Optional[string]         `json:"featureFlag,omitzero" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" deprecated:"true" doc:"The older form of featureFlags; null shows it to all."`
	Validation   Optional[validationMode] `json:"payloadValidation,omitzero" doc:"What becomes of messages whose payload violates the schema of its version; null is off."`
}

type eventTypeOut struct {
	Name         string         `json:"name" doc:"Such as order.created."`
	Description  string         `json:"description" doc:"For people."`
	GroupName    *string        `json:"groupName,omitempty" doc:"What it is listed under, for people."`
	Archived     bool           `json:"archived" doc:"Hidden from the catalogue."`
	Deprecated   bool           `json:"deprecated" doc:"Still sent, but not for new integrations."`
	Schemas      schemas        `json:"schemas,omitempty" doc:"JSON Schemas of the payload, by version."`
	FeatureFlags []string       `json:"featureFlags,omitempty" nullable:"false" doc:"Shown only to tokens with one of these flags."`
	FeatureFlag  *string        `json:"featureFlag,omitempty" deprecated:"true" doc:"The first of featureFlags."`
	Validation   validationMode `json:"payloadValidation" doc:"What becomes of messages whose payload violates the schema of its version."`
	CreatedAt    time.Time      `json:"createdAt"`
	UpdatedAt    time.Time      `json:"updatedAt"`
}

func showEventType(et posthorn.EventType) eventTypeOut {
	out := eventTypeOut{
		Name: et.Name, Description: et.Description, GroupName: optional(et.GroupName), Archived: et.Archived, Deprecated: et.Deprecated,
		Schemas: et.Schemas, FeatureFlags: et.FeatureFlags, Validation: cmp.Or(validationMode(et.Validation), validationOff),
		CreatedAt: timestamp(et.CreatedAt), UpdatedAt: timestamp(et.UpdatedAt),
	}
	if len(et.FeatureFlags) > 0 {
		out.FeatureFlag = &et.FeatureFlags[0]
	}
	return out
}

func (e eventTypeOut) older() any { return reshape(e, "featureFlags", "payloadValidation") }

type listEventTypesIn struct {
	PageParams
	OrderParam
	IncludeArchived bool `query:"include_archived" doc:"Whether to include archived ones."`
	WithContent     bool `query:"with_content" doc:"Whether to include the schemas."`
}

func (s *Server) listEventTypes(ctx context.Context, in *listEventTypesIn) (*answer[listResponse[eventTypeOut]], error) {
	page, err := in.page(in.descending(false), isEventType)
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	found, err := s.store.ListEventTypes(ctx, who.org, who.eventTypes(in.IncludeArchived), page)
	if err != nil {
		return nil, err
	}
	return listed(found, func(et posthorn.EventType) string { return et.Name }, func(et posthorn.EventType) eventTypeOut {
		out := showEventType(et)
		if !in.WithContent {
			out.Schemas = nil
		}
		return out
	}), nil
}

type createEventTypeIn struct{ Body eventTypeIn }

func (s *Server) createEventType(ctx context.Context, in *createEventTypeIn) (*answer[eventTypeOut], error) {
	made, err := s.putNewEventType(ctx, in.Body.Name, &in.Body.EventTypeUpdate)
	if err != nil {
		return nil, err
	}
	return &answer[eventTypeOut]{Body: showEventType(made)}, nil
}

func (s *Server) putNewEventType(ctx context.Context, name string, fields *EventTypeUpdate) (posthorn.EventType, error) {
	now := s.clock()
	made := posthorn.EventType{Name: name, OrgID: callerOf(ctx).org, CreatedAt: now, UpdatedAt: now}
	if err := fields.check(); err != nil {
		return posthorn.EventType{}, err
	}
	fields.replace(&made)
	err := s.store.CreateEventType(ctx, made)
	if posthorn.CodeOf(err) == posthorn.Conflict {
		return posthorn.EventType{}, fail(http.StatusConflict, "event_type_exists", "An event type with this name exists already")
	}
	return made, err
}

func (s *Server) getEventType(ctx context.Context, in *EventTypePath) (*answer[eventTypeOut], error) {
	who := callerOf(ctx)
	found, err := s.store.EventType(ctx, who.org, in.Name)
	if err == nil && !who.sees(&found) {
		err = posthorn.Errorf(posthorn.NotFound, "Entity not found")
	}
	if err != nil {
		return nil, err
	}
	return &answer[eventTypeOut]{Body: showEventType(found)}, nil
}

type updateEventTypeIn struct {
	EventTypePath
	Body EventTypeUpdate
}

func (s *Server) updateEventType(ctx context.Context, in *updateEventTypeIn) (*answerWith[eventTypeOut], error) {
	if err := problems(checkName("path.event_type_name", in.Name, maxName), in.Body.check()); err != nil {
		return nil, err
	}
	changed, err := s.store.UpdateEventType(ctx, callerOf(ctx).org, in.Name, func(et *posthorn.EventType) error {
		in.Body.replace(et)
		et.UpdatedAt = s.clock()
		return nil
	})
	isNew := posthorn.CodeOf(err) == posthorn.NotFound
	if isNew {
		changed, err = s.putNewEventType(ctx, in.Name, &in.Body)
	}
	if err != nil {
		return nil, err
	}
	return created(isNew, showEventType(changed)), nil
}

type patchEventTypeIn struct {
	EventTypePath
	Body eventTypePatch
}

func (s *Server) patchEventType(ctx context.Context, in *patchEventTypeIn) (*answer[eventTypeOut], error) {
	p := in.Body
	flags := p.FeatureFlags.or(flagList(p.FeatureFlag))
	if err := problems(checkSchemas(p.Schemas.Value), checkFlags(flags.Value)); err != nil {
		return nil, err
	}
	flags.Value = unique(flags.Value)
	changed, err := s.store.UpdateEventType(ctx, callerOf(ctx).org, in.Name, func(et *posthorn.EventType) error {
		p.Schemas.orZero(&et.Schemas)
		p.GroupName.orZero(&et.GroupName)
		flags.orZero(&et.FeatureFlags)
		validationOf(p.Validation).orZero(&et.Validation)
		et.UpdatedAt = s.clock()
		return cmp.Or(
			p.Description.into(&et.Description, "body.description"),
			p.Archived.into(&et.Archived, "body.archived"),
			p.Deprecated.into(&et.Deprecated, "body.deprecated"),
		)
	})
	if err != nil {
		return nil, err
	}
	return &answer[eventTypeOut]{Body: showEventType(changed)}, nil
}

type deleteEventTypeIn struct {
	EventTypePath
	Expunge bool `query:"expunge" doc:"Remove it for good instead of archiving it."`
}

// Resolve reads ?expunge without a value as true.
func (in *deleteEventTypeIn) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	if values, ok := u.Query()["expunge"]; ok && values[0] == "" {
		in.Expunge = true
	}
	return nil
}

func (s *Server) deleteEventType(ctx context.Context, in *deleteEventTypeIn) (*nothing, error) {
	org := callerOf(ctx).org
	if in.Expunge {
		return nil, s.store.DeleteEventType(ctx, org, in.Name)
	}
	_, err := s.store.UpdateEventType(ctx, org, in.Name, func(et *posthorn.EventType) error {
		et.Archived, et.UpdatedAt = true, s.clock()
		return nil
	})
	return nil, err
}
