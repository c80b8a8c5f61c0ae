package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/api/apitest"
)

// checker holds every answer of every test to the document.
var checker = sync.OnceValues(func() (*apitest.Checker, error) {
	document, err := Document("test")
	if err != nil {
		return nil, err
	}
	c, err := apitest.New(document)
	if err == nil {
		c.Skip = func(r *http.Request) bool { return isOldClient(r.UserAgent()) || wantsBothNames(r.UserAgent()) }
	}
	return c, err
})

func checkExchange(t testing.TB, req *http.Request, res *http.Response, body []byte) {
	t.Helper()
	c, err := checker()
	require.NoError(t, err)
	require.NoError(t, c.Check(req, res.StatusCode, res.Header, body))
}

func TestTheDocumentIsServed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.as("", "GET", "/openapi.json", "")
	require.Equal(t, http.StatusOK, r.status)
	require.Equal(t, jsonType, r.header.Get("Content-Type"))
	require.NoError(t, apitest.Validate([]byte(r.body)))
	want, err := Document("1.2.3")
	require.NoError(t, err)
	require.JSONEq(t, string(want), r.body)
	for _, unwanted := range []string{"ErrorModel", "$schema", "problem+json"} {
		require.NotContains(t, r.body, unwanted)
	}
}

// parsedDocument is what the tests below look at.
type parsedDocument struct {
	OpenAPI string
	Info    struct{ Version, Description string }
	Tags    []struct{ Name, Description string }
	Paths   map[string]map[string]struct {
		OperationID, Summary, Description string
		Tags                              []string
		Parameters                        []struct {
			Name, Description string
		}
		Responses map[string]struct {
			Ref         string `json:"$ref"`
			Description string
		}
		Security []map[string][]string
	}
	Components struct {
		Schemas map[string]struct {
			Properties map[string]struct{ Description string }
		}
	}
}

func parseDocument(t *testing.T) parsedDocument {
	t.Helper()
	source, err := Document("1.2.3")
	require.NoError(t, err)
	var parsed parsedDocument
	require.NoError(t, json.Unmarshal(source, &parsed))
	return parsed
}

func TestEveryRouteIsDocumented(t *testing.T) {
	t.Parallel()
	document := parseDocument(t)
	require.Equal(t, "3.1.0", document.OpenAPI)
	require.Equal(t, "1.2.3", document.Info.Version)
	for _, route := range (&Server{}).routes() {
		op := document.Paths[basePath+route.path][strings.ToLower(route.method)]
		require.Equal(t, route.id, op.OperationID)
		for _, status := range route.success {
			require.Contains(t, op.Responses, strconv.Itoa(status), route.id)
		}
		require.Contains(t, op.Responses, "429", route.id)
		for _, status := range []string{"401", "403"} {
			if route.scope == public {
				require.NotContains(t, op.Responses, status, route.id)
			} else {
				require.Contains(t, op.Responses, status, route.id)
			}
		}
		require.Equal(t, route.scope == public, len(op.Security) == 0, route.id)
	}
}

func TestEverythingInTheDocumentIsDescribed(t *testing.T) {
	t.Parallel()
	document := parseDocument(t)
	require.NotEmpty(t, document.Info.Description)
	for path, item := range document.Paths {
		for _, op := range item {
			require.NotEmpty(t, op.Summary, path)
			require.NotEmpty(t, op.Description, "%s has no words in openapi_words.go", op.OperationID)
			require.Len(t, op.Tags, 1, op.OperationID)
			for _, p := range op.Parameters {
				require.NotEmpty(t, p.Description, "%s of %s", p.Name, op.OperationID)
			}
			for status, response := range op.Responses {
				require.NotEmpty(t, response.Ref+response.Description, "%s of %s", status, op.OperationID)
			}
		}
	}
	for _, tag := range document.Tags {
		require.NotEmpty(t, tag.Description, tag.Name)
	}
	var undescribed []string
	for name, schema := range document.Components.Schemas {
		for property, p := range schema.Properties {
			if p.Description == "" {
				undescribed = append(undescribed, name+"."+property)
			}
		}
	}
	require.Empty(t, undescribed, "these fields have no doc")
}

func TestSchemas(t *testing.T) {
	t.Parallel()
	document := parseDocument(t)
	for schema, properties := range map[string][]string{
		"ApplicationIn": {"name", "uid", "metadata"}, "EndpointIn": {"url", "secret"}, "EndpointOut": {"url", "metadata"},
		"MessageIn": {"payload", "eventType", "application"}, "MessageOut": {"payload", "timestamp"},
		"MessageAttemptOut": {"response", "statusText"}, "EndpointMessageOut": {"payload", "status", "state"}, "MessageEndpointOut": {"url", "status"},
		"HttpErrorOut": {"code", "detail"}, "HttpValidationError": {"detail"},
	} {
		for _, property := range properties {
			require.Contains(t, document.Components.Schemas[schema].Properties, property, schema)
		}
	}
	require.NotContains(t, document.Components.Schemas["EndpointOut"].Properties, "secret")
}

// The statuses of failures follow from an operation's shape; these are samples of each rule.
func TestFailuresOfOperations(t *testing.T) {
	t.Parallel()
	document := parseDocument(t)
	for id, want := range map[string]struct{ has, lacks []string }{
		"v1.application.list":            {[]string{"400", "401", "403", "422", "429", "500", "503"}, []string{"404", "408", "409", "413", "default"}},
		"v1.application.create":          {[]string{"400", "409", "413", "422"}, []string{"404"}},
		"v1.application.get":             {[]string{"404"}, []string{"400", "409", "413", "422"}},
		"v1.event-type.update":           {[]string{"200", "201", "409", "422"}, []string{"404"}},
		"v1.endpoint.rotate-secret":      {[]string{"204", "400", "404", "413", "422"}, []string{"409"}},
		"v1.message-attempt.resend":      {[]string{"202", "400", "404", "408"}, []string{"409"}},
		"v1.health.ping":                 {[]string{"204", "429", "500"}, []string{"400", "404", "422", "503"}},
		"v1.health.get":                  {[]string{"204", "503"}, []string{"401"}},
		"v1.openapi.get":                 {[]string{"200", "401", "429"}, []string{"404", "413", "422"}},
		"v1.message-attempt.get":         {[]string{"404"}, []string{"400", "422"}},
		"v1.endpoint.update-headers":     {[]string{"413", "422"}, []string{"409"}},
		"v1.event-type.delete":           {[]string{"400", "404"}, []string{"422"}},
		"v1.message-attempt.list-by-msg": {[]string{"400", "404", "422"}, []string{"409"}},
	} {
		found := false
		for _, item := range document.Paths {
			for _, op := range item {
				if op.OperationID != id {
					continue
				}
				found = true
				for _, status := range want.has {
					require.Contains(t, op.Responses, status, id)
				}
				for _, status := range want.lacks {
					require.NotContains(t, op.Responses, status, id)
				}
			}
		}
		require.True(t, found, id)
	}
}

func TestOperationsOfOursAreMarked(t *testing.T) {
	t.Parallel()
	for summary, own := range map[string]bool{
		"Make a poller (not in Svix)": true, "Make a poller (not in Svix's API)": true, "Make a poller": false, "Make (two) pollers": false,
	} {
		op := huma.Operation{Summary: summary, Responses: map[string]*huma.Response{}}
		route{id: "v1.poller.create", method: get, scope: public, summary: summary}.complete(&op)
		require.Equal(t, own, op.Extensions[ownExtension] == true, summary)
		require.Equal(t, own, strings.Contains(op.Description, "Posthorn's own"), summary)
		require.NotContains(t, op.Summary, "not in Svix")
	}
}

func TestTagsOfOperations(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"v1.application.get": "Application", "v1.message.create": "Message", "v1.message-attempt.get": "Message attempt",
		"v1.message.poller.poll": "Poller", "v1.application.stats.attempts": "Statistics", "v1.applications.get": "",
	} {
		require.Equal(t, want, tagOf(id).name, id)
	}
}

// Null is as good as nothing in the body of a POST and a PUT; to a PATCH it is a value, which some fields have.
func TestNullInRequests(t *testing.T) {
	t.Parallel()
	b := setup(t)
	document := tree{}
	source, err := Document("1.2.3")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(source, &document))
	property := func(schema, name string) any {
		return branch(document, "components", "schemas", schema, "properties", name)["type"]
	}
	require.Equal(t, []any{"string", "null"}, property("ApplicationIn", "uid"))
	require.Equal(t, "string", property("ApplicationIn", "name"), "it is required")
	require.Equal(t, []any{"string", "null"}, property("ApplicationPatch", "uid"))
	require.Equal(t, "string", property("ApplicationPatch", "name"))
	require.Equal(t, "string", property("ApplicationOut", "uid"), "it is an answer's")
	require.Len(t, branch(document, "components", "schemas", "MessageIn", "properties", "application")["anyOf"], 2)

	app := b.must(http.StatusCreated, "POST", "/app", `{"name":"x","uid":null,"throttleRate":null,"metadata":null,"rateLimit":null}`)
	b.endpoint(app, `{"url":"https://example.com","uid":null,"secret":null,"eventTypes":null,"channels":null,"disabled":null,"description":null}`)
	b.message(app, `{"eventType":"e","payload":{},"eventId":null,"channels":null,"application":null,"transformationsParams":null,"payloadRetentionPeriod":null}`)
	require.Equal(t, http.StatusUnprocessableEntity, b.do("POST", "/app", `{"name":null}`).status)
	require.Equal(t, http.StatusUnprocessableEntity, b.do("PATCH", "/app/"+app, `{"name":null}`).status)
}

func TestTheCopyOfTheDocumentIsFresh(t *testing.T) {
	t.Parallel()
	document, err := Document("unreleased")
	require.NoError(t, err)
	var indented bytes.Buffer
	require.NoError(t, json.Indent(&indented, document, "", "  "))
	indented.WriteByte('\n')
	copied, err := os.ReadFile("../docs/openapi.json")
	require.NoError(t, err)
	require.True(t, bytes.Equal(indented.Bytes(), copied), "docs/openapi.json is stale: run make generate")
}
