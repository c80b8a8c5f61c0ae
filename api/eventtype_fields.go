package api

import (
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

const (
	// validationOff is how the wire calls posthorn.Unchecked.
	validationOff validationMode = "off"
	// maxVersions is how many versions of a payload there can be: schemas of an event type, pins of an endpoint.
	maxVersions = 100
	maxVersion  = 64 // characters of a version
)

// schemas are the JSON Schemas of an event type's payload, by version.
type schemas = map[string]json.RawMessage

// checkSchemas compiles JSON Schemas. References to other documents are not followed.
func checkSchemas(byVersion schemas) error {
	if len(byVersion) > maxVersions {
		return invalidField("body.schemas", "must have %d versions at most", maxVersions)
	}
	var items []validationErrorItem
	add := func(version string, within []string, message string) {
		loc := append([]string{"body", "schemas", version}, within...)
		items = append(items, validationErrorItem{Loc: loc, Msg: message, Type: typeValue})
	}
	for _, version := range slices.Sorted(maps.Keys(byVersion)) {
		if err := checkName("", version, maxVersion); err != nil {
			add(version, nil, "is not a version: it "+err.Error())
			continue
		}
		_, err := catalogue.Compile(byVersion[version])
		if wrong, ok := errors.AsType[*catalogue.InvalidSchemaError](err); ok {
			for _, v := range wrong.Violations {
				add(version, v.Path, v.Message)
			}
		}
	}
	if len(items) > 0 {
		return invalid(items...)
	}
	return nil
}

// checkVersions checks the names of versions and how many there are.
func checkVersions(byVersion schemas) error {
	if len(byVersion) > maxVersions {
		return invalidField("", "must have %d versions at most", maxVersions)
	}
	for version := range byVersion {
		if checkName("", version, maxVersion) != nil {
			return invalidField("", "has a version %q, which is not a name", version)
		}
	}
	return nil
}

func checkFlags(flags []string) error {
	if len(flags) == 0 {
		return nil
	}
	return checkNames("body.featureFlags", flags, 0, maxName)
}

// flagList is the older form of feature flags, a single one, in the present form.
func flagList(flag Optional[string]) Optional[[]string] {
	list := Optional[[]string]{Set: flag.Set, Null: flag.Null}
	if flag.Value != "" {
		list.Value = []string{flag.Value}
	}
	return list
}

// validationMode is how the wire calls a posthorn.Validation.
type validationMode string

// Schema is that of the modes.
func (validationMode) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Enum: []any{string(validationOff), string(posthorn.Warn), string(posthorn.Reject)}}
}

func validationOf(wire Optional[validationMode]) Optional[posthorn.Validation] {
	mode := Optional[posthorn.Validation]{Set: wire.Set, Null: wire.Null}
	if wire.Value != validationOff {
		mode.Value = posthorn.Validation(wire.Value)
	}
	return mode
}

// sees reports whether the caller may know of an event type.
func (c caller) sees(et *posthorn.EventType) bool { return c.app == "" || et.VisibleWith(c.flags) }

// eventTypes is the filter for what the caller may know of.
func (c caller) eventTypes(archived bool) store.EventTypeFilter {
	return store.EventTypeFilter{Archived: archived, AnyFlag: c.app == "", FeatureFlags: c.flags}
}

// missingEventTypes returns those of the names that the catalogue does not have, as far as the caller may know.
func (s *Server) missingEventTypes(ctx context.Context, names []string) ([]string, error) {
	who := callerOf(ctx)
	missing, err := s.store.MissingEventTypes(ctx, who.org, names)
	if err != nil || who.app == "" {
		return missing, err
	}
	for _, name := range names {
		known, err := s.catalogue.Type(ctx, who.org, name)
		if err != nil {
			return nil, err
		}
		if known != nil && !who.sees(&known.EventType) && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	return missing, nil
}
