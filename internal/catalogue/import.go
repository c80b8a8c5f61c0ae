package catalogue

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/posthorn/posthorn"
)

const (
	// maxImported is how many event types one document can have.
	maxImported = 5_000
	// maxImportedBytes is how large their schemas can be: each has a copy of all that it refers to.
	maxImportedBytes = 64 << 20
)

// ImportError says what is wrong with an OpenAPI document.
type ImportError struct {
	Path    []string // within the document
	Message string
}

func (e *ImportError) Error() string { return strings.Join(e.Path, ".") + ": " + e.Message }

// Imported is an event type as an OpenAPI document describes it. What it doesn't say is nil.
type Imported struct {
	Name         string
	Description  string
	Deprecated   bool
	GroupName    *string
	FeatureFlags []string
	Validation   *posthorn.Validation
	Schemas      map[string]json.RawMessage
	Path         []string // where its schema stands in the document
}

// Import reads the event types of an OpenAPI document: its webhooks, or its x-webhooks if it has none. They are sorted by
// name; whether the names and schemas are good is not checked. The error is an *ImportError.
func Import(document any) ([]Imported, error) {
	root, ok := document.(map[string]any)
	if !ok {
		return nil, &ImportError{Message: "must be an OpenAPI document, which is an object"}
	}
	section := "webhooks"
	webhooks, ok := root[section]
	if !ok {
		section = "x-webhooks"
		webhooks, ok = root[section]
	}
	items, isObject := webhooks.(map[string]any)
	switch {
	case !ok:
		return nil, &ImportError{Message: "has no webhooks"}
	case !isObject:
		return nil, &ImportError{Path: []string{section}, Message: "must be an object"}
	case len(items) > maxImported:
		return nil, &ImportError{Path: []string{section}, Message: fmt.Sprintf("must have %d at most", maxImported)}
	}
	imported := make([]Imported, 0, len(items))
	size := 0
	for _, name := range slices.Sorted(maps.Keys(items)) {
		im := &importer{root: root, path: []string{section, name}}
		if err := im.webhook(name, items[name]); err != nil {
			return nil, err
		}
		for _, schema := range im.result.Schemas {
			size += len(schema)
		}
		if size > maxImportedBytes {
			return nil, &ImportError{Path: []string{section}, Message: "have schemas that are too large, each with all that it refers to"}
		}
		imported = append(imported, im.result)
	}
	return imported, nil
}

// importer reads one webhook.
type importer struct {
	root   map[string]any
	path   []string
	result Imported
}

func (im *importer) webhook(name string, item any) error {
	im.result.Name = name
	pathItem, err := im.object(item)
	if err != nil {
		return err
	}
	var operation map[string]any
	for _, method := range []string{"post", "put", "patch", "get", "delete"} {
		if op, ok := pathItem[method].(map[string]any); ok {
			operation = op
			im.path = append(im.path, method)
			break
		}
	}
	if operation == nil {
		return im.fault("has no operation; a webhook is a post")
	}
	im.result.Deprecated, _ = operation["deprecated"].(bool)
	if tags, ok := operation["tags"].([]any); ok && len(tags) > 0 {
		if group, ok := tags[0].(string); ok {
			im.result.GroupName = &group
		}
	}
	body, err := im.object(operation["requestBody"])
	if err != nil {
		return err
	}
	im.result.Description = firstText(operation["description"], body["description"], pathItem["description"], operation["summary"], pathItem["summary"])
	if im.result.Description == name {
		im.result.Description = "" // which is how our own documents title those that have none
	}
	if err := im.schema(body); err != nil {
		return err
	}
	return im.extension(operation[extension])
}

// schema takes the JSON that the body has as version 1.
func (im *importer) schema(body map[string]any) error {
	content, _ := body["content"].(map[string]any)
	kind := ""
	for _, candidate := range slices.Sorted(maps.Keys(content)) {
		base, _, _ := strings.Cut(candidate, ";")
		if base == "application/json" || strings.HasSuffix(base, "+json") && kind == "" {
			kind = candidate
		}
	}
	media, _ := content[kind].(map[string]any)
	schema, ok := media["schema"].(map[string]any)
	if !ok {
		return nil
	}
	im.path = append(im.path, "requestBody", "content", kind, "schema")
	im.result.Path = im.path
	bundled, err := im.bundle(schema)
	if err != nil {
		return err
	}
	if bundled["examples"] == nil {
		if examples := im.examples(media); len(examples) > 0 {
			bundled["examples"] = examples
		}
	}
	im.result.Schemas = map[string]json.RawMessage{"1": encode(bundled)}
	return nil
}

// examples are those that stand beside the schema.
func (im *importer) examples(media map[string]any) []any {
	if example, ok := media["example"]; ok {
		return []any{example}
	}
	named, _ := media["examples"].(map[string]any)
	var values []any
	for _, name := range slices.Sorted(maps.Keys(named)) {
		example, err := im.object(named[name])
		if value, ok := example["value"]; err == nil && ok {
			values = append(values, value)
		}
	}
	return values
}

// extension reads what our own documents say besides.
func (im *importer) extension(value any) error {
	said, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	var more webhookExtension
	if err := json.Unmarshal(encode(said), &more); err != nil {
		return im.fault("has an unreadable " + extension)
	}
	im.result.FeatureFlags = more.FeatureFlags
	if more.GroupName != "" {
		im.result.GroupName = &more.GroupName
	}
	if more.Validation != "" {
		mode, known := map[string]posthorn.Validation{
			"off": posthorn.Unchecked, string(posthorn.Warn): posthorn.Warn, string(posthorn.Reject): posthorn.Reject,
		}[more.Validation]
		if !known {
			return im.fault("has an unknown payloadValidation in " + extension)
		}
		im.result.Validation = &mode
	}
	if len(more.Versions) == 0 {
		im.result.Schemas = nil // the body stands for any object
		return nil
	}
	im.result.Schemas = make(map[string]json.RawMessage, len(more.Versions))
	for version, schema := range more.Versions {
		bundled, err := im.bundle(schema)
		if err != nil {
			return err
		}
		im.result.Schemas[version] = encode(bundled)
	}
	return nil
}

// object is an object of the document, or what it refers to.
func (im *importer) object(value any) (map[string]any, error) {
	for range 10 {
		o, _ := value.(map[string]any)
		ref, ok := o["$ref"].(string)
		if !ok {
			return o, nil
		}
		if value = lookUp(im.root, ref); value == nil {
			return nil, im.fault("has a reference that leads nowhere: " + ref)
		}
	}
	return nil, im.fault("has references that lead back to themselves")
}

func (im *importer) fault(message string) error {
	return &ImportError{Path: slices.Clone(im.path), Message: message}
}

func firstText(values ...any) string {
	for _, v := range values {
		if text, ok := v.(string); ok && text != "" {
			return text
		}
	}
	return ""
}

// Apply changes an event type to what was imported. What the document doesn't say stays, and so do the versions that it
// doesn't have.
func (im *Imported) Apply(et *posthorn.EventType) {
	et.Name, et.Description, et.Deprecated, et.Archived = im.Name, im.Description, im.Deprecated, false
	if im.GroupName != nil {
		et.GroupName = *im.GroupName
	}
	if im.FeatureFlags != nil {
		et.FeatureFlags = im.FeatureFlags
	}
	if im.Validation != nil {
		et.Validation = *im.Validation
	}
	if len(im.Schemas) > 0 {
		merged := maps.Clone(et.Schemas)
		if merged == nil {
			merged = make(map[string]json.RawMessage, len(im.Schemas))
		}
		maps.Copy(merged, im.Schemas)
		et.Schemas = merged
	}
}

// Same reports whether two event types say the same, however their schemas are written.
func Same(a, b posthorn.EventType) bool {
	alike := maps.EqualFunc(a.Schemas, b.Schemas, func(x, y json.RawMessage) bool {
		left, err := decode(x)
		right, err2 := decode(y)
		return err == nil && err2 == nil && reflect.DeepEqual(left, right)
	})
	return alike && a.Description == b.Description && a.Deprecated == b.Deprecated && a.Archived == b.Archived &&
		a.GroupName == b.GroupName && a.Validation == b.Validation && slices.Equal(a.FeatureFlags, b.FeatureFlags)
}
