package api

import (
	"encoding/json"
	"io"
	"reflect"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// Optional is a value that may be left out: of a query, or of the body of a PATCH, where null is a third case besides
// absent and present.
type Optional[T any] struct {
	Set   bool // it was given, null included
	Null  bool
	Value T
}

// UnmarshalJSON is called only for fields that are present.
func (o *Optional[T]) UnmarshalJSON(b []byte) error {
	o.Set = true
	if string(b) == "null" {
		o.Null = true
		return nil
	}
	return json.Unmarshal(b, &o.Value)
}

// Schema is that of the value.
func (o Optional[T]) Schema(r huma.Registry) *huma.Schema {
	s := *schemaOf[T](r)
	s.Nullable = true
	if s.Enum != nil {
		s.Enum = append(slices.Clone(s.Enum), nil)
	}
	return &s
}

// Receiver is where huma puts the value of a query parameter.
func (o *Optional[T]) Receiver() reflect.Value { return reflect.ValueOf(&o.Value).Elem() }

// OnParamSet is huma's word that a query parameter was given.
func (o *Optional[T]) OnParamSet(isSet bool, _ any) { o.Set = isSet }

// orZero changes dst if a value was given; null is the zero value.
func (o Optional[T]) orZero(dst *T) {
	if o.Set {
		*dst = o.Value
	}
}

// into changes dst if a value was given, and refuses null.
func (o Optional[T]) into(dst *T, field string) error {
	if o.Null {
		return invalidField(field, "must not be null")
	}
	o.orZero(dst)
	return nil
}

// or returns the value if it was given, otherwise other: the two names of one field.
func (o Optional[T]) or(other Optional[T]) Optional[T] {
	if o.Set {
		return o
	}
	return other
}

func schemaOf[T any](r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[T](), true, "")
}

// writeJSON writes what is known to be encodable. A write that fails means that the caller has gone away.
func writeJSON(w io.Writer, v any) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}
