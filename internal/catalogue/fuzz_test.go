package catalogue_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/catalogue"
)

// FuzzSchema holds that no schema and no payload breaks the checking, and that an example is one.
func FuzzSchema(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"type":"object","required":["a"],"properties":{"a":{"type":"integer","minimum":1}}}`, `{"a":1e400}`},
		{`{"$ref":"#/definitions/x","definitions":{"x":{"$ref":"#"}}}`, `{}`},
		{`{"anyOf":[{"type":"string","format":"email"},{"multipleOf":0.1}]}`, `[1,"\u0000",{"a":null}]`},
		{`{"properties":{"a":{"pattern":"^[a-z]+$"}},"additionalProperties":false}`, `{"a":"\ud800","a":1}`},
		{`{"$schema":"https://json-schema.org/draft/2020-12/schema","$dynamicAnchor":"n","properties":{"c":{"$dynamicRef":"#n"}}}`, `{"c":{"c":{}}}`},
		{`{"$id":"https://example.com/x","items":[{"$ref":"#a"}],"dependencies":{"a":["b"]}}`, "\x00\xff"},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, schema, payload []byte) {
		compiled, err := catalogue.Compile(schema)
		if err != nil {
			return
		}
		compiled.Check(payload)
		if made, err := catalogue.Example(schema, 0); err == nil {
			require.True(t, json.Valid(made))
		}
		et := posthorn.EventType{Name: "a", Schemas: map[string]json.RawMessage{"1": schema}}
		require.True(t, json.Valid(catalogue.Document([]posthorn.EventType{et}, "t", "1", true)))
	})
}

// FuzzImport holds that no document breaks the import.
func FuzzImport(f *testing.F) {
	for _, seed := range []string{
		`{"openapi":"3.1.0","webhooks":{"a":{"post":{"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/A"}}}}}}},"components":{"schemas":{"A":{"properties":{"a":{"$ref":"#/components/schemas/A"}}}}}}`,
		"openapi: 3.0.0\nx-webhooks:\n  a:\n    post: {requestBody: {content: {application/json: {schema: {nullable: true, type: string}}}}}\n",
		`{"webhooks":{"a":{"$ref":"#/webhooks/a"}}}`, "&a [*a]", "a: &a {<<: *a}", "? {}\n: 1", "1: .nan",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		document, err := catalogue.Parse(text)
		if err != nil {
			return
		}
		imported, err := catalogue.Import(document)
		if err != nil {
			return
		}
		var types []posthorn.EventType
		for _, im := range imported {
			var et posthorn.EventType
			im.Apply(&et)
			types = append(types, et)
		}
		require.True(t, json.Valid(catalogue.Document(types, "t", "1", true)))
	})
}
