package api

import (
	"slices"
	"strings"
)

// tree is a part of the document as JSON. What follows is about the document alone: on huma's schemas, which validate
// requests as well, it would have effects.
type tree = map[string]any

// lasting are the fields that always have a value: a PATCH can't remove it.
var lasting = []string{"name", "url", "description", "disabled", "archived", "deprecated"}

// allowNull documents that null is as good as nothing for what may be left out of a request. Bodies of a PATCH are
// exceptions: to them null is a value, which some fields don't have.
func allowNull(document tree) {
	schemas := branch(document, "components", "schemas")
	for name := range requestSchemas(document, schemas) {
		schema := branch(schemas, name)
		required, _ := schema["required"].([]any)
		mandatory := map[any]bool{}
		for _, field := range required {
			mandatory[field] = true
		}
		properties := branch(schema, "properties")
		if eventID := branch(properties, "eventId"); eventID != nil {
			eventID["pattern"] = `^[a-zA-Z0-9\-_.]*$` // messages are read without huma, and an empty one is none
		}
		for field, property := range properties {
			property, ok := property.(tree)
			switch isPatch := strings.HasSuffix(name, "Patch"); {
			case !ok || mandatory[field]:
			case !isPatch:
				properties[field] = nullable(property)
			case slices.Contains(lasting, field):
				if kinds, ok := property["type"].([]any); ok {
					property["type"] = kinds[0] // the other is null
				}
			}
		}
	}
}

func nullable(property tree) tree {
	if ref, ok := property["$ref"]; ok {
		delete(property, "$ref")
		property["anyOf"] = []any{tree{"$ref": ref}, tree{"type": "null"}}
		return property
	}
	kind, ok := property["type"].(string)
	if !ok {
		return property // anything goes, null included
	}
	property["type"] = []any{kind, "null"}
	if values, ok := property["enum"].([]any); ok {
		property["enum"] = append(values, nil)
	}
	return property
}

// requestSchemas are the names of the schemas that bodies of requests are made of.
func requestSchemas(document, schemas tree) map[string]bool {
	found := map[string]bool{}
	var visit func(part any)
	visit = func(part any) {
		switch part := part.(type) {
		case tree:
			ref, _ := part["$ref"].(string)
			if name, ok := strings.CutPrefix(ref, "#/components/schemas/"); ok && !found[name] {
				found[name] = true
				visit(schemas[name])
			}
			for _, below := range part {
				visit(below)
			}
		case []any:
			for _, below := range part {
				visit(below)
			}
		}
	}
	for _, item := range branch(document, "paths") {
		for _, operation := range item.(tree) {
			visit(operation.(tree)["requestBody"])
		}
	}
	return found
}

// branch is the object at a path of names; nil if there is none.
func branch(t tree, names ...string) tree {
	for _, name := range names {
		t, _ = t[name].(tree)
	}
	return t
}
