package apitest

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// document is where the compiler knows the document from.
const document = "file:///openapi.json"

// schema is one of the document's, compiled.
type schema struct {
	compiled *jsonschema.Schema
	numeric  bool
}

// object is a JSON object.
type object = map[string]any

// New reads a document and compiles the schemas of its answers. Objects are taken to be complete: a field that the
// document doesn't describe is a violation, although clients are to expect such fields from newer servers.
func New(source []byte) (*Checker, error) {
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(source))
	if err != nil {
		return nil, fmt.Errorf("the document is not JSON: %w", err)
	}
	root, _ := parsed.(object)
	r := &reader{root: root, compiler: newCompiler()}
	for _, s := range at(root, "components", "schemas") {
		closeUp(s)
	}
	if err := r.compiler.AddResource(document, root); err != nil {
		return nil, err
	}
	c := &Checker{}
	for _, name := range slices.Sorted(maps.Keys(at(root, "paths"))) {
		p := path{segments: strings.Split(strings.Trim(name, "/"), "/"), operations: map[string]operation{}}
		for method, op := range at(root, "paths", name) {
			p.operations[strings.ToUpper(method)] = r.operation(op.(object), pointer("paths", name, method))
		}
		c.paths = append(c.paths, p)
	}
	c.failure = r.compile("/components/schemas/HttpErrorOut", nil)
	if len(c.paths) == 0 && r.err == nil {
		return nil, fmt.Errorf("the document has no paths")
	}
	return c, r.err
}

func newCompiler() *jsonschema.Compiler {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	return compiler
}

// reader turns parts of a document into what they mean. It keeps the first error.
type reader struct {
	root     object
	compiler *jsonschema.Compiler
	err      error
}

func (r *reader) operation(source object, where string) operation {
	id, _ := source["operationId"].(string)
	op := operation{id: id, responses: map[string]response{}}
	for status, answer := range at(source, "responses") {
		here, described := r.resolve(answer, where+pointer("responses", status))
		read := response{content: map[string]*schema{}, headers: map[string]header{}}
		for mediaType, content := range at(described, "content") {
			s, _ := content.(object)["schema"].(object)
			read.content[mediaType] = r.compile(here+pointer("content", mediaType, "schema"), s)
		}
		for name, h := range at(described, "headers") {
			here, h := r.resolve(h, here+pointer("headers", name))
			s, _ := h["schema"].(object)
			read.headers[name] = header{required: h["required"] == true, schema: r.compile(here+"/schema", s)}
		}
		op.responses[status] = read
	}
	return op
}

// resolve follows a reference.
func (r *reader) resolve(part any, where string) (string, object) {
	described, _ := part.(object)
	ref, isRef := described["$ref"].(string)
	if !isRef {
		return where, described
	}
	target := strings.TrimPrefix(ref, "#")
	found := at(r.root, strings.Split(strings.Trim(target, "/"), "/")...)
	if found == nil && r.err == nil {
		r.err = fmt.Errorf("%s refers to %s, which doesn't exist", where, ref)
	}
	return target, found
}

// compile compiles the schema at a place.
func (r *reader) compile(where string, source object) *schema {
	if ref, ok := source["$ref"].(string); ok {
		where = strings.TrimPrefix(ref, "#")
	}
	compiled, err := r.compiler.Compile(document + "#" + where)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("the schema %s: %w", where, err)
	}
	return &schema{compiled: compiled, numeric: source["type"] == "integer" || source["type"] == "number"}
}

// closeUp forbids the properties that a schema and those within it don't mention.
func closeUp(source any) {
	s, ok := source.(object)
	if !ok {
		return
	}
	properties := at(s, "properties")
	if _, says := s["additionalProperties"]; !says && s["type"] == "object" {
		s["additionalProperties"] = false
	}
	for _, property := range properties {
		closeUp(property)
	}
	for _, keyword := range []string{"items", "additionalProperties"} {
		closeUp(s[keyword])
	}
	for _, keyword := range []string{"anyOf", "oneOf"} {
		alternatives, _ := s[keyword].([]any)
		for _, alternative := range alternatives {
			closeUp(alternative)
		}
	}
}

// at returns the object at a path of names, or nil.
func at(o object, names ...string) object {
	for _, name := range names {
		o, _ = o[name].(object)
	}
	return o
}

// pointer is a JSON pointer.
func pointer(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
	}
	return b.String()
}
