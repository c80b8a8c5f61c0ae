package catalogue

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Where schemas stand within a schema. Anything else, such as examples, is data that only looks like one.
var (
	schemaKeywords = []string{
		"additionalItems", "additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then",
		"unevaluatedItems", "unevaluatedProperties",
	}
	schemaLists = []string{"allOf", "anyOf", "items", "oneOf", "prefixItems"}
	schemaMaps  = []string{"$defs", "definitions", "dependencies", "dependentSchemas", "patternProperties", "properties"}
)

// walk calls f for a schema and all schemas in it, outermost first. It leaves out those that have an identifier of their
// own: what they refer to is relative to that.
func walk(schema any, f func(map[string]any)) {
	s, ok := schema.(map[string]any)
	if !ok {
		return
	}
	if id, ok := s["$id"].(string); ok && !strings.HasPrefix(id, "#") {
		return
	}
	f(s)
	for _, keyword := range schemaKeywords {
		walk(s[keyword], f)
	}
	for _, keyword := range schemaLists {
		list, _ := s[keyword].([]any)
		for _, item := range list {
			walk(item, f)
		}
	}
	for _, keyword := range schemaMaps {
		members, _ := s[keyword].(map[string]any)
		for _, member := range members {
			walk(member, f)
		}
	}
}

// mapRefs changes the references in a schema.
func mapRefs(schema any, f func(ref string) string) {
	walk(schema, func(s map[string]any) {
		if ref, ok := s["$ref"].(string); ok {
			s["$ref"] = f(ref)
		}
	})
}

// clone copies what decode returns.
func clone(value any) any {
	switch v := value.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for key, item := range v {
			c[key] = clone(item)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i, item := range v {
			c[i] = clone(item)
		}
		return c
	default:
		return v
	}
}

// encode is for what was decoded or put together of such parts, and can't fail.
func encode(value any) json.RawMessage {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Errorf("encoding a part of the catalogue: %w", err))
	}
	return encoded
}
