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

	poller      = app + "/poller/{sink_id}"
	consumer    = poller + "/consumer/{consumer_id}"
	operational = "/operational-webhook/endpoint"
	oper        = operational + "/{endpoint_id}"
	opid        = "v1.operational-webhook.endpoint."
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
		{post, ep + "/pause", "v1.endpoint.pause", application, codes{200}, "Let an endpoint's messages wait (not in Svix)", handle(s, s.pauseEndpoint)},
		{post, ep + "/resume", "v1.endpoint.resume", application, codes{200}, "Have an endpoint take messages again (not in Svix)", handle(s, s.resumeEndpoint)},
		{get, ep + "/waiting", "v1.endpoint.get-waiting", application, codes{200}, "Count what waits for an endpoint (not in Svix)", handle(s, s.countWaiting)},
		{get, ep + "/health", "v1.endpoint.get-health", application, codes{200}, "See how an endpoint does (not in Svix)", handle(s, s.getEndpointHealth)},
		{get, ep + "/headers", "v1.endpoint.get-headers", application, codes{200}, "Get an endpoint's custom headers", handle(s, s.getHeaders)},
		{put, ep + "/headers", "v1.endpoint.update-headers", application, codes{204}, "Replace an endpoint's custom headers", handle(s, s.updateHeaders)},
		{patch, ep + "/headers", "v1.endpoint.patch-headers", application, codes{204}, "Add, change and remove custom headers", handle(s, s.patchHeaders)},
		{get, ep + "/retry-schedule", "v1.endpoint.get-retry-schedule", application, codes{200}, "Get an endpoint's own retry schedule (not in Svix)", handle(s, s.getEndpointSchedule)},
		{put, ep + "/retry-schedule", "v1.endpoint.set-retry-schedule", application, codes{200}, "Set or remove an endpoint's own retry schedule (not in Svix)", handle(s, s.setEndpointSchedule)},
		{post, ep + "/recover", "v1.endpoint.recover", application, codes{202}, "Send again what failed at an endpoint", handle(s, s.recoverEndpoint)},
		{post, ep + "/replay-missing", "v1.endpoint.replay-missing", application, codes{202}, "Send what an endpoint wants now and never got", handle(s, s.replayMissing)},
		{post, ep + "/bulk-replay", "v1.endpoint.bulk-replay", application, codes{202}, "Send an endpoint's messages again, narrowed by filters", handle(s, s.bulkReplay)},
		{post, ep + "/send-example", "v1.endpoint.send-example", organisation, codes{200}, "Send an example of an event to an endpoint", handle(s, s.sendExample)},
		{post, ep + "/cancel-msgs", "v1.endpoint.cancel-msgs", application, codes{204}, "Cancel an endpoint's messages from before a moment", handle(s, s.cancelOlder)},
		{post, ep + "/msg/test-attempt", "v1.message.test-attempt", organisation, codes{201}, "Send a message to an endpoint once and wait for the outcome", handleRaw[messageIn](s, maxMessageBody, s.testAttempt)},

		{get, "/event-type", "v1.event-type.list", application, codes{200}, "List the event catalogue", handle(s, s.listEventTypes)},
		{post, "/event-type", "v1.event-type.create", organisation, codes{201}, "Add an event type, or bring an archived one back", handle(s, s.createEventType)},
		{post, "/event-type/import/openapi", "v1.event-type.import-openapi", organisation, codes{200}, "Make event types of an OpenAPI document's webhooks", withBody(maxImportBody, handle(s, s.importEventTypes))},
		{get, "/event-type/export/openapi", "v1.event-type.download-openapi", application, codes{200}, "Get the event catalogue as an OpenAPI document (not in Svix)", handle(s, s.exportEventTypes)},
		{post, "/event-type/export/openapi", "v1.event-type.export-openapi", organisation, codes{202}, "Write the event catalogue as an OpenAPI document, in the background", handle(s, s.beginExport)},
		{get, evtype, "v1.event-type.get", application, codes{200}, "Get an event type", handle(s, s.getEventType)},
		{put, evtype, "v1.event-type.update", organisation, codes{200, 201}, upsert + " an event type", handle(s, s.updateEventType)},
		{patch, evtype, "v1.event-type.patch", organisation, codes{200}, "Change parts of an event type", handle(s, s.patchEventType)},
		{get, evtype + "/retry-schedule", "v1.event-type.get-retry-schedule", organisation, codes{200}, "Get the retry schedule of an event type", handle(s, s.getTypeSchedule)},
		{put, evtype + "/retry-schedule", "v1.event-type.set-retry-schedule", organisation, codes{200}, "Set or remove the retry schedule of an event type", handle(s, s.setTypeSchedule)},
		{remove, evtype, "v1.event-type.delete", organisation, codes{204}, "Archive or expunge an event type", handle(s, s.deleteEventType)},

		{get, app + "/msg", "v1.message.list", application, codes{200}, "List an application's messages", handle(s, s.listMessages)},
		{post, app + "/msg", "v1.message.create", organisation, codes{202}, "Send a message to an application", settling(handleRaw[messageIn](s, maxMessageBody, s.createMessage))},
		{post, app + "/msg/batch", "v1.message.create-batch", organisation, codes{202}, "Send many messages to an application (not in Svix)", settling(patient(handleRaw[createMessagesIn](s, maxBatchBody, s.createMessages)))},
		{post, app + "/msg/precheck/active", "v1.message.precheck", organisation, codes{200}, "Ask whether any endpoint would get such a message", handle(s, s.precheckMessage)},
		{post, app + "/msg/search", "v1.message.search", application, codes{200}, "List an application's messages, with the filters in a body", handle(s, s.searchMessages)},
		{get, msg, "v1.message.get", application, codes{200}, "Get a message", handle(s, s.getMessage)},
		{get, msg + "/raw", "v1.message.get-raw-payload", application, codes{200}, "Get a message's payload as receivers get it", handle(s, s.getRawPayload)},
		{post, msg + "/cancel", "v1.message.cancel", organisation, codes{200}, "Have a message not sent any more (not in Svix)", handle(s, s.cancelMessage)},
		{get, msg + "/progress", "v1.message.get-progress", application, codes{200}, "Count a message's endpoints by where they stand (not in Svix)", handle(s, s.messageProgress)},
		{remove, msg + "/content", "v1.message.expunge-content", organisation, codes{204}, "Remove a message's payload for good", handle(s, s.expungeMessage)},
		{post, app + "/msg/bulk-expunge", "v1.message.bulk-expunge-content", organisation, codes{200}, "Remove the payloads of many messages for good", handle(s, s.bulkExpunge)},
		{post, app + "/msg/expunge-all-contents", "v1.message.expunge-all-contents", organisation, codes{202}, "Remove the payloads of all of an application's messages for good", handle(s, s.expungeAll)},
		{post, "/msg/broadcast", "v1.message.broadcast", organisation, codes{202}, "Send a message to every application", handleRaw[broadcastIn](s, maxMessageBody, s.broadcast)},

		{get, app + "/attempt/endpoint/{endpoint_id}", attempt + "list-by-endpoint", application, codes{200}, "List the attempts at an endpoint", handle(s, s.listAttemptsByEndpoint)},
		{get, app + "/attempt/endpoint/{endpoint_id}/count", attempt + "count-by-endpoint", application, codes{200}, "Count the attempts at an endpoint", handle(s, s.countAttempts)},
		{get, app + "/attempt/msg/{msg_id}", attempt + "list-by-msg", application, codes{200}, "List the attempts to deliver a message", handle(s, s.listAttemptsByMessage)},
		{get, msg + "/attempt", attempt + "list-by-msg-deprecated", application, codes{200}, "The older form of list-by-msg", outdated(handle(s, s.listAttemptsByMessage))},
		{get, msg + "/endpoint/{endpoint_id}/attempt", attempt + "list-by-endpoint-deprecated", application, codes{200}, "The older form of list-by-msg for one endpoint", outdated(handle(s, s.listAttemptsByDestination))},
		{get, msg + "/attempt/{attempt_id}", attempt + "get", application, codes{200}, "Get an attempt", handle(s, s.getAttempt)},
		{get, msg + "/attempt/{attempt_id}/headers", attempt + "get-headers", application, codes{200}, "Get the headers of an attempt's request and response", handle(s, s.getAttemptHeaders)},
		{remove, msg + "/attempt/{attempt_id}/content", attempt + "expunge-content", organisation, codes{204}, "Remove what is kept of an attempt's response for good", handle(s, s.expungeAttempt)},
		{get, ep + "/msg", attempt + "list-attempted-messages", application, codes{200}, "List an endpoint's messages and where they stand", handle(s, s.listEndpointMessages)},
		{get, msg + "/endpoint", attempt + "list-attempted-destinations", application, codes{200}, "List a message's endpoints and where they stand", handle(s, s.listDestinations)},
		{post, msg + "/endpoint/{endpoint_id}/cancel", attempt + "cancel", application, codes{200}, "Have a message not sent to one endpoint any more (not in Svix)", handle(s, s.cancelDelivery)},
		{post, msg + "/endpoint/{endpoint_id}/resend", attempt + "resend", application, codes{202}, "Send a message to one endpoint again", handle(s, s.resend)},

		{get, app + "/events", "v1.message.events", application, codes{200}, "Poll an application's messages", handle(s, s.pollEvents)},
		{get, app + "/poller", "v1.poller.list", application, codes{200}, "List an application's pollers (not in Svix's API)", handle(s, s.listPollers)},
		{post, app + "/poller", "v1.poller.create", application, codes{201}, "Create a poller (not in Svix's API)", handle(s, s.createPoller)},
		{put, poller, "v1.poller.update", application, codes{200, 201}, upsert + " a poller (not in Svix's API)", handle(s, s.updatePoller)},
		{remove, poller, "v1.poller.delete", application, codes{204}, "Delete a poller with its consumers (not in Svix's API)", handle(s, s.deletePoller)},
		{get, poller + "/config", "v1.poller.get", application, codes{200}, "Get a poller (not in Svix's API)", handle(s, s.getPoller)},
		{get, poller + "/secret", "v1.poller.get-secret", application, codes{200}, "Get the key that verifies a poller's signatures (not in Svix's API)", handle(s, s.getPollerSecret)},
		{post, poller + "/secret/rotate", "v1.poller.rotate-secret", application, codes{204}, "Replace a poller's signing secret (not in Svix's API)", handle(s, s.rotatePollerSecret)},
		{get, poller, "v1.message.poller.poll", application, codes{200}, "Poll the messages that a poller shows", handle(s, s.poll)},
		{get, consumer, "v1.message.poller.consumer-poll", application, codes{200}, "Poll as a consumer whose position is kept here", handle(s, s.pollAsConsumer)},
		{post, consumer + "/seek", "v1.message.poller.consumer-seek", application, codes{200}, "Set where a consumer goes on", handle(s, s.seek)},

		{get, operational, opid + "list", organisation, codes{200}, "List the operational-webhook endpoints", handle(s, onOperational(s, s.listEndpoints, (*listOperationalIn).endpoints, showOperationalList))},
		{post, operational, opid + "create", organisation, codes{201}, "Create an operational-webhook endpoint", handle(s, s.createOperational)},
		{get, oper, opid + "get", organisation, codes{200}, "Get an operational-webhook endpoint", handle(s, onOperational(s, s.getEndpoint, operationalPath, showOperational))},
		{put, oper, opid + "upsert", organisation, codes{200, 201}, upsert + " an operational-webhook endpoint", handle(s, onOperational(s, s.updateEndpoint, (*updateOperationalIn).endpoints, showOperationalPut))},
		{remove, oper, opid + "delete", organisation, codes{204}, "Delete an operational-webhook endpoint", handle(s, onOperational(s, s.deleteEndpoint, operationalPath, unchanged))},
		{get, oper + "/secret", opid + "get-secret", organisation, codes{200}, "Get the key that verifies an operational-webhook endpoint's signatures", handle(s, onOperational(s, s.getSecret, operationalPath, unchanged))},
		{post, oper + "/secret/rotate", opid + "rotate-secret", organisation, codes{204}, "Replace an operational-webhook endpoint's signing secret", handle(s, onOperational(s, s.rotateSecret, (*rotateOperationalSecretIn).endpoints, unchanged))},
		{get, oper + "/headers", opid + "get-headers", organisation, codes{200}, "Get an operational-webhook endpoint's custom headers", handle(s, onOperational(s, s.getHeaders, operationalPath, unchanged))},
		{put, oper + "/headers", opid + "set-headers", organisation, codes{204}, "Replace an operational-webhook endpoint's custom headers", handle(s, onOperational(s, s.updateHeaders, (*updateOperationalHeadersIn).endpoints, unchanged))},

		{get, ep + "/stats", "v1.endpoint.get-stats", application, codes{200}, "Count what happened at an endpoint", handle(s, s.getEndpointStats)},
		{get, ep + "/rate-limit-status", "v1.endpoint.get-throttling-status", application, codes{200}, "Ask whether an endpoint's messages wait because of a rate limit", handle(s, s.getThrottlingStatus)},
		{get, app + "/stats/attempts", "v1.application.stats.attempts", application, codes{200}, "Count an application's attempts by event type", handle(s, s.getAppStats)},
		{get, "/app/stats/count-active", "v1.application.count-active", organisation, codes{200}, "Count the applications that have an active endpoint", handle(s, s.countActive)},
		{get, "/stats/endpoint/count", "v1.statistics.endpoint-count", organisation, codes{200}, "Count active and disabled endpoints", handle(s, s.countEndpoints)},
		{get, "/stats" + app + "/attempt", "v1.stats.app-attempts", application, codes{200}, "Count an application's attempts by period", handle(s, s.getStatsSeries)},
		{get, "/background-task", "v1.background-task.list", organisation, codes{200}, "List the background tasks of the last 90 days", handle(s, s.listTasks)},
		{get, "/background-task/{task_id}", "v1.background-task.get", organisation, codes{200}, "Get a background task and what came of it", handle(s, s.getTask)},
		{post, "/background-task/{task_id}/cancel", "v1.background-task.cancel", organisation, codes{202}, "Cancel a background task (not in Svix)", handle(s, s.cancelTask)},
		{put, "/stats/usage/event-types", "v1.statistics.aggregate-event-types", organisation, codes{202}, "Find out which applications subscribe to which event types", handle(s, s.aggregateEventTypes)},
		{post, "/stats/usage/app", "v1.statistics.aggregate-app-stats", organisation, codes{202}, "Count what was sent to each application", handle(s, s.aggregateAppStats)},
		{post, "/auth/app-portal-access/{app_id}", "v1.authentication.app-portal-access", organisation, codes{200}, "Make a token for an application, and a link for its owner", handle(s, s.appPortalAccess)},
		{post, "/auth/dashboard-access/{app_id}", "v1.authentication.dashboard-access", organisation, codes{200}, "The older form of app-portal-access", outdated(handle(s, s.dashboardAccess))},
		{post, "/auth/app/{app_id}/expire-all", "v1.authentication.expire-all", organisation, codes{204}, "Revoke the tokens of an application", handle(s, s.expireAll)},
		{post, "/auth/revoke", "v1.authentication.revoke", organisation, codes{204}, "Revoke one token (not in Svix)", handle(s, s.revokeToken)},
		{post, "/auth/logout", "v1.authentication.logout", application, codes{204}, "Revoke the token of this request", handle(s, s.logout)},
		{get, "/auth/whoami", "v1.authentication.whoami", application, codes{200}, "What the token of this request is for", handle(s, s.whoami)},

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
func (r route) operation() huma.Operation {
	op := huma.Operation{
		Method:        r.method,
		Path:          basePath + r.path,
		OperationID:   r.id,
		Summary:       r.summary,
		DefaultStatus: r.success[0],
		Metadata:      map[string]any{scopeKey: r.scope, needKey: r.needs()},
		Responses:     map[string]*huma.Response{},
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

// outdated marks an operation that there is a newer one for.
func outdated(register registration) registration {
	return func(wire huma.API, op huma.Operation) {
		op.Deprecated = true
		register(wire, op)
	}
}

// withBody raises the limit on an operation's body to size bytes.
func withBody(size int64, register registration) registration {
	return func(wire huma.API, op huma.Operation) {
		op.MaxBodyBytes = size + 1 // huma refuses a body of exactly the maximum
		register(wire, op)
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
