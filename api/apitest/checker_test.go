package apitest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const small = `{
  "openapi": "3.1.0", "info": {"title": "Things", "version": "1"}, "tags": [{"name": "Thing"}],
  "paths": {
    "/api/v1/thing/{id}": {
      "get": {
        "operationId": "thing.get", "tags": ["Thing"],
        "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
        "responses": {
          "200": {
            "description": "Here.", "headers": {"X-Count": {"required": true, "schema": {"type": "integer", "minimum": 1}}},
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}
          },
          "404": {"$ref": "#/components/responses/NotFound"}
        }
      },
      "delete": {
        "operationId": "thing.delete", "tags": ["Thing"],
        "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
        "responses": {"204": {"description": "Gone."}}
      }
    },
    "/api/v1/thing/all": {"head": {"operationId": "thing.head", "responses": {"200": {"description": "Here."}}}}
  },
  "components": {
    "responses": {"NotFound": {"description": "Not found.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/HttpErrorOut"}}}}},
    "schemas": {
      "HttpErrorOut": {"type": "object", "required": ["code"], "properties": {"code": {"type": "string"}}},
      "Thing": {
        "type": "object", "required": ["at"],
        "properties": {
          "at": {"type": "string", "format": "date-time"}, "size": {"type": ["integer", "null"]},
          "free": {"type": "object", "additionalProperties": true},
          "parts": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}}
        }
      }
    }
  }
}`

func TestCheck(t *testing.T) {
	t.Parallel()
	c, err := New([]byte(small))
	require.NoError(t, err)
	c.Skip = func(r *http.Request) bool { return r.UserAgent() == "old" }
	for name, tc := range map[string]struct {
		method, path string
		status       int
		header       string // one, as name: value, besides the type and the count
		body         string
		problem      string // empty: none
	}{
		"what is documented is fine":       {"GET", "/api/v1/thing/1", 200, "", `{"at":"2026-01-02T03:04:05Z","size":null,"free":{"x":1},"parts":[{"n":1}]}`, ""},
		"a trailing slash is fine":         {"GET", "/api/v1/thing/1/", 200, "", `{"at":"2026-01-02T03:04:05Z"}`, ""},
		"an undocumented status":           {"GET", "/api/v1/thing/1", 201, "", `{"at":"2026-01-02T03:04:05Z"}`, "no such status"},
		"an undocumented field":            {"GET", "/api/v1/thing/1", 200, "", `{"at":"2026-01-02T03:04:05Z","secret":"x"}`, "secret"},
		"an undocumented field of an item": {"GET", "/api/v1/thing/1", 200, "", `{"at":"2026-01-02T03:04:05Z","parts":[{"m":1}]}`, "'m'"},
		"a missing field":                  {"GET", "/api/v1/thing/1", 200, "", `{}`, "missing property 'at'"},
		"a field of another type":          {"GET", "/api/v1/thing/1", 200, "", `{"at":"2026-01-02T03:04:05Z","size":"1"}`, "/size"},
		"a field of another format":        {"GET", "/api/v1/thing/1", 200, "", `{"at":"yesterday"}`, "date-time"},
		"a body that isn't JSON":           {"GET", "/api/v1/thing/1", 200, "", `{`, "not JSON"},
		"another type of content":          {"GET", "/api/v1/thing/1", 200, "Content-Type: text/html", `{"at":"2026-01-02T03:04:05Z"}`, "text/html"},
		"a missing header":                 {"GET", "/api/v1/thing/1", 200, "X-Count: ", `{"at":"2026-01-02T03:04:05Z"}`, "X-Count is missing"},
		"a header out of range":            {"GET", "/api/v1/thing/1", 200, "X-Count: 0", `{"at":"2026-01-02T03:04:05Z"}`, "X-Count"},
		"a header that is no number":       {"GET", "/api/v1/thing/1", 200, "X-Count: many", `{"at":"2026-01-02T03:04:05Z"}`, "no number"},
		"an error that is documented":      {"GET", "/api/v1/thing/1", 404, "", `{"code":"not_found"}`, ""},
		"an error of another shape":        {"GET", "/api/v1/thing/1", 404, "", `{"message":"not found"}`, "message"},
		"no body where there is none":      {"DELETE", "/api/v1/thing/1", 204, "", ``, ""},
		"a body where there is none":       {"DELETE", "/api/v1/thing/1", 204, "", `{}`, "none is documented"},
		"a literal path wins":              {"HEAD", "/api/v1/thing/all", 200, "", ``, ""},
		"where it has the method":          {"GET", "/api/v1/thing/all", 404, "", `{"code":"not_found"}`, ""},
		"a method that isn't there":        {"PUT", "/api/v1/thing/1", 405, "Allow: GET", `{"code":"method_not_allowed"}`, ""},
		"without saying which are":         {"PUT", "/api/v1/thing/1", 405, "", `{"code":"method_not_allowed"}`, "Allow"},
		"a path that isn't there":          {"GET", "/api/v1/nothing", 404, "", `{"code":"not_found"}`, ""},
		"but answers":                      {"GET", "/api/v1/nothing", 200, "", `{}`, "no such path"},
		"a path outside of the API":        {"GET", "/docs", 200, "", `<html>`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			req := httptest.NewRequest(tc.method, tc.path, nil)
			header := http.Header{"Content-Type": {"application/json"}, "X-Count": {"1"}}
			if name, value, ok := strings.Cut(tc.header, ": "); ok {
				header.Set(name, value)
			}
			err := c.Check(req, tc.status, header, []byte(tc.body))
			req.Header.Set("User-Agent", "old")
			require.NoError(t, c.Check(req, tc.status, header, []byte(tc.body)), "it should be exempt")
			if tc.problem == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tc.problem)
			}
		})
	}
}

func TestTransport(t *testing.T) {
	t.Parallel()
	c, err := New([]byte(small))
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("short and stout"))
	}))
	defer server.Close()
	var found []error
	client := server.Client()
	client.Transport = &Transport{Checker: c, Base: client.Transport, Report: func(err error) { found = append(found, err) }}
	res, err := client.Get(server.URL + "/api/v1/thing/1")
	require.NoError(t, err)
	defer res.Body.Close()
	body := make([]byte, 5)
	_, err = res.Body.Read(body)
	require.NoError(t, err)
	require.Equal(t, "short", string(body))
	require.Len(t, found, 1)
	require.ErrorContains(t, found[0], "GET /api/v1/thing/1 answers 418")
}

func TestValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, Validate([]byte(small)))
	for name, tc := range map[string]struct{ old, new, problem string }{
		"another version":                {`"3.1.0"`, `"2.0"`, "openapi"},
		"a response without description": {`"description": "Gone."`, `"x-y": 1`, "description"},
		"a field that OpenAPI lacks":     {`"openapi":`, `"swagger": 1, "openapi":`, "swagger"},
		"a reference that leads nowhere": {`#/components/schemas/Thing`, `#/components/schemas/Other`, "Other"},
		"an id that is there twice":      {`"thing.delete"`, `"thing.get"`, "thing.get"},
		"a tag that is not declared":     {`"tags": ["Thing"]`, `"tags": ["Else"]`, "Else"},
		"a parameter of another name":    {`"name": "id"`, `"name": "key"`, "{id}"},
		"a schema that is none":          {`"type": "integer"}`, `"type": "whole"}`, "type"},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, small, tc.old)
			require.ErrorContains(t, Validate([]byte(strings.Replace(small, tc.old, tc.new, 1))), tc.problem)
		})
	}
	require.ErrorContains(t, Validate([]byte(`{`)), "not JSON")
	_, err := New([]byte(`{}`))
	require.Error(t, err)
}
