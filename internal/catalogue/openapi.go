package catalogue

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/signing"
)

// extension is where an OpenAPI document holds what OpenAPI has no place for.
const extension = "x-posthorn"

// Webhooks are event types in the terms of OpenAPI 3.1.
type Webhooks struct {
	// Items are the webhooks, by the name of the event type.
	Items map[string]json.RawMessage
	// Schemas and Parameters are what they refer to in #/components, by name.
	Schemas    map[string]json.RawMessage
	Parameters map[string]json.RawMessage
}

// webhookExtension is what the document says about an event type in its extension.
type webhookExtension struct {
	Versions     map[string]map[string]any `json:"versions,omitempty"` // references to the schemas, by version
	GroupName    string                    `json:"groupName,omitempty"`
	FeatureFlags []string                  `json:"featureFlags,omitempty"`
	Validation   string                    `json:"payloadValidation,omitempty"`
}

// NewWebhooks translates event types. What only the organisation should know of them (flags, validation) is left out
// unless it is for the organisation.
func NewWebhooks(types []posthorn.EventType, forOrganisation bool) Webhooks {
	w := Webhooks{
		Items:      make(map[string]json.RawMessage, len(types)),
		Schemas:    make(map[string]json.RawMessage, len(types)),
		Parameters: headerParameters(),
	}
	for i := range types {
		w.add(&types[i], forOrganisation)
	}
	return w
}

// Document returns a whole OpenAPI document of event types.
func Document(types []posthorn.EventType, title, version string, forOrganisation bool) json.RawMessage {
	w := NewWebhooks(types, forOrganisation)
	return encode(map[string]any{
		"openapi":    "3.1.0",
		"info":       map[string]any{"title": title, "version": version},
		"webhooks":   w.Items,
		"components": map[string]any{"schemas": w.Schemas, "parameters": w.Parameters},
	})
}

// Export is the Document of a whole catalogue, which Import reads.
func Export(types []posthorn.EventType, forOrganisation bool) json.RawMessage {
	return Document(types, "Webhooks", "1", forOrganisation)
}

func (w *Webhooks) add(et *posthorn.EventType, forOrganisation bool) {
	more := webhookExtension{GroupName: et.GroupName}
	if forOrganisation {
		more.FeatureFlags, more.Validation = et.FeatureFlags, string(et.Validation)
	}
	versions := Versions(*et)
	slices.Reverse(versions)
	var alternatives []any
	for _, version := range versions {
		name := et.Name + "." + version
		if _, taken := w.Schemas[name]; taken {
			name += ".of." + et.Name // a.b in version 1 and a in version b.1
		}
		w.Schemas[name] = encode(embedded(et.Schemas[version], "/components/schemas/"+escapeToken(name)))
		ref := map[string]any{"$ref": "#/components/schemas/" + escapeToken(name)}
		alternatives = append(alternatives, ref)
		if more.Versions == nil {
			more.Versions = map[string]map[string]any{}
		}
		more.Versions[version] = ref
	}
	parameters := []any{parameterRef(signing.HeaderID), parameterRef(signing.HeaderTimestamp), parameterRef(signing.HeaderSignature)}
	body := any(map[string]any{"type": "object"})
	switch len(alternatives) {
	case 0:
	case 1:
		body = alternatives[0]
	default:
		body = map[string]any{"anyOf": alternatives, "description": "Newest version first. " + posthorn.HeaderPayloadVersion + " says which it is."}
	}
	if len(versions) > 0 {
		slices.Reverse(versions)
		parameters = append(parameters, map[string]any{
			"name": posthorn.HeaderPayloadVersion, "in": "header", "schema": map[string]any{"type": "string", "examples": versions},
			"description": "The version of the payload.",
		})
	}
	operation := map[string]any{
		"operationId": "webhook." + et.Name,
		"summary":     et.Name,
		"description": et.Description,
		"parameters":  parameters,
		"requestBody": map[string]any{"required": true, "content": map[string]any{"application/json": map[string]any{"schema": body}}},
		"responses": map[string]any{
			"2XX":     map[string]any{"description": "The event was taken."},
			"default": map[string]any{"description": "It was not, and is sent again later."},
		},
		extension: more,
	}
	if et.Deprecated {
		operation["deprecated"] = true
	}
	if et.GroupName != "" {
		operation["tags"] = []string{et.GroupName}
	}
	w.Items[et.Name] = encode(map[string]any{"post": operation})
}

// embedded is a schema as a part of a larger document, where it stands at a pointer. OpenAPI 3.1 reads it as one of the
// draft of 2020, so what an older one writes differently is rewritten.
func embedded(schema json.RawMessage, at string) any {
	document, err := decode(schema)
	if err != nil {
		return map[string]any{}
	}
	root, ok := document.(map[string]any)
	if !ok {
		return document
	}
	if _, apart := root["$id"]; apart {
		if root["$schema"] == nil {
			root["$schema"] = "http://json-schema.org/draft-07/schema#"
		}
		return root // what it says is relative to its own identifier
	}
	if isOlderDraft(root) {
		walk(root, modernise)
	}
	delete(root, "$schema")
	mapRefs(root, func(ref string) string {
		if rest, ok := strings.CutPrefix(ref, "#"); ok && (rest == "" || rest[0] == '/') {
			return "#" + at + rest
		}
		return ref
	})
	return root
}

// isOlderDraft reports whether a schema is of one of the drafts before 2019, which ours are unless they say otherwise.
func isOlderDraft(schema map[string]any) bool {
	draft, _ := schema["$schema"].(string)
	return draft == "" || strings.Contains(draft, "/draft-0")
}

// modernise rewrites the keywords that have another name since the draft of 2020.
func modernise(s map[string]any) {
	if tuple, ok := s["items"].([]any); ok {
		s["prefixItems"] = tuple
		delete(s, "items")
		if rest, ok := s["additionalItems"]; ok {
			s["items"] = rest
		}
	}
	delete(s, "additionalItems")
	dependencies, _ := s["dependencies"].(map[string]any)
	for name, needs := range dependencies {
		keyword := "dependentSchemas"
		if _, isList := needs.([]any); isList {
			keyword = "dependentRequired"
		}
		if s[keyword] == nil {
			s[keyword] = map[string]any{}
		}
		s[keyword].(map[string]any)[name] = needs
	}
	delete(s, "dependencies")
}

func parameterRef(header string) map[string]any {
	return map[string]any{"$ref": "#/components/parameters/" + header}
}

func headerParameters() map[string]json.RawMessage {
	parameters := map[string]json.RawMessage{}
	for _, header := range []struct{ name, kind, description string }{
		{signing.HeaderID, "string", "The message's id, the same on every attempt."},
		{signing.HeaderTimestamp, "integer", "When this attempt was made, in Unix seconds."},
		{signing.HeaderSignature, "string", "Signatures over id, timestamp and body, separated by spaces."},
	} {
		parameters[header.name] = encode(map[string]any{
			"name": header.name, "in": "header", "required": true, "description": header.description,
			"schema": map[string]any{"type": header.kind},
		})
	}
	return parameters
}
