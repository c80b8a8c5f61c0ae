package catalogue

import "encoding/json"

// ExampleError says why a schema yields no example.
type ExampleError struct {
	Field   string // which input is to blame, if not the schema
	Message string
}

func (e *ExampleError) Error() string { return e.Message }

// Example returns an example of a payload: the one that the schema has at an index, or one made from the schema if it has
// none. The error is an *ExampleError.
func Example(schema []byte, index int) (json.RawMessage, error) {
	var root map[string]any
	if err := json.Unmarshal(schema, &root); err != nil {
		return nil, &ExampleError{Message: "has no usable schema"}
	}
	var own struct {
		Examples []json.RawMessage `json:"examples"`
		Example  json.RawMessage   `json:"example"`
	}
	if err := json.Unmarshal(schema, &own); err != nil {
		own.Examples = nil
	}
	if len(own.Examples) == 0 && own.Example != nil {
		own.Examples = []json.RawMessage{own.Example}
	}
	switch {
	case len(own.Examples) == 0:
		return madeUp(schema, root)
	case index >= len(own.Examples):
		return nil, &ExampleError{Field: "exampleIndex", Message: "has " + count(len(own.Examples), "example", "examples")}
	case own.Examples[index][0] != '{':
		return nil, &ExampleError{Message: "has an example that is not an object"}
	default:
		return own.Examples[index], nil
	}
}

// madeUp makes an example and sees to it that it is one.
func madeUp(schema []byte, root map[string]any) (json.RawMessage, error) {
	value, ok := (&inventor{root: root}).value(root, 0)
	object, isObject := value.(map[string]any)
	none := &ExampleError{Message: "has no examples, and none could be made up; add one to the examples of its schema"}
	if !ok || !isObject {
		return nil, none
	}
	made, err := json.Marshal(object)
	if err != nil {
		return nil, none
	}
	compiled, err := Compile(schema)
	if err != nil || len(compiled.Check(made)) > 0 {
		return nil, none
	}
	return made, nil
}
