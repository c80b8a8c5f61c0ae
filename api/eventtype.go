package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// EventTypePath names an event type.
type EventTypePath struct {
	Name string `path:"event_type_name" doc:"The event type's name."`
}

// schemas are the JSON Schemas of an event type's payload, by version.
type schemas = map[string]json.RawMessage

// EventTypeUpdate is all of an event type that a PUT replaces. It is exported for huma, which finds embedded fields
// only then.
type EventTypeUpdate struct {
	Description string  `json:"description" doc:"For people."`
	Archived    bool    `json:"archived,omitempty" doc:"Hidden from the catalogue."`
	Deprecated  bool    `json:"deprecated,omitempty" doc:"Still sent, but not for new integrations."`
	Schemas     schemas `json:"schemas,omitempty" doc:"JSON Schemas (Draft 7 unless they say otherwise) of the payload, by version."`
	FeatureFlag string  `json:"featureFlag,omitempty" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Show it only to tokens with this flag."`
}

func (in *EventTypeUpdate) replace(et *posthorn.EventType) {
	et.Description, et.Archived, et.Deprecated = in.Description, in.Archived, in.Deprecated
	et.Schemas, et.FeatureFlag = in.Schemas, in.FeatureFlag
}

type eventTypeIn struct {
	Name string `json:"name" minLength:"1" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Such as order.created; can't be changed."`
	EventTypeUpdate
}

type eventTypePatch struct {
	Description Optional[string]  `json:"description,omitzero" doc:"For people."`
	Archived    Optional[bool]    `json:"archived,omitzero" doc:"Hidden from the catalogue."`
	Deprecated  Optional[bool]    `json:"deprecated,omitzero" doc:"Still sent, but not for new integrations."`
	Schemas     Optional[schemas] `json:"schemas,omitzero" doc:"Replaces what was there; null removes it."`
	FeatureFlag Optional[string]  `json:"featureFlag,omitzero" maxLength:"256" pattern:"^[a-zA-Z0-9\\-_.]+$" doc:"Show it only to tokens with this flag; null shows it to all."`
}

type eventTypeOut struct {
	Name        string    `json:"name"`
	Description string    `json:"description"`
	Archived    bool      `json:"archived"`
	Deprecated  bool      `json:"deprecated"`
	Schemas     schemas   `json:"schemas,omitempty"`
	FeatureFlag *string   `json:"featureFlag,omitempty"`
	CreatedAt   time.Time `json:"createdAt"`
	UpdatedAt   time.Time `json:"updatedAt"`
}

func showEventType(et posthorn.EventType) eventTypeOut {
	return eventTypeOut{
		Name: et.Name, Description: et.Description, Archived: et.Archived, Deprecated: et.Deprecated, Schemas: et.Schemas,
		FeatureFlag: optional(et.FeatureFlag), CreatedAt: timestamp(et.CreatedAt), UpdatedAt: timestamp(et.UpdatedAt),
	}
}

// checkSchemas compiles JSON Schemas. References to other documents are not followed.
func checkSchemas(byVersion schemas) error {
	for version, schema := range byVersion {
		field := "body.schemas." + version
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
		if _, isObject := document.(map[string]any); err != nil || !isObject {
			return invalidField(field, "must be a JSON Schema, which is an object")
		}
		compiler := jsonschema.NewCompiler()
		compiler.DefaultDraft(jsonschema.Draft7)
		compiler.UseLoader(noLoader{})
		if err := compiler.AddResource("schema.json", document); err != nil {
			return invalidField(field, "is not a valid JSON Schema: %w", err)
		}
		if _, err := compiler.Compile("schema.json"); err != nil {
			return invalidField(field, "is not a valid JSON Schema: %w", err)
		}
	}
	return nil
}

// noLoader keeps schemas from making the server read files or call other servers.
type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("references to other documents are not followed")
}

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
	filter := store.EventTypeFilter{Archived: in.IncludeArchived, AnyFlag: who.app == "", FeatureFlags: who.flags}
	found, err := s.store.ListEventTypes(ctx, who.org, filter, page)
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
	fields.replace(&made)
	if err := checkSchemas(made.Schemas); err != nil {
		return posthorn.EventType{}, err
	}
	err := s.store.CreateEventType(ctx, made)
	if posthorn.CodeOf(err) == posthorn.Conflict {
		return posthorn.EventType{}, fail(http.StatusConflict, "event_type_exists", "An event type with this name exists already")
	}
	return made, err
}

func (s *Server) getEventType(ctx context.Context, in *EventTypePath) (*answer[eventTypeOut], error) {
	who := callerOf(ctx)
	found, err := s.store.EventType(ctx, who.org, in.Name)
	if err == nil && !who.sees(found.FeatureFlag) {
		err = posthorn.Errorf(posthorn.NotFound, "Entity not found")
	}
	if err != nil {
		return nil, err
	}
	return &answer[eventTypeOut]{Body: showEventType(found)}, nil
}

// missingEventTypes returns those of the names that the catalogue does not have for the caller: an application doesn't
// learn of event types behind a flag that it lacks.
func (s *Server) missingEventTypes(ctx context.Context, names []string) ([]string, error) {
	who := callerOf(ctx)
	missing, err := s.store.MissingEventTypes(ctx, who.org, names)
	if err != nil || who.app == "" {
		return missing, err
	}
	for _, name := range unique(slices.Clone(names)) {
		if slices.Contains(missing, name) {
			continue
		}
		found, err := s.store.EventType(ctx, who.org, name)
		if err != nil {
			return nil, err
		}
		if !who.sees(found.FeatureFlag) {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

type updateEventTypeIn struct {
	EventTypePath
	Body EventTypeUpdate
}

func (s *Server) updateEventType(ctx context.Context, in *updateEventTypeIn) (*answerWith[eventTypeOut], error) {
	if err := cmp.Or(checkName("path.event_type_name", in.Name, maxName), checkSchemas(in.Body.Schemas)); err != nil {
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
	if err := checkSchemas(p.Schemas.Value); err != nil {
		return nil, err
	}
	changed, err := s.store.UpdateEventType(ctx, callerOf(ctx).org, in.Name, func(et *posthorn.EventType) error {
		p.Schemas.orZero(&et.Schemas)
		p.FeatureFlag.orZero(&et.FeatureFlag)
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
