package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

const petStore = `
# A comment, which only YAML has
openapi: 3.1.0
info: {title: Pets, version: 2024-01-01}
webhooks:
  pet.new:
    post:
      description: A pet has arrived
      tags: [pets, animals]
      requestBody:
        description: The pet
        content:
          application/json:
            schema: {$ref: "#/components/schemas/Pet"}
            examples: {first: {value: {id: 1, name: Rex}}}
      responses: {200: {description: Thanks}}
  pet.gone:
    post:
      deprecated: true
      requestBody: {$ref: "#/components/requestBodies/Gone"}
components:
  requestBodies:
    Gone:
      description: It has left
      content:
        application/json: {schema: {type: object, properties: {on: {type: string, format: date, examples: [2024-02-01]}}}}
  schemas:
    Pet:
      type: object
      required: [id, name]
      properties:
        id: {type: integer}
        name: {type: string}
        parent: {$ref: "#/components/schemas/Pet"}
        owner: {$ref: "#/components/schemas/Owner"}
    Owner: {type: object, properties: {pets: {type: array, items: {$ref: "#/components/schemas/Pet"}}, self: {$ref: "#/components/schemas/Owner"}}}
`

// importing is the body of an import.
func importing(t *testing.T, raw, more string) string {
	t.Helper()
	text, err := json.Marshal(raw)
	require.NoError(t, err)
	return `{"specRaw":` + string(text) + more + `}`
}

// What the document shows as an example can be imported as it is.
func TestTheExampleOfAnImport(t *testing.T) {
	t.Parallel()
	field, ok := reflect.TypeFor[importIn]().FieldByName("SpecRaw")
	require.True(t, ok)
	require.Equal(t, []string{"order.paid"}, setup(t).importTypes(importing(t, field.Tag.Get("example"), "")).Data.Modified)
}

type importAnswer struct {
	Data struct {
		Modified []string
		ToModify []map[string]any `json:"to_modify"`
	}
}

func (b *bundle) importTypes(body string) importAnswer {
	b.t.Helper()
	r := b.do("POST", "/event-type/import/openapi", body)
	require.Equal(b.t, http.StatusOK, r.status, r.body)
	var a importAnswer
	require.NoError(b.t, json.Unmarshal([]byte(r.body), &a))
	return a
}

func TestImportOfEventTypes(t *testing.T) {
	t.Parallel()

	t.Run("makes event types of webhooks, in YAML as in JSON", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		planned := b.importTypes(importing(t, petStore, `,"dryRun":true`))
		require.Empty(t, planned.Data.Modified)
		require.Len(t, planned.Data.ToModify, 2)
		require.Equal(t, "pet.new", planned.Data.ToModify[1]["name"])
		require.Empty(t, b.do("GET", "/event-type", "").page(t).Data, "a dry run changes nothing")

		require.Equal(t, []string{"pet.gone", "pet.new"}, b.importTypes(importing(t, petStore, "")).Data.Modified)
		r := b.do("GET", "/event-type/pet.new", "")
		for _, want := range []string{`"description":"A pet has arrived"`, `"groupName":"pets"`, `"deprecated":false`, `"examples":[{"id":1,"name":"Rex"}]`} {
			require.Contains(t, r.body, want)
		}
		r = b.do("GET", "/event-type/pet.gone", "")
		for _, want := range []string{`"description":"It has left"`, `"deprecated":true`, `"examples":["2024-02-01"]`} {
			require.Contains(t, r.body, want)
		}

		require.Empty(t, b.importTypes(importing(t, petStore, "")).Data.Modified, "to repeat it changes nothing")
	})

	t.Run("takes along what schemas refer to, so that they check payloads", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		app := b.application()
		b.importTypes(importing(t, petStore, ""))
		b.must(http.StatusOK, "PATCH", "/event-type/pet.new", `{"payloadValidation":"reject"}`)
		require.Empty(t, b.importTypes(importing(t, petStore, "")).Data.Modified, "what the document doesn't say stays")
		path := "/app/" + app + "/msg"
		b.message(app, `{"eventType":"pet.new","payload":{"id":1,"name":"Rex","owner":{"pets":[{"id":2,"name":"Tom"}]}}}`)
		r := b.do("POST", path, `{"eventType":"pet.new","payload":{"id":1,"name":"Rex","owner":{"self":{"pets":[{"id":"2"}]}}}}`)
		require.Equal(t, http.StatusUnprocessableEntity, r.status)
		require.Contains(t, r.body, `"loc":["body","payload","owner","self","pets","0","id"],"msg":"must be integer, not string"`)
		require.Contains(t, r.body, `"loc":["body","payload","owner","self","pets","0","name"],"msg":"is required"`)
	})

	t.Run("reads x-webhooks and the schemas of OpenAPI 3.0", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		app := b.application()
		b.importTypes(`{"spec":{"openapi":"3.0.3","x-webhooks":{"old":{"summary":"An old one","post":{"requestBody":{"content":{"application/json":{"schema":
			{"type":"object","properties":{"a":{"type":"string","nullable":true},"b":{"type":"integer","minimum":1,"exclusiveMinimum":true},"c":{"$ref":"#/components/schemas/C"}}}}}}}}},
			"components":{"schemas":{"C":{"type":"string","enum":["x"],"nullable":true,"example":"x"}}}}}`)
		require.Contains(t, b.do("GET", "/event-type/old", "").body, `"description":"An old one"`)
		b.must(http.StatusOK, "PATCH", "/event-type/old", `{"payloadValidation":"reject"}`)
		b.message(app, `{"eventType":"old","payload":{"a":null,"b":2,"c":null}}`)
		r := b.do("POST", "/app/"+app+"/msg", `{"eventType":"old","payload":{"a":1,"b":1,"c":"y"}}`)
		for _, want := range []string{`["body","payload","a"]`, `["body","payload","b"],"msg":"must be more than 1"`, `["body","payload","c"]`} {
			require.Contains(t, r.body, want)
		}
	})

	t.Run("keeps other versions, brings archived ones back, and archives the rest on demand", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.eventType("pet.new", "warn", `{"1":{},"2":{"title":"two"}}`)
		b.eventType("other", "off", `{}`)
		b.eventType("another", "off", `{}`)
		b.must(http.StatusNoContent, "DELETE", "/event-type/pet.new", "")
		b.must(http.StatusNoContent, "DELETE", "/event-type/another", "")
		require.Equal(t, []string{"pet.gone", "pet.new", "other"}, b.importTypes(importing(t, petStore, `,"replaceAll":true`)).Data.Modified)
		r := b.do("GET", "/event-type/pet.new", "")
		require.Contains(t, r.body, `"2":{"title":"two"}`)
		require.Contains(t, r.body, `"payloadValidation":"warn"`)
		require.Contains(t, r.body, `"archived":false`)
		require.Equal(t, []string{"pet.gone", "pet.new"}, b.do("GET", "/event-type", "").page(t).keys("name"))
	})

	t.Run("refuses what it can't read, naming where it stands", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		path := "/event-type/import/openapi"
		webhook := func(schema string) string {
			return `{"spec":{"openapi":"3.1.0","webhooks":{"good":{"post":{}},"bad":{"post":{"requestBody":{"content":{"application/json":{"schema":` + schema + `}}}}}}}}`
		}
		at := `"loc":["body","spec","webhooks","bad","post","requestBody","content","application/json","schema"`
		b.run(t, strings.NewReplacer(), []scenario{
			{name: "neither of two", method: "POST", path: path, body: `{}`, status: 422, contains: []string{`"loc":["body","spec"]`, "either spec or specRaw"}},
			{name: "both of two", method: "POST", path: path, body: `{"spec":{},"specRaw":""}`, status: 422},
			{name: "null counts as nothing", method: "POST", path: path, body: `{"spec":null,"specRaw":null}`, status: 422},
			{name: "neither JSON nor YAML", method: "POST", path: path, body: `{"specRaw":"a: [b"}`, status: 422, contains: []string{`"loc":["body","specRaw"]`, "YAML"}},
			{name: "no document", method: "POST", path: path, body: `{"specRaw":"text"}`, status: 422, contains: []string{`"loc":["body","specRaw"]`}},
			{name: "a bomb", method: "POST", path: path, body: importing(t, "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n", ""), status: 422, contains: []string{"excessive aliasing"}},
			{name: "no webhooks", method: "POST", path: path, body: `{"spec":{"openapi":"3.1.0","paths":{}}}`, status: 422, contains: []string{"has no webhooks"}},
			{name: "webhooks that are none", method: "POST", path: path, body: `{"spec":{"webhooks":[]}}`, status: 422, contains: []string{`"loc":["body","spec","webhooks"]`}},
			{name: "a name that is none", method: "POST", path: path, body: `{"spec":{"webhooks":{"a b":{"post":{}}}}}`, status: 422, contains: []string{`"loc":["body","spec","webhooks","a b"]`}},
			{name: "no operation", method: "POST", path: path, body: `{"spec":{"webhooks":{"a":{}}}}`, status: 422, contains: []string{`"loc":["body","spec","webhooks","a"]`}},
			{name: "a schema that is none", method: "POST", path: path, body: webhook(`{"properties":{"a":{"type":"nonsense"}}}`), status: 422, contains: []string{at + `,"properties","a","type"]`}},
			{name: "a reference to nowhere", method: "POST", path: path, body: webhook(`{"properties":{"a":{"$ref":"#/components/schemas/None"}}}`), status: 422, contains: []string{at, "leads nowhere: #/components/schemas/None"}},
			{name: "a reference to elsewhere", method: "POST", path: path, body: webhook(`{"$ref":"https://example.com/x.yaml"}`), status: 422, contains: []string{at, "another document"}},
			{name: "a reference to a file", method: "POST", path: path, body: webhook(`{"items":{"$ref":"file:///etc/passwd"}}`), status: 422, contains: []string{at, "another document"}, excludes: []string{"root:"}},
			{name: "references round in a circle", method: "POST", path: path, body: `{"spec":{"openapi":"3.1.0","webhooks":{"a":{"$ref":"#/webhooks/a"}}}}`, status: 422, contains: []string{"lead back to themselves"}},
		})
		require.Empty(t, b.do("GET", "/event-type", "").page(t).Data, "nothing of it is kept")
	})

	t.Run("is not for the customer", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		require.Equal(t, http.StatusForbidden, b.as(b.flagged(b.application()), "POST", "/event-type/import/openapi", `{"spec":{}}`).status)
	})

	t.Run("takes documents of some megabytes, and no larger ones", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		document := func(filler int) string {
			return `{"spec":{"openapi":"3.1.0","info":{"description":"` + strings.Repeat("x", filler) + `"},"webhooks":{"a":{"post":{}}}}}`
		}
		require.Equal(t, []string{"a"}, b.importTypes(document(5<<20)).Data.Modified)
		require.Equal(t, http.StatusRequestEntityTooLarge, b.do("POST", "/event-type/import/openapi", document(11<<20)).status)
	})
}

func TestExportedCatalogue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.eventType("order.created", "reject", orderSchemas)
	b.must(http.StatusCreated, "POST", "/event-type", `{"name":"tree","description":"A tree","deprecated":true,"groupName":"wood","featureFlags":["beta"],"schemas":{"1":
		{"definitions":{"node":{"type":"object","properties":{"examples":{"type":"string"},"children":{"type":"array","items":{"$ref":"#/definitions/node"}},"pair":{"type":"array","items":[{"type":"string"},{"$ref":"#"}],"additionalItems":false}},
		"dependencies":{"pair":["children"]}}},"$ref":"#/definitions/node"}}}`)
	b.must(http.StatusCreated, "POST", "/event-type", `{"name":"bare","description":""}`)
	exported := b.do("GET", "/event-type/export/openapi", "")
	require.Equal(t, http.StatusOK, exported.status, exported.body)

	t.Run("has schemas that mean the same at their new place", func(t *testing.T) {
		for name, cases := range map[string]map[string]bool{
			"tree.1": {`{"children":[{"children":[]}]}`: true, `{"children":[{"children":1}]}`: false, `{"pair":["a",{}],"children":[]}`: true,
				`{"pair":[1],"children":[]}`: false, `{"pair":["a",{},1],"children":[]}`: false, `{"pair":[]}`: false, `{"examples":1}`: false},
			"order.created.1": {`{"id":"a"}`: true, `{"id":1}`: false},
			"order.created.2": {`{"id":1,"items":[{"sku":"a"}]}`: true, `{"id":1,"items":[{}]}`: false},
		} {
			document, err := jsonschema.UnmarshalJSON(strings.NewReader(exported.body))
			require.NoError(t, err)
			compiler := jsonschema.NewCompiler()
			compiler.DefaultDraft(jsonschema.Draft2020) // which is that of OpenAPI 3.1
			require.NoError(t, compiler.AddResource("doc:///d", document))
			schema, err := compiler.Compile("doc:///d#/components/schemas/" + name)
			require.NoError(t, err)
			for payload, valid := range cases {
				value, err := jsonschema.UnmarshalJSON(strings.NewReader(payload))
				require.NoError(t, err)
				require.Equal(t, valid, schema.Validate(value) == nil, "%s %s", name, payload)
			}
		}
	})

	t.Run("comes back by an import as it was", func(t *testing.T) {
		other := setup(t)
		require.Len(t, other.importTypes(`{"spec":`+exported.body+`}`).Data.Modified, 3)
		for _, name := range []string{"order.created", "tree", "bare"} {
			var before, after map[string]any
			require.NoError(t, json.Unmarshal([]byte(b.in(t).do("GET", "/event-type/"+name, "").body), &before))
			require.NoError(t, json.Unmarshal([]byte(other.do("GET", "/event-type/"+name, "").body), &after))
			for _, field := range []string{"description", "deprecated", "archived", "groupName", "featureFlags", "payloadValidation"} {
				require.Equal(t, before[field], after[field], "%s of %s", field, name)
			}
			versions, _ := before["schemas"].(map[string]any)
			again, _ := after["schemas"].(map[string]any)
			require.Len(t, again, len(versions))
		}
		app := other.application()
		r := other.do("POST", "/app/"+app+"/msg", `{"eventType":"order.created","payloadVersion":"1","payload":{"id":1}}`)
		require.Contains(t, r.body, `["body","payload","id"]`)
		r = other.do("POST", "/app/"+app+"/msg", `{"eventType":"order.created","payload":{"id":1,"items":[],"email":"x"}}`)
		require.Contains(t, r.body, `["body","payload","email"]`, "formats are checked in every draft")
		again := other.do("GET", "/event-type/export/openapi", "")
		require.Empty(t, other.importTypes(`{"spec":`+again.body+`}`).Data.Modified)
	})
}

func TestWebhooksInTheDocument(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	static := b.as("", "GET", "/openapi.json", "").body
	require.NotContains(t, static, `"webhooks"`)
	b.eventType("order.created", "warn", orderSchemas)
	b.must(http.StatusCreated, "POST", "/event-type", `{"name":"hidden","description":"","featureFlags":["beta"],"payloadValidation":"reject"}`)
	b.must(http.StatusCreated, "POST", "/event-type", `{"name":"gone","description":"","archived":true}`)
	foreign, err := b.tokens.Organisation("org_other")
	require.NoError(t, err)
	require.Equal(t, static, b.as("", "GET", "/openapi.json", "").body, "nothing leaks without a token")

	for name, c := range map[string]struct {
		token          string
		has, hasNot    []string
		organisational bool
	}{
		"an organisation's":            {b.org, []string{"order.created", "hidden"}, []string{"gone"}, true},
		"an application's":             {b.flagged(app), []string{"order.created"}, []string{"hidden", "gone"}, false},
		"one with the flag":            {b.flagged(app, "beta"), []string{"order.created", "hidden"}, []string{"gone"}, false},
		"another organisation's token": {foreign, nil, []string{"order.created", "hidden", "gone"}, true},
	} {
		t.Run("there are those that a token may see: "+name, func(t *testing.T) {
			t.Parallel()
			r := b.in(t).as(c.token, "GET", "/openapi.json", "")
			require.Equal(t, http.StatusOK, r.status, r.body)
			require.Equal(t, "no-store", r.header.Get("Cache-Control"))
			var document struct {
				Paths      map[string]any
				Webhooks   map[string]map[string]map[string]any
				Components struct{ Schemas, Parameters map[string]any }
			}
			require.NoError(t, json.Unmarshal([]byte(r.body), &document))
			require.NotEmpty(t, document.Paths)
			require.Len(t, document.Webhooks, len(c.has))
			for _, has := range c.has {
				operation := document.Webhooks[has]["post"]
				require.NotNil(t, operation, has)
				more, err := json.Marshal(operation["x-posthorn"])
				require.NoError(t, err)
				require.Equal(t, c.organisational, bytes.Contains(more, []byte("payloadValidation")))
			}
			for _, hasNot := range c.hasNot {
				require.NotContains(t, document.Webhooks, hasNot)
				require.NotContains(t, r.body, `"`+hasNot+`"`)
			}
			require.Contains(t, document.Components.Schemas, "MessageIn")
			for _, ref := range []string{`#/components/schemas/order.created.1`, `#/components/schemas/order.created.2`} {
				require.Equal(t, len(c.has) > 0, strings.Contains(r.body, ref))
			}
			require.Contains(t, document.Components.Parameters, "webhook-signature")
			compiler := jsonschema.NewCompiler()
			resource, err := jsonschema.UnmarshalJSON(strings.NewReader(r.body))
			require.NoError(t, err)
			require.NoError(t, compiler.AddResource("doc:///d", resource))
			for has := range document.Webhooks {
				_, err := compiler.Compile("doc:///d#/webhooks/" + has + "/post/requestBody/content/application~1json/schema")
				require.NoError(t, err, "every reference leads somewhere")
			}
		})
	}
	t.Run("a token that was revoked, or may not be used from here, is refused", func(t *testing.T) {
		t.Parallel()
		b := b.in(t)
		revoked := b.issue(Grant{})
		require.Equal(t, http.StatusNoContent, b.as(revoked, "POST", "/auth/logout", "").status)
		for token, status := range map[string]int{
			revoked: http.StatusUnauthorized,
			b.issue(Grant{Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}}): http.StatusForbidden,
		} {
			r := b.as(token, "GET", "/openapi.json", "")
			require.Equal(t, status, r.status, r.body)
			require.NotContains(t, r.body, "order.created")
		}
	})
	t.Run("a token that may not read the catalogue gets none of it", func(t *testing.T) {
		t.Parallel()
		b := b.in(t)
		r := b.as(b.issue(Grant{Capabilities: []Capability{CreateMessages}}), "GET", "/openapi.json", "")
		require.Equal(t, http.StatusOK, r.status, r.body)
		require.NotContains(t, r.body, "#/components/schemas/order.created.1")
	})
	t.Run("a token that is no good is refused", func(t *testing.T) {
		t.Parallel()
		r := b.in(t).as("garbage", "GET", "/openapi.json", "")
		require.Equal(t, http.StatusUnauthorized, r.status)
		require.NotContains(t, r.body, "order.created")
	})
}
