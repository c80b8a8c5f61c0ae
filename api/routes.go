package api

import (
	"context"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// Short names keep the table below readable.
const (
	get    = http.MethodGet
	head   = http.MethodHead
	post   = http.MethodPost
	put    = http.MethodPut
	patch  = http.MethodPatch
	remove = http.MethodDelete

	app     = "/app/{app_id}"
	ep      = app + "/endpoint/{endpoint_id}"
	msg     = app + "/msg/{msg_id}"
	evtype  = "/event-type/{event_type_name}"
	upsert  = "Create or replace"
	attempt = "v1.message-attempt."
)

// routes is every operation of the API: the method and path, its id in the OpenAPI document, who may call it, the
// statuses of success (the first is the usual one), what it does, and the handler.
func (s *Server) routes() []route {
	return []route{
		{get, "/app", "v1.application.list", organisation, codes{200}, "List applications", handle(s, s.listApplications)},
		{post, "/app", "v1.application.create", organisation, codes{201, 200}, "Create an application", handle(s, s.createApplication)},
		{get, app, "v1.application.get", application, codes{200}, "Get an application", handle(s, s.getApplication)},
		{put, app, "v1.application.update", organisation, codes{200, 201}, upsert + " an application", handle(s, s.updateApplication)},
		{patch, app, "v1.application.patch", organisation, codes{200}, "Change parts of an application", handle(s, s.patchApplication)},
		{remove, app, "v1.application.delete", organisation, codes{204}, "Delete an application", handle(s, s.deleteApplication)},

		{get, app + "/endpoint", "v1.endpoint.list", application, codes{200}, "List an application's endpoints", handle(s, s.listEndpoints)},
		{post, app + "/endpoint", "v1.endpoint.create", application, codes{201}, "Create an endpoint", handle(s, s.createEndpoint)},
		{get, ep, "v1.endpoint.get", application, codes{200}, "Get an endpoint", handle(s, s.getEndpoint)},
		{put, ep, "v1.endpoint.update", application, codes{200, 201}, upsert + " an endpoint", handle(s, s.updateEndpoint)},
		{patch, ep, "v1.endpoint.patch", application, codes{200}, "Change parts of an endpoint", handle(s, s.patchEndpoint)},
		{remove, ep, "v1.endpoint.delete", application, codes{204}, "Delete an endpoint", handle(s, s.deleteEndpoint)},
		{get, ep + "/secret", "v1.endpoint.get-secret", application, codes{200}, "Get the key that verifies an endpoint's signatures", handle(s, s.getSecret)},
		{post, ep + "/secret/rotate", "v1.endpoint.rotate-secret", application, codes{204, 200}, "Replace an endpoint's signing secret", handle(s, s.rotateSecret)},
		{get, ep + "/headers", "v1.endpoint.get-headers", application, codes{200}, "Get an endpoint's custom headers", handle(s, s.getHeaders)},
		{put, ep + "/headers", "v1.endpoint.update-headers", application, codes{204}, "Replace an endpoint's custom headers", handle(s, s.updateHeaders)},
		{patch, ep + "/headers", "v1.endpoint.patch-headers", application, codes{204}, "Add, change and remove custom headers", handle(s, s.patchHeaders)},

		{get, "/event-type", "v1.event-type.list", application, codes{200}, "List the event catalogue", handle(s, s.listEventTypes)},
		{post, "/event-type", "v1.event-type.create", organisation, codes{201}, "Add an event type, or bring an archived one back", handle(s, s.createEventType)},
		{get, evtype, "v1.event-type.get", application, codes{200}, "Get an event type", handle(s, s.getEventType)},
		{put, evtype, "v1.event-type.update", organisation, codes{200, 201}, upsert + " an event type", handle(s, s.updateEventType)},
		{patch, evtype, "v1.event-type.patch", organisation, codes{200}, "Change parts of an event type", handle(s, s.patchEventType)},
		{remove, evtype, "v1.event-type.delete", organisation, codes{204}, "Archive or expunge an event type", handle(s, s.deleteEventType)},

		{get, app + "/msg", "v1.message.list", application, codes{200}, "List an application's messages", handle(s, s.listMessages)},
		{post, app + "/msg", "v1.message.create", organisation, codes{202}, "Send a message to an application", handleRaw[messageIn](s, maxMessageBody, s.createMessage)},
		{get, msg, "v1.message.get", application, codes{200}, "Get a message", handle(s, s.getMessage)},

		{get, app + "/attempt/endpoint/{endpoint_id}", attempt + "list-by-endpoint", application, codes{200}, "List the attempts at an endpoint", handle(s, s.listAttemptsByEndpoint)},
		{get, app + "/attempt/msg/{msg_id}", attempt + "list-by-msg", application, codes{200}, "List the attempts to deliver a message", handle(s, s.listAttemptsByMessage)},
		{get, msg + "/attempt/{attempt_id}", attempt + "get", application, codes{200}, "Get an attempt", handle(s, s.getAttempt)},
		{get, ep + "/msg", attempt + "list-attempted-messages", application, codes{200}, "List an endpoint's messages and where they stand", handle(s, s.listEndpointMessages)},
		{get, msg + "/endpoint", attempt + "list-attempted-destinations", application, codes{200}, "List a message's endpoints and where they stand", handle(s, s.listDestinations)},
		{post, msg + "/endpoint/{endpoint_id}/resend", attempt + "resend", application, codes{202}, "Send a message to one endpoint again", handle(s, s.resend)},

		{get, "/health", "v1.health.get", public, codes{204}, "Check the database and Temporal", handle(s, s.health)},
		{head, "/health", "v1.health.head", public, codes{204}, "Check the database and Temporal", handle(s, s.health)},
		{get, "/health/ping", "v1.health.ping", public, codes{204}, "Check that the API answers", handle(s, s.ping)},
		{head, "/health/ping", "v1.health.head-ping", public, codes{204}, "Check that the API answers", handle(s, s.ping)},
	}
}

// codes are HTTP statuses.
type codes []int

// route is one operation.
type route struct {
	method   string
	path     string // below basePath
	id       string
	scope    scope
	success  codes
	summary  string
	register registration
}

// registration adds an operation with its handler to the API.
type registration func(huma.API, huma.Operation)

// operation describes the route in the terms of OpenAPI.
func (r route) operation(schemas huma.Registry) huma.Operation {
	op := huma.Operation{
		Method:        r.method,
		Path:          basePath + r.path,
		OperationID:   r.id,
		Summary:       r.summary,
		DefaultStatus: r.success[0],
		Metadata:      map[string]any{scopeKey: r.scope},
		Responses:     documentedFailures(schemas),
	}
	for _, status := range r.success {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status)}
	}
	if r.scope != public {
		op.Security = []map[string][]string{{bearerScheme: {}}}
	}
	return op
}

// handle makes a handler of typed input and output a registration. Errors become what the wire calls them here, so that
// handlers need to know only the domain's.
func handle[I, O any](s *Server, h func(context.Context, *I) (*O, error)) registration {
	return func(wire huma.API, op huma.Operation) {
		huma.Register(wire, op, func(ctx context.Context, in *I) (*O, error) {
			out, err := h(ctx, in)
			if err != nil {
				return nil, s.failure(ctx, err)
			}
			return out, nil
		})
		shareSchema(op)
	}
}

// handleRaw is handle for an input with a RawBody: the body, limited to size bytes, reaches the handler unparsed and
// unvalidated. Doc is the type that describes it in the OpenAPI document.
func handleRaw[Doc, I, O any](s *Server, size int64, h func(context.Context, *I) (*O, error)) registration {
	return func(wire huma.API, op huma.Operation) {
		op.MaxBodyBytes = size + 1 // huma refuses a body of exactly the maximum
		op.SkipValidateBody = true
		op.RequestBody = &huma.RequestBody{}
		handle(s, h)(wire, op)
		op.RequestBody.Content = map[string]*huma.MediaType{
			jsonType: {Schema: wire.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Doc](), true, "")},
		}
	}
}

// shareSchema documents that the other statuses of success have the same body as the usual one. 204 never has one.
func shareSchema(op huma.Operation) {
	usual := op.Responses[strconv.Itoa(op.DefaultStatus)]
	for status, response := range op.Responses {
		if status[0] == '2' && response.Content == nil {
			response.Content = usual.Content
		}
	}
	if empty := op.Responses[strconv.Itoa(http.StatusNoContent)]; empty != nil {
		empty.Content = nil
	}
}

// Outputs of handlers.
type (
	// answer has the usual status of its operation.
	answer[T any] struct {
		Body T
	}
	// answerWith has a status of its own.
	answerWith[T any] struct {
		Status int
		Body   T
	}
	// nothing is an answer without a body.
	nothing struct{}
)

// created answers 201 if the operation made something new, and 200 if it was there.
func created[T any](isNew bool, body T) *answerWith[T] {
	if isNew {
		return &answerWith[T]{Status: http.StatusCreated, Body: body}
	}
	return &answerWith[T]{Status: http.StatusOK, Body: body}
}
