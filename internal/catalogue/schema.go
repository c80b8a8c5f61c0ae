package catalogue

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaURL is what references within a schema are relative to. It says nothing of the machine.
const schemaURL = "schema:///payload"

// maxExponent is the largest power of ten that a number may have: exact arithmetic with larger ones takes for ever, and
// receivers can't read them.
const maxExponent = 1000

// Schema is a compiled JSON Schema.
type Schema struct {
	root *jsonschema.Schema
}

// InvalidSchemaError says what is wrong with a schema.
type InvalidSchemaError struct {
	Violations []Violation // at least one; their paths are within the schema
}

// Error is one line for each violation.
func (e *InvalidSchemaError) Error() string {
	lines := make([]string, len(e.Violations))
	for i, v := range e.Violations {
		lines[i] = v.String()
	}
	return strings.Join(lines, "\n")
}

func invalidSchema(message string) error {
	return &InvalidSchemaError{[]Violation{{Message: message}}}
}

// Compile reads a JSON Schema, Draft 7 unless it says otherwise. References to other documents are not followed. The
// error is an *InvalidSchemaError.
func Compile(schema []byte) (*Schema, error) {
	document, err := decode(schema)
	if err != nil {
		return nil, invalidSchema(err.Error())
	}
	if _, isObject := document.(map[string]any); !isObject {
		return nil, invalidSchema("must be a JSON Schema, which is an object")
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.UseLoader(noLoader{})
	compiler.AssertFormat() // in every draft: a payload is not judged by the date of its schema's draft
	if err := compiler.AddResource(schemaURL, document); err != nil {
		return nil, invalidSchema("is not a valid JSON Schema")
	}
	root, err := compiler.Compile(schemaURL)
	if err == nil {
		return &Schema{root}, nil
	}
	var unloaded *jsonschema.LoadURLError
	var against *jsonschema.SchemaValidationError
	var violated *jsonschema.ValidationError
	switch {
	case errors.As(err, &unloaded):
		return nil, invalidSchema("has a reference to another document, " + strings.TrimPrefix(unloaded.URL, "schema://") + "; such are not followed")
	case errors.As(err, &against) && errors.As(against.Err, &violated):
		return nil, &InvalidSchemaError{violationsOf(violated)}
	default:
		return nil, invalidSchema("is not a valid JSON Schema: " + strings.ReplaceAll(err.Error(), schemaURL, ""))
	}
}

// noLoader keeps schemas from making the server read files or call other servers.
type noLoader struct{}

func (noLoader) Load(string) (any, error) {
	return nil, errors.New("references to other documents are not followed")
}

// Check returns how a payload violates the schema: nothing if it doesn't.
func (s *Schema) Check(payload []byte) []Violation {
	instance, err := decode(payload)
	if err != nil {
		return []Violation{{Message: err.Error()}}
	}
	var violated *jsonschema.ValidationError
	switch err := s.root.Validate(instance); {
	case err == nil:
		return nil
	case errors.As(err, &violated):
		return violationsOf(violated)
	default:
		return []Violation{{Message: "can't be checked"}}
	}
}

// decode reads JSON and keeps numbers as they are written.
func decode(text []byte) (any, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, errors.New("must be JSON")
	}
	if hasHugeNumber(value) {
		return nil, errors.New("has a number that is too large or too small to be checked")
	}
	return value, nil
}

func hasHugeNumber(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		for _, item := range v {
			if hasHugeNumber(item) {
				return true
			}
		}
	case []any:
		for _, item := range v {
			if hasHugeNumber(item) {
				return true
			}
		}
	case json.Number:
		at := strings.IndexAny(string(v), "eE")
		if at < 0 {
			return len(v) > maxExponent
		}
		exponent, err := strconv.Atoi(string(v[at+1:]))
		return err != nil || exponent > maxExponent || exponent < -maxExponent || at > maxExponent
	}
	return false
}
