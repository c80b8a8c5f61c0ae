package catalogue

import (
	"maps"
	"slices"
	"sync"

	"github.com/posthorn/posthorn"
)

// Type is an event type that payloads can be checked with.
type Type struct {
	posthorn.EventType
	size     int // of the schemas, in bytes
	compiled map[string]func() (*Schema, error)
}

// NewType returns a type whose schemas are compiled when they are first needed.
func NewType(et posthorn.EventType) *Type {
	t := &Type{EventType: et, compiled: make(map[string]func() (*Schema, error), len(et.Schemas))}
	for version, schema := range et.Schemas {
		t.size += len(schema)
		t.compiled[version] = sync.OnceValues(func() (*Schema, error) { return Compile(schema) })
	}
	return t
}

// Versions returns the versions that have a schema, oldest first.
func (t *Type) Versions() []string { return Versions(t.EventType) }

// Versions returns the versions of an event type that have a schema, oldest first.
func Versions(et posthorn.EventType) []string {
	return slices.SortedFunc(maps.Keys(et.Schemas), posthorn.CompareVersions)
}

// Newest returns the newest version that has a schema; empty if none has.
func (t *Type) Newest() string {
	newest := ""
	for version := range t.Schemas {
		if newest == "" || posthorn.CompareVersions(version, newest) > 0 {
			newest = version
		}
	}
	return newest
}

// Has reports whether a version has a schema.
func (t *Type) Has(version string) bool {
	_, ok := t.Schemas[version]
	return ok
}

// Check returns how a payload violates the schema of a version, which there must be.
func (t *Type) Check(version string, payload []byte) []Violation {
	schema, err := t.compiled[version]()
	if err != nil {
		return []Violation{{Message: "can't be checked: the schema of version " + version + " is not usable"}}
	}
	return schema.Check(payload)
}
