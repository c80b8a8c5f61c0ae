package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// documentPath is where the OpenAPI document is served.
const documentPath = basePath + "/openapi.json"

// Document returns the OpenAPI document that a server of a version serves, without the webhooks, which are its data.
func Document(version string) ([]byte, error) {
	s := &Server{}
	return s.operations(huma.NewAPI(s.config(version), unserved{}))
}

// unserved is where operations go that are described only.
type unserved struct{}

func (unserved) Handle(*huma.Operation, func(huma.Context)) {}

func (unserved) ServeHTTP(http.ResponseWriter, *http.Request) {}

// operations adds every operation to the API, and returns the document that describes them.
func (s *Server) operations(wire huma.API) ([]byte, error) {
	document := wire.OpenAPI()
	routes := s.routes()
	for _, r := range routes {
		op := r.operation()
		op.BodyReadTimeout, op.MaxBodyBytes = s.bodyTimeout, maxBody+1 // huma refuses a body of exactly the maximum
		r.register(wire, op)
	}
	complete(document, routes)
	return render(document)
}

func render(document *huma.OpenAPI) ([]byte, error) {
	rendered, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("rendering the OpenAPI document: %w", err)
	}
	var parts tree
	if err := json.Unmarshal(rendered, &parts); err != nil {
		return nil, fmt.Errorf("reading the OpenAPI document: %w", err)
	}
	allowNull(parts)
	return json.Marshal(parts)
}

// skeleton is the document without its operations.
func skeleton(version string) *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title:       "Posthorn",
			Version:     version,
			Description: introduction,
			License:     &huma.License{Name: "Apache 2.0", Identifier: "Apache-2.0"},
		},
		Servers: []*huma.Server{{URL: "/", Description: "The server that this document comes from"}},
		Tags:    tags(),
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
			SecuritySchemes: map[string]*huma.SecurityScheme{
				bearerScheme: {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: securityDescription},
			},
		},
	}
}

// complete adds to the document what the types of inputs and outputs don't say.
func complete(document *huma.OpenAPI, routes []route) {
	forgetHumaErrors(document)
	addSharedParts(document.Components)
	for _, r := range routes {
		r.complete(operationOf(document, r))
	}
	for _, schema := range document.Components.Schemas.Map() {
		completeSchema(schema)
	}
	document.Paths[documentPath] = &huma.PathItem{Get: documentOperation()}
}

func operationOf(document *huma.OpenAPI, r route) *huma.Operation {
	item := document.Paths[basePath+r.path]
	return map[string]*huma.Operation{
		get: item.Get, head: item.Head, post: item.Post, put: item.Put, patch: item.Patch, remove: item.Delete,
	}[r.method]
}

// ownExtension marks what Svix's API doesn't have.
const ownExtension = "x-posthorn-own"

// cutOwn takes the remark off the summary of an operation that Svix doesn't have.
func cutOwn(summary string) (string, bool) {
	plain, remark, ok := strings.Cut(summary, " (not in Svix")
	return plain, ok && strings.HasSuffix(remark, ")")
}

// complete describes the operation, its parameters, its failures and its headers.
func (r route) complete(op *huma.Operation) {
	words := operations[r.id]
	op.Tags = []string{tagOf(r.id).name}
	op.Description = words.text
	if summary, own := cutOwn(r.summary); own {
		op.Summary = summary
		op.Extensions = map[string]any{ownExtension: true}
		op.Description += " *Posthorn's own: Svix doesn't have it.*"
	}
	for _, p := range op.Parameters {
		p.Schema.Description = ""           // the parameter has it
		p.Schema.Nullable = false           // null has no form in a URL
		p.AllowEmptyValue = p.In == "query" // and an empty value is none
	}
	if r.method == post && r.scope != public {
		op.Parameters = slices.DeleteFunc(op.Parameters, func(p *huma.Param) bool { return strings.EqualFold(p.Name, keyHeader) })
		op.Parameters = append(op.Parameters, idempotencyParameter())
	}
	if op.RequestBody != nil && words.example != nil {
		op.RequestBody.Content[jsonType].Example = words.example
	}
	r.completeResponses(op)
}

func (r route) completeResponses(op *huma.Operation) {
	for status, response := range op.Responses {
		code, err := strconv.Atoi(status)
		if err != nil || code >= http.StatusBadRequest {
			delete(op.Responses, status)
			continue
		}
		response.Description = successes[code]
		response.Headers = successHeaders(r.method == post && r.scope != public)
	}
	for _, status := range r.failures(op) {
		response := &huma.Response{Ref: "#/components/responses/" + failures[status].name}
		if r.method == head { // which has no bodies
			response = failures[status].response(nil)
		}
		op.Responses[strconv.Itoa(status)] = response
	}
	if body := operations[r.id].unavailable; body != "" {
		response := failures[http.StatusServiceUnavailable].response(&huma.Schema{Ref: "#/components/schemas/" + body})
		op.Responses[strconv.Itoa(http.StatusServiceUnavailable)] = response
	}
}

// failures are the statuses of the errors that the operation can answer with: those that follow from its shape, and
// those that its words add.
func (r route) failures(op *huma.Operation) codes {
	statuses := codes{http.StatusTooManyRequests, http.StatusInternalServerError}
	add := func(when bool, more ...int) {
		if when {
			statuses = append(statuses, more...)
		}
	}
	hasBody := op.RequestBody != nil
	add(r.scope != public, http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable)
	add(r.method == post && r.scope != public, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity)
	add(hasBody || r.method == post && r.scope != public, http.StatusBadRequest)
	add(hasBody, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity)
	for _, p := range op.Parameters {
		switch {
		case p.In == "header":
		case p.In == "path":
			add(true, http.StatusNotFound)
		default:
			add(!isText(p.Schema), http.StatusBadRequest)
			add(p.Name == "iterator" || p.Schema.Enum != nil || p.Schema.Maximum != nil || p.Schema.Pattern != "", http.StatusUnprocessableEntity)
		}
	}
	words := operations[r.id]
	add(true, words.also...)
	slices.Sort(statuses)
	return slices.DeleteFunc(slices.Compact(statuses), func(status int) bool { return slices.Contains(words.never, status) })
}

// isText reports whether every string is a value of a query parameter.
func isText(s *huma.Schema) bool {
	if s.Type == huma.TypeArray {
		return isText(s.Items)
	}
	return s.Type == huma.TypeString && s.Format == ""
}

// completeSchema describes the fields that are the same everywhere. It also removes what says no more than the default
// does, that objects may have more properties than are described: tools would show an invented one.
func completeSchema(schema *huma.Schema) {
	if len(schema.Properties) > 0 && schema.AdditionalProperties == true {
		schema.AdditionalProperties = nil
	}
	for name, property := range schema.Properties {
		property.Description = cmp.Or(property.Description, fields[name])
	}
}

// tagOf finds the tag of an operation by its id, such as v1.endpoint.get. The longest name that fits wins.
func tagOf(id string) tag {
	best, length := tag{}, 0
	for _, t := range resources {
		for _, name := range t.resources {
			if len(name) > length && strings.HasPrefix(id, "v1."+name+".") {
				best, length = t, len(name)
			}
		}
	}
	return best
}

func tags() []*huma.Tag {
	list := make([]*huma.Tag, 0, len(resources))
	for _, t := range resources {
		list = append(list, &huma.Tag{Name: t.name, Description: t.text})
	}
	return list
}

// documentOperation describes the document itself. A token adds the webhooks of its organisation.
func documentOperation() *huma.Operation {
	op := &huma.Operation{
		OperationID: "v1.openapi.get",
		Tags:        []string{tagOf("v1.openapi.get").name},
		Summary:     "Get this document",
		Description: operations["v1.openapi.get"].text,
		Extensions:  map[string]any{ownExtension: true},
		Responses: map[string]*huma.Response{
			"200": {
				Description: successes[http.StatusOK],
				Headers:     successHeaders(false),
				Content:     map[string]*huma.MediaType{jsonType: {Schema: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}}},
			},
		},
		Security: []map[string][]string{{}, {bearerScheme: {}}},
	}
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable} {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Ref: "#/components/responses/" + failures[status].name}
	}
	return op
}

// addSharedParts fills the components that operations refer to.
func addSharedParts(c *huma.Components) {
	c.Headers = maps.Clone(headers)
	c.Responses = map[string]*huma.Response{}
	plain, validation := schemaOf[httpErrorOut](c.Schemas), schemaOf[httpValidationError](c.Schemas)
	schemaOf[healthOut](c.Schemas)
	for status, f := range failures {
		schema := plain
		if status == http.StatusUnprocessableEntity {
			schema = validation
		}
		c.Responses[f.name] = f.response(schema)
	}
}
