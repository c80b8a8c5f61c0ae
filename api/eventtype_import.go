package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/catalogue"
	"github.com/posthorn/posthorn/internal/store"
)

// maxImportBody is the largest OpenAPI document that is imported, in bytes.
const maxImportBody = 10 << 20

type importIn struct {
	Spec       Optional[object] `json:"spec,omitzero" doc:"The OpenAPI document as an object. Give either this or specRaw."`
	SpecRaw    Optional[string] `json:"specRaw,omitzero" doc:"The OpenAPI document as text, in JSON or YAML." example:"{openapi: 3.1.0, info: {title: Shop, version: 1.0.0}, webhooks: {order.paid: {post: {description: An order was paid., requestBody: {content: {application/json: {schema: {type: object}}}}}}}}"`
	DryRun     bool             `json:"dryRun,omitempty" doc:"Only say what would be changed."`
	OldDryRun  bool             `json:"dry_run,omitempty" deprecated:"true" doc:"The older name of dryRun."`
	ReplaceAll bool             `json:"replaceAll,omitempty" doc:"Archive all event types that the document does not have."`
}

type importOut struct {
	Data importOutData `json:"data"`
}

type importOutData struct {
	Modified []string       `json:"modified" nullable:"false" doc:"The event types that were changed, by name."`
	ToModify []importedType `json:"to_modify,omitempty" doc:"After a dry run: what the changed event types would be."`
}

type importedType struct {
	Name         string   `json:"name"`
	Description  string   `json:"description"`
	Deprecated   bool     `json:"deprecated"`
	Archived     bool     `json:"archived,omitempty"`
	GroupName    *string  `json:"groupName,omitempty"`
	FeatureFlags []string `json:"featureFlags,omitempty"`
	Schemas      schemas  `json:"schemas,omitempty"`
}

func (i importOut) older() any {
	planned := make([]any, len(i.Data.ToModify))
	for n, t := range i.Data.ToModify {
		planned[n] = reshape(t, "archived", "featureFlags")
	}
	return map[string]any{"data": map[string]any{"modified": i.Data.Modified, "to_modify": planned}}
}

type importEventTypesIn struct{ Body importIn }

// errDryRun undoes what would have been done.
var errDryRun = errors.New("dry run")

// importEventTypes makes the catalogue what the webhooks of an OpenAPI document say, all of it or nothing.
func (s *Server) importEventTypes(ctx context.Context, in *importEventTypesIn) (*answer[importOut], error) {
	imported, err := in.Body.read()
	if err != nil {
		return nil, err
	}
	dryRun := in.Body.DryRun || in.Body.OldDryRun
	var changed []posthorn.EventType
	err = s.store.UpdateCatalogue(ctx, callerOf(ctx).org, func(existing []posthorn.EventType) ([]posthorn.EventType, error) {
		changed = s.merge(existing, imported, in.Body.ReplaceAll)
		if dryRun {
			return nil, errDryRun
		}
		return changed, nil
	})
	if err != nil && !errors.Is(err, errDryRun) {
		return nil, err
	}
	out := importOut{Data: importOutData{Modified: []string{}}}
	for _, et := range changed {
		if dryRun {
			out.Data.ToModify = append(out.Data.ToModify, importedType{
				Name: et.Name, Description: et.Description, Deprecated: et.Deprecated, Archived: et.Archived,
				GroupName: optional(et.GroupName), FeatureFlags: et.FeatureFlags, Schemas: et.Schemas,
			})
		} else {
			out.Data.Modified = append(out.Data.Modified, et.Name)
		}
	}
	return &answer[importOut]{Body: out}, nil
}

// merge returns the event types that an import makes or changes.
func (s *Server) merge(existing []posthorn.EventType, imported []catalogue.Imported, replaceAll bool) []posthorn.EventType {
	now := s.clock()
	before := make(map[string]posthorn.EventType, len(existing))
	for _, et := range existing {
		before[et.Name] = et
	}
	var changed []posthorn.EventType
	for _, im := range imported {
		old, exists := before[im.Name]
		delete(before, im.Name)
		et := old
		if !exists {
			et.CreatedAt = now
		}
		im.Apply(&et)
		if exists && catalogue.Same(old, et) {
			continue
		}
		et.UpdatedAt = now
		changed = append(changed, et)
	}
	if replaceAll {
		for _, et := range existing {
			if _, left := before[et.Name]; left && !et.Archived {
				et.Archived, et.UpdatedAt = true, now
				changed = append(changed, et)
			}
		}
	}
	return changed
}

// read finds the event types in the document. What is wrong with them is told by where it stands there.
func (in *importIn) read() ([]catalogue.Imported, error) {
	given, raw := in.Spec.Set && !in.Spec.Null, in.SpecRaw.Set && !in.SpecRaw.Null
	if given == raw {
		return nil, invalidField("body.spec", "Give either spec or specRaw")
	}
	field, text := "spec", []byte(in.Spec.Value)
	if raw {
		field, text = "specRaw", []byte(in.SpecRaw.Value)
	}
	at := func(path []string, message string) validationErrorItem {
		return validationErrorItem{Loc: append([]string{"body", field}, path...), Msg: message, Type: typeValue}
	}
	document, err := catalogue.Parse(text)
	if err != nil {
		return nil, invalid(at(nil, err.Error()))
	}
	imported, err := catalogue.Import(document)
	if wrong, ok := errors.AsType[*catalogue.ImportError](err); ok {
		return nil, invalid(at(wrong.Path, wrong.Message))
	}
	var items []validationErrorItem
	for _, im := range imported {
		items = append(items, checkImported(&im, at)...)
	}
	if len(items) > 0 {
		return nil, invalid(items...)
	}
	return imported, err
}

func checkImported(im *catalogue.Imported, at func(path []string, message string) validationErrorItem) []validationErrorItem {
	var items []validationErrorItem
	if !isEventType(im.Name) {
		items = append(items, at([]string{"webhooks", im.Name}, "is not a name for an event type: letters, digits, '-', '_' and '.', 256 at most"))
	}
	if im.GroupName != nil && !isEventType(*im.GroupName) {
		im.GroupName = nil // a tag is free text
	}
	if err := cmp.Or(checkFlags(im.FeatureFlags), checkVersions(im.Schemas)); err != nil {
		items = append(items, at([]string{"webhooks", im.Name}, err.Error()))
	}
	for _, version := range slices.Sorted(maps.Keys(im.Schemas)) {
		_, err := catalogue.Compile(im.Schemas[version])
		if wrong, ok := errors.AsType[*catalogue.InvalidSchemaError](err); ok {
			for _, v := range wrong.Violations {
				items = append(items, at(append(slices.Clone(im.Path), v.Path...), v.Message))
			}
		}
	}
	return items
}

type exportEventTypesIn struct{}

// exportEventTypes is the catalogue as an OpenAPI document, which importEventTypes reads.
func (s *Server) exportEventTypes(ctx context.Context, _ *exportEventTypesIn) (*answer[document], error) {
	who := callerOf(ctx)
	types, err := s.allEventTypes(ctx, who)
	if err != nil {
		return nil, err
	}
	return &answer[document]{Body: document(catalogue.Export(types, who.app == ""))}, nil
}

// beginExport writes the same document in the background, for the organisation.
func (s *Server) beginExport(ctx context.Context, _ *exportEventTypesIn) (*answer[startedTaskOut], error) {
	return s.begun(ctx, posthorn.ExportCatalogue, "", struct{}{})
}

// allEventTypes are those that a caller may know of, without the archived ones.
func (s *Server) allEventTypes(ctx context.Context, who caller) ([]posthorn.EventType, error) {
	return store.AllEventTypes(ctx, s.store, who.org, who.eventTypes(false))
}

// document is an OpenAPI document.
type document json.RawMessage

func (d document) MarshalJSON() ([]byte, error) { return json.RawMessage(d).MarshalJSON() }

// Schema is that of any object.
func (document) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "An OpenAPI 3.1 document."}
}
