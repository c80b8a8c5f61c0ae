package catalogue

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// draft2020 is what schemas of OpenAPI 3.1 are written in.
const draft2020 = "https://json-schema.org/draft/2020-12/schema"

// bundler makes a schema of a document stand by itself: it takes along what the schema refers to.
type bundler struct {
	im      *importer
	at      string            // pointer of the schema itself; refers to nothing if it is not known
	keyword string            // where definitions go
	taken   map[string]any    // definitions by name
	names   map[string]string // pointer → name
	err     error
}

// bundle copies a schema of the document together with all that it refers to.
func (im *importer) bundle(schema map[string]any) (map[string]any, error) {
	b := &bundler{im: im, at: "\x00", keyword: "definitions", taken: map[string]any{}, names: map[string]string{}}
	modern := im.isModern()
	if modern {
		b.keyword = "$defs"
	}
	beside := map[string]any{}
	for hops := 0; ; hops++ {
		ref, ok := schema["$ref"].(string)
		if !ok {
			break
		}
		target, ok := lookUp(im.root, ref).(map[string]any)
		switch {
		case !strings.HasPrefix(ref, "#"):
			return nil, im.fault("has a reference to another document, " + ref + "; such are not followed")
		case !ok:
			return nil, im.fault("has a reference that leads nowhere: " + ref)
		case hops > 10:
			return nil, im.fault("has references that lead back to themselves")
		}
		for keyword, v := range schema {
			if _, there := beside[keyword]; !there && keyword != "$ref" {
				beside[keyword] = v
			}
		}
		schema, b.at = target, ref[1:]
	}
	root := clone(schema).(map[string]any)
	maps.Copy(root, clone(beside).(map[string]any))
	b.adopt(root)
	if b.err != nil {
		return nil, b.err
	}
	if len(b.taken) > 0 {
		own, _ := root[b.keyword].(map[string]any)
		if own == nil {
			own = map[string]any{}
		}
		maps.Copy(own, b.taken)
		root[b.keyword] = own
	}
	if modern && root["$schema"] == nil {
		root["$schema"] = draft2020
		if dialect, ok := im.root["jsonSchemaDialect"].(string); ok && strings.Contains(dialect, "json-schema.org/") {
			root["$schema"] = dialect
		}
	}
	return root, nil
}

// isModern reports whether the document's schemas are JSON Schemas: since 3.1 they are.
func (im *importer) isModern() bool {
	version, _ := im.root["openapi"].(string)
	return version != "" && !strings.HasPrefix(version, "3.0")
}

// adopt has the references of a schema, which is a copy, lead to definitions, and adds those.
func (b *bundler) adopt(schema any) {
	if !b.im.isModern() {
		walk(schema, translateOpenAPI30)
	}
	mapRefs(schema, func(ref string) string {
		pointer, local := strings.CutPrefix(ref, "#")
		switch {
		case !local:
			b.fault("has a reference to another document, " + ref + "; such are not followed")
			return ref
		case pointer == b.at:
			return "#"
		case strings.HasPrefix(pointer, b.at+"/"):
			return "#" + pointer[len(b.at):]
		}
		name, known := b.names[pointer]
		if !known {
			target := lookUp(b.im.root, ref)
			switch target.(type) {
			case map[string]any, bool:
			default:
				b.fault("has a reference that leads nowhere: " + ref)
				return ref
			}
			name = b.name(pointer)
			b.names[pointer] = name
			b.taken[name] = nil // taken, before what it refers to takes it
			definition := clone(target)
			b.adopt(definition)
			b.taken[name] = definition
		}
		return "#/" + b.keyword + "/" + escapeToken(name)
	})
}

func (b *bundler) fault(message string) {
	if b.err == nil {
		b.err = b.im.fault(message)
	}
}

// name calls a definition as the document does.
func (b *bundler) name(pointer string) string {
	parts := tokens(pointer)
	if len(parts) > 2 && parts[0] == "components" {
		parts = parts[2:]
	}
	base := strings.Join(parts, ".")
	name := base
	for n := 2; ; n++ {
		if _, there := b.taken[name]; !there {
			return name
		}
		name = fmt.Sprintf("%s.%d", base, n)
	}
}

// translateOpenAPI30 makes a schema of OpenAPI 3.0 one of Draft 7.
func translateOpenAPI30(s map[string]any) {
	if nullable, _ := s["nullable"].(bool); nullable {
		if kind, ok := s["type"].(string); ok {
			s["type"] = []any{kind, "null"}
		}
		if values, ok := s["enum"].([]any); ok && !slices.Contains(values, nil) {
			s["enum"] = append(slices.Clone(values), nil)
		}
	}
	delete(s, "nullable")
	if example, ok := s["example"]; ok && s["examples"] == nil {
		s["examples"] = []any{example}
		delete(s, "example")
	}
	for exclusive, bound := range map[string]string{"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"} {
		switch isExclusive, ok := s[exclusive].(bool); {
		case !ok:
		case isExclusive && s[bound] != nil:
			s[exclusive] = s[bound]
			delete(s, bound)
		default:
			delete(s, exclusive)
		}
	}
}
