package catalogue

import (
	"maps"
	"math"
	"slices"
	"strings"
)

const (
	// maxInventDepth bounds how deep an example goes: schemas may refer to themselves.
	maxInventDepth = 12
	// maxInventSize bounds how many values an example has.
	maxInventSize = 2000
)

// inventor makes up values that a schema allows, for most schemas that people write. It is deterministic, so that an
// example is the same every time.
type inventor struct {
	root map[string]any
	made int
}

// samples are texts of a format.
var samples = map[string]string{
	"date-time": "2026-01-15T12:30:00Z", "date": "2026-01-15", "time": "12:30:00Z", "duration": "PT1H",
	"email": "jane@example.com", "idn-email": "jane@example.com", "hostname": "example.com", "idn-hostname": "example.com",
	"ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "uri": "https://example.com/", "iri": "https://example.com/",
	"uri-reference": "/", "iri-reference": "/", "uri-template": "/{id}", "uuid": "3f0b2c64-9d1e-4c1b-8a57-2f6d1f0c9a11",
	"json-pointer": "/a", "relative-json-pointer": "0", "regex": "^a$",
}

// value makes a value for a schema. It returns false where it gives up.
func (i *inventor) value(schema any, depth int) (any, bool) {
	i.made++
	if depth > maxInventDepth || i.made > maxInventSize {
		return nil, false
	}
	if allowed, isBool := schema.(bool); isBool {
		return "value", allowed
	}
	s, ok := schema.(map[string]any)
	if !ok {
		return nil, false
	}
	s = i.merged(s, depth)
	if v, ok := s["const"]; ok {
		return v, true
	}
	for _, list := range []string{"examples", "enum"} {
		if values, ok := s[list].([]any); ok && len(values) > 0 {
			return values[0], true
		}
	}
	for _, single := range []string{"example", "default"} {
		if v, ok := s[single]; ok {
			return v, true
		}
	}
	switch typeOf(s) {
	case "object":
		return i.object(s, depth)
	case "array":
		return i.array(s, depth)
	case "string":
		return text(s)
	case "integer", "number":
		return numberIn(s), true
	case "boolean":
		return true, true
	case "null":
		return nil, true
	default:
		return "value", true
	}
}

// merged is a schema with what it refers to, all that must hold too, and the first of each set of alternatives.
func (i *inventor) merged(s map[string]any, depth int) map[string]any {
	parts := []map[string]any{}
	for hops := 0; hops < maxInventDepth; hops++ {
		ref, ok := s["$ref"].(string)
		if !ok {
			break
		}
		target, ok := lookUp(i.root, ref).(map[string]any)
		if !ok {
			break
		}
		rest := maps.Clone(s)
		delete(rest, "$ref")
		parts = append(parts, rest)
		s = target
	}
	parts = append(parts, s)
	merged := map[string]any{}
	for _, part := range slices.Backward(parts) {
		into(merged, part)
	}
	if i.made++; depth > maxInventDepth || i.made > maxInventSize {
		return merged
	}
	var more []map[string]any
	if all, ok := merged["allOf"].([]any); ok {
		for _, part := range all {
			if p, ok := part.(map[string]any); ok {
				more = append(more, p)
			}
		}
	}
	for _, choice := range []string{"oneOf", "anyOf"} {
		if alternatives, ok := merged[choice].([]any); ok && len(alternatives) > 0 {
			if p, ok := alternatives[0].(map[string]any); ok {
				more = append(more, p)
			}
		}
	}
	delete(merged, "allOf")
	delete(merged, "oneOf")
	delete(merged, "anyOf")
	for _, part := range more {
		into(merged, i.merged(part, depth+1))
	}
	return merged
}

// into adds the keywords of a schema to another; properties and required ones add up.
func into(dst, part map[string]any) {
	for keyword, v := range part {
		switch before := dst[keyword].(type) {
		case map[string]any:
			if more, ok := v.(map[string]any); ok && keyword == "properties" {
				both := maps.Clone(before)
				maps.Copy(both, more)
				v = both
			}
		case []any:
			if more, ok := v.([]any); ok && keyword == "required" {
				v = slices.Concat(before, more)
			}
		}
		dst[keyword] = v
	}
}

func typeOf(s map[string]any) string {
	switch t := s["type"].(type) {
	case string:
		return t
	case []any:
		for _, candidate := range t {
			if name, ok := candidate.(string); ok && name != "null" {
				return name
			}
		}
		return "null"
	}
	for _, hint := range [][2]string{
		{"properties", "object"}, {"required", "object"}, {"additionalProperties", "object"}, {"items", "array"},
		{"format", "string"}, {"pattern", "string"}, {"minLength", "string"}, {"minimum", "number"}, {"maximum", "number"},
	} {
		if _, ok := s[hint[0]]; ok {
			return hint[1]
		}
	}
	return ""
}

// object has all properties; one that can't be made is left out unless it is required.
func (i *inventor) object(s map[string]any, depth int) (any, bool) {
	required, _ := s["required"].([]any)
	properties, _ := s["properties"].(map[string]any)
	made := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		v, ok := i.value(properties[name], depth+1)
		if ok {
			made[name] = v
		} else if slices.Contains(required, any(name)) {
			return nil, false
		}
	}
	for _, name := range required {
		name, ok := name.(string)
		if _, there := made[name]; ok && !there {
			made[name] = "value"
		}
	}
	return made, true
}

func (i *inventor) array(s map[string]any, depth int) (any, bool) {
	least := 0
	if n, ok := s["minItems"].(float64); ok {
		least = int(min(n, maxInventSize))
	}
	made := []any{}
	tuple, _ := s["prefixItems"].([]any)
	rest := s["items"]
	if list, ok := rest.([]any); ok {
		tuple, rest = list, s["additionalItems"]
	}
	for _, item := range tuple {
		v, ok := i.value(item, depth+1)
		if !ok {
			return made, len(made) >= least
		}
		made = append(made, v)
	}
	if rest == nil {
		rest = true
	}
	for len(made) < max(least, 1) {
		v, ok := i.value(rest, depth+1)
		if !ok {
			return made, len(made) >= least
		}
		made = append(made, v)
	}
	return made, true
}

func text(s map[string]any) (any, bool) {
	format, _ := s["format"].(string)
	if sample, ok := samples[format]; ok {
		return sample, true
	}
	made := "text"
	if least, ok := s["minLength"].(float64); ok && int(least) > len(made) {
		if least > maxInventSize {
			return nil, false
		}
		made += strings.Repeat("x", int(least)-len(made))
	}
	if most, ok := s["maxLength"].(float64); ok && int(most) < len(made) {
		made = made[:max(int(most), 0)]
	}
	return made, true
}

// numberIn returns a small number within the bounds.
func numberIn(s map[string]any) float64 {
	n, step := 1.0, 1.0
	if multiple, ok := s["multipleOf"].(float64); ok && multiple > 0 {
		n, step = multiple, multiple
	}
	if least, ok := s["minimum"].(float64); ok && n < least {
		n = math.Ceil(least/step) * step
	}
	if above, ok := s["exclusiveMinimum"].(float64); ok && n <= above {
		n = (math.Floor(above/step) + 1) * step
	}
	if most, ok := s["maximum"].(float64); ok && n > most {
		n = math.Floor(most/step) * step
	}
	if below, ok := s["exclusiveMaximum"].(float64); ok && n >= below {
		n = (math.Ceil(below/step) - 1) * step
	}
	return n
}
