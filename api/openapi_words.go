package api

import "net/http"

// tag is a group of operations in the document.
type tag struct {
	resources []string // what the ids of its operations begin with, after v1
	name      string
	text      string
}

// resources are the tags in the order in which they are shown.
var resources = []tag{
	{[]string{"application"}, "Application", "A customer of yours, to whom messages are addressed. Its endpoints receive them."},
	{[]string{"endpoint"}, "Endpoint", "A URL of a customer, with its subscriptions, its signing secrets, and headers of its own."},
	{[]string{"event-type"}, "Event type", "The catalogue of what you send: names, descriptions, and JSON Schemas of payloads by version."},
	{[]string{"message"}, "Message", "One event, addressed to one application, and sent to each of its endpoints that subscribes to it."},
	{[]string{"message-attempt"}, "Message attempt", "What happened to a message: where each delivery stands, and every request that was made."},
	{[]string{"poller", "message.poller"}, "Poller", "For customers who fetch their messages instead of having them sent. The server remembers how far each consumer has come."},
	{[]string{"authentication"}, "Authentication", "Tokens: for your customers, and what the one at hand is good for."},
	{[]string{"operational-webhook"}, "Operational webhook", "Endpoints of your own, which are told what happens to your customers' endpoints."},
	{[]string{"statistics", "stats", "application.stats"}, "Statistics", "Numbers of endpoints, deliveries and attempts."},
	{[]string{"background-task"}, "Background task", "Work that outlasts a request, and how far it has come."},
	{[]string{"health"}, "Health", "For load balancers and monitoring. These need no token."},
	{[]string{"openapi"}, "This document", "The description of the API, for tools."},
}

// fields are the descriptions of fields that have none of their own.
var fields = map[string]string{
	"id":        "Its id, made by the server.",
	"uid":       "Your own id for it.",
	"metadata":  "Yours to fill.",
	"createdAt": "When it was made.",
	"updatedAt": "When it was last changed.",
	"data":      "The items of the page.",

	"description": "For people.",
	"eventTypes":  "The event types that it is about. Absent: all.",
	"channels":    "The channels that it is about. Absent: all.",
	"disabled":    "Whether it is switched off.",
	"status":      "How it stands.",
	"tags":        "What it is tagged with.",
	"period":      "The length of each period.",

	"name":           "What it is called.",
	"archived":       "Hidden from the catalogue.",
	"deprecated":     "Still sent, but not for new integrations.",
	"schemas":        "JSON Schemas of the payload, by version.",
	"groupName":      "What it is listed under.",
	"featureFlag":    "Shown only to tokens with this flag.",
	"featureFlags":   "Shown only to tokens with one of these flags.",
	"payloadVersion": "The version of the payload.",
	"timestamp":      "When it happened.",

	"since":    "Where the window begins.",
	"until":    "Where the window ends.",
	"success":  "Those that were answered with 2xx.",
	"failure":  "Those that were not.",
	"canceled": "Those that were given up without another attempt.",
}

// note is what there is to say about an operation.
type note struct {
	text string
	// Statuses of failures that don't follow from the operation's shape, and such that do but never occur.
	also, never codes
	// The schema of the body of a 503, if it has one of its own.
	unavailable string
	// An example of a request's body, for schemas whose fields have none.
	example any
}

// operations are the notes by operation id.
var operations = map[string]note{
	"v1.application.list": {
		text: "Lists the organisation's applications, the oldest first unless `order` says otherwise.",
	},
	"v1.application.create": {
		text: "Adds an application. If you choose a `uid`, it names the application wherever its id does. With `get_if_exists` a uid that is taken is no " +
			"conflict: the answer is the application that has it, unchanged, with status 200.",
		also: codes{http.StatusConflict},
	},
	"v1.application.get": {text: "Shows one application. The token of an application sees its own only."},
	"v1.application.update": {
		text: "Replaces all fields of the application; what is left out is reset. If the path names a uid that nothing has, an application with that uid is created.",
		also: codes{http.StatusConflict},
	},
	"v1.application.patch": {
		text: "Changes the fields that are given and leaves the others. Null removes a value.",
		also: codes{http.StatusConflict},
	},
	"v1.application.delete": {
		text: "Deletes the application and its endpoints. Deliveries under way are cancelled, and the uid is free again.",
	},

	"v1.application.count-active": {text: "Counts the applications that have at least one endpoint that takes messages."},
	"v1.application.stats.attempts": {
		text: "Counts the attempts at an application's endpoints by event type and outcome.",
		also: codes{http.StatusBadRequest, http.StatusUnprocessableEntity},
	},

	"v1.endpoint.list": {text: "Lists the application's endpoints, the newest first unless `order` says otherwise."},
	"v1.endpoint.create": {
		text: "Adds an endpoint. Only the URL is required: without subscriptions it gets every message of the application, and a signing secret is made for it.",
		also: codes{http.StatusConflict},
	},
	"v1.endpoint.get": {text: "Shows one endpoint. Its secret and its headers have operations of their own."},
	"v1.endpoint.update": {
		text: "Replaces all fields of the endpoint but its secret and headers; what is left out is reset. If the path names a uid that nothing has, an endpoint with that uid is created.",
		also: codes{http.StatusConflict},
	},
	"v1.endpoint.patch": {
		text: "Changes the fields that are given and leaves the others. Null removes a value: subscriptions to none in particular are subscriptions to all.",
		also: codes{http.StatusConflict},
	},
	"v1.endpoint.delete": {text: "Deletes the endpoint. Nothing is sent to it any more; what was sent stays on record."},
	"v1.endpoint.pause": {
		text: "Lets what is to be sent to the endpoint wait until it is resumed. Messages are accepted as before, and held; nothing is dropped. To pause it again changes nothing.",
	},
	"v1.endpoint.resume": {
		text: "Has the endpoint take messages again, whether it was paused or disabled. What was held is sent, the oldest first and no faster than `rate`, or dropped, as you say.",
	},
	"v1.endpoint.cancel-msgs": {
		text: "Has messages that were made before a moment not sent to the endpoint any more, whatever they wait for. From the answer on none of them is begun; where there are many, it takes a while until all " +
			"show as cancelled. Attempts under way end as usual, and may deliver theirs.",
		example: map[string]any{"createdBefore": "2026-01-31T12:00:00Z"},
	},
	"v1.endpoint.get-waiting": {
		text: "Counts the messages that can't be sent to the endpoint just now, by what they wait for. The list of its messages shows each with the reason.",
	},
	"v1.endpoint.get-health": {
		text: "Shows since when an endpoint has only failed, whether its messages are held because of that, when it is probed and when it will be disabled; and how its newest attempts went.",
	},
	"v1.endpoint.get-secret": {
		text: "Shows what the receiver verifies signatures with. For a symmetric secret that is the secret itself, for an Ed25519 key the public half.",
	},
	"v1.endpoint.rotate-secret": {
		text: "Puts a new secret in place. Messages are signed with the old one as well for a while, so that receivers can change over without missing any. At most ten replaced " +
			"secrets are kept; one more is refused with `limit_reached` until one of them has expired.",
		also: codes{http.StatusBadRequest},
	},
	"v1.endpoint.get-headers": {
		text: "Shows the headers that are added to every request to the endpoint. Of those that usually hold credentials only the names are shown.",
	},
	"v1.endpoint.update-headers": {
		text:    "Replaces all custom headers. Headers that HTTP, the signature or proxies rely on can't be set.",
		example: map[string]any{"headers": map[string]any{"X-Tenant": "acme"}},
	},
	"v1.endpoint.patch-headers": {
		text:    "Adds and changes the headers that are given, removes those that are null, and leaves the others.",
		example: map[string]any{"headers": map[string]any{"X-Tenant": "acme", "X-Old": nil}},
	},

	"v1.endpoint.get-retry-schedule": {
		text: "Shows the waits between the attempts at the endpoint. Null: it has no schedule of its own, and that of the event type or of the server holds.",
	},
	"v1.endpoint.set-retry-schedule": {
		text:    "Sets the waits between the attempts at the endpoint, whatever the event type. An empty list is a single attempt; null removes the schedule.",
		example: map[string]any{"retrySchedule": []any{map[string]any{"secs": 5, "nanos": 0}, map[string]any{"secs": 3600, "nanos": 0}}},
	},

	"v1.endpoint.get-throttling-status": {
		text: "Shows whether messages to the endpoint have to wait for their turn under its own `throttleRate` or that of its application, and since when.",
	},
	"v1.endpoint.get-stats": {
		text: "Counts the deliveries to an endpoint by where they stand, within a window of up to 28 days.",
		also: codes{http.StatusBadRequest, http.StatusUnprocessableEntity},
	},
	"v1.endpoint.send-example": {
		text: "Sends the example of an event type to this endpoint only, whatever it subscribes to. The example is that of the type's schema, or the payload in the request. `svix.ping` is always there.",
		also: codes{http.StatusBadRequest},
	},
	"v1.endpoint.recover": {
		text: "Begins to send everything again that failed at the endpoint since a moment, up to 14 days back. The answer names a background task, which says how far it has come.",
	},

	"v1.endpoint.replay-missing": {
		text: "Begins to send the messages of a window that the endpoint wants now, by its event types and channels, and that were never on their way to it: because it is new, was disabled, or wanted something else. Each gets one attempt. The answer names a background task, which says how far it has come.",
	},
	"v1.endpoint.bulk-replay": {
		text: "Begins to send the endpoint's messages of a window again, delivered and failed ones, or those that the filters let through. Each gets one attempt. The answer names a background task, which says how far it has come.",
	},

	"v1.event-type.list": {text: "Lists the event types by name. Archived ones and schemas are left out unless they are asked for."},
	"v1.event-type.create": {
		text: "Adds an event type to the catalogue. An archived one with the same name is brought back with the new fields.",
		also: codes{http.StatusConflict},
	},
	"v1.event-type.get": {text: "Shows one event type with its schemas, archived or not."},
	"v1.event-type.update": {
		text:  "Replaces all fields of the event type, or creates it.",
		also:  codes{http.StatusConflict},
		never: codes{http.StatusNotFound},
	},
	"v1.event-type.patch": {text: "Changes the fields that are given and leaves the others. Null removes a value."},
	"v1.event-type.delete": {
		text: "Archives the event type, which hides it from lists and keeps what subscribes to it. With `expunge` it is removed for good.",
	},

	"v1.event-type.get-retry-schedule": {
		text: "Shows the waits between the attempts to deliver messages of the event type. Null: it has no schedule of its own, and that of the server holds.",
	},
	"v1.event-type.set-retry-schedule": {
		text: "Sets the waits between the attempts to deliver messages of the event type, at endpoints that have no schedule of their own. An empty list is a single attempt; null " +
			"removes the schedule.",
		example: map[string]any{"retrySchedule": []any{map[string]any{"secs": 5, "nanos": 0}, map[string]any{"secs": 3600, "nanos": 0}}},
	},

	"v1.event-type.import-openapi": {
		text: "Makes event types of the webhooks that an OpenAPI document describes, and replaces the schemas of those that exist.",
		also: codes{http.StatusConflict},
	},
	"v1.event-type.export-openapi": {
		text: "Begins to write the event catalogue as an OpenAPI document. The answer names a background task, which has the document as `spec`, and as `schemaZip` a `data:` URL of a ZIP archive that holds it.",
	},
	"v1.event-type.download-openapi": {
		text: "The event catalogue as an OpenAPI document whose webhooks are the event types. It can be imported again.",
	},

	"v1.message.list": {
		text: "Lists the application's messages, the newest first, up to 90 days back from where the list begins. With `after` alone the page is the one that follows that moment.",
	},
	"v1.message.create": {
		text: "Accepts an event and delivers it to every endpoint of the application that subscribes to its type and channels. The payload is sent byte for byte as it stands in the " +
			"request. An `eventId` makes the event unique in the application: a second message with it is a conflict. With `application`, an application that doesn't exist yet is created.",
		example: map[string]any{
			"eventType": "invoice.paid", "eventId": "evt_1001", "channels": []string{"eu"},
			"payload": map[string]any{"type": "invoice.paid", "data": map[string]any{"id": "inv_1", "total": 4200}},
		},
		also: codes{http.StatusConflict},
	},
	"v1.message.get": {text: "Shows one message, by its id or its eventId."},

	"v1.message.create-batch": {
		text: "Accepts up to 1,000 messages in one commit. Each is accepted or refused by itself: the answer has one result for each, in their order.",
		also: codes{http.StatusConflict},
	},
	"v1.message.precheck": {
		text: "Says whether any endpoint would get a message of a type and channels, so that you can spare yourself making its payload.",
	},
	"v1.message.get-raw-payload": {
		text: "Shows the payload exactly as receivers get it, which need not be JSON.",
		also: codes{http.StatusBadRequest},
	},
	"v1.message.get-progress": {
		text: "Says how far a message has got, also while it is being sent to thousands of endpoints. The endpoints themselves are listed by `GET …/msg/{msg_id}/endpoint`.",
	},
	"v1.message.search": {text: "Lists messages as GET does, with the filters in the body, where there is room for many."},
	"v1.message.cancel": {
		text: "Has the message not sent any more: one that waits for its time goes to nobody, and open deliveries are cancelled. Attempts under way end as usual, and may deliver it. What has ended " +
			"stays as it is.",
	},
	"v1.message.expunge-content": {
		text: "Removes the payload of a message for good. The message itself and its attempts stay on record; it can't be sent again.",
	},
	"v1.message.bulk-expunge-content": {text: "Removes the payloads of the messages that are named, and says for each what came of it."},
	"v1.message.expunge-all-contents": {
		text: "Begins to remove the payloads of all of an application's messages. The answer names a background task.",
	},
	"v1.message.broadcast": {
		text: "Begins to send a message to every application. The answer names a background task, which says how many got it.",
	},
	"v1.message.test-attempt": {
		text:    "Sends a message to one endpoint, once, and waits for what it answers. Nothing is retried.",
		also:    codes{http.StatusBadRequest, http.StatusConflict},
		example: map[string]any{"eventType": "invoice.paid", "payload": map[string]any{"id": "inv_1"}},
	},
	"v1.message.events": {
		text: "Gives an application's messages in the order in which they were accepted, from where the iterator says. When there is nothing more the answer is empty, and its iterator asks for what comes next.",
	},

	"v1.poller.list":          {text: "Lists an application's pollers, the newest first unless `order` says otherwise."},
	"v1.poller.create":        {text: "Adds a poller, which shows the messages that it subscribes to from now on.", also: codes{http.StatusConflict}},
	"v1.poller.update":        {text: "Replaces all fields of the poller but its secret. If the path names a uid that nothing has, a poller with that uid is created.", also: codes{http.StatusConflict}},
	"v1.poller.delete":        {text: "Deletes the poller and forgets how far its consumers have come."},
	"v1.poller.get":           {text: "Shows one poller. To poll it is another operation, at the path above."},
	"v1.poller.get-secret":    {text: "Shows what the signatures of polled messages are verified with."},
	"v1.poller.rotate-secret": {text: "Puts a new secret in place. Messages are signed with the old one as well for a while.", also: codes{http.StatusBadRequest}},
	"v1.message.poller.poll": {
		text: "Gives the messages that the poller shows, from where the iterator says. The caller keeps the iterator.",
		also: codes{http.StatusBadRequest, http.StatusConflict},
	},
	"v1.message.poller.consumer-poll": {
		text: "Gives the messages that this consumer has not had yet. The server keeps how far it has come: asking with the iterator of an answer confirms that answer.",
		also: codes{http.StatusBadRequest, http.StatusConflict},
	},
	"v1.message.poller.consumer-seek": {
		text: "Sets where the consumer goes on: at a moment in the past, or after what it had.",
		also: codes{http.StatusBadRequest, http.StatusConflict},
	},

	"v1.message-attempt.list-by-endpoint": {
		text: "Lists the requests that were made to an endpoint, the newest first, up to 90 days back from where the list begins.",
	},
	"v1.message-attempt.list-by-msg": {
		text: "Lists the requests that were made to deliver a message, to all endpoints or to one, the newest first.",
	},
	"v1.message-attempt.get":               {text: "Shows one attempt with what the receiver answered."},
	"v1.message-attempt.count-by-endpoint": {text: "Counts the attempts at an endpoint, narrowed as the list of them."},
	"v1.message-attempt.get-headers":       {text: "Shows the headers of an attempt's request, without those that hold credentials, and of its response."},
	"v1.message-attempt.expunge-content": {
		text: "Removes what is kept of the response's body for good. The attempt itself stays on record.",
	},
	"v1.message-attempt.list-by-msg-deprecated": {
		text: "The same as the list of a message's attempts, at the path that it had before.",
	},
	"v1.message-attempt.list-by-endpoint-deprecated": {
		text: "The attempts to deliver a message to one endpoint. The list of a message's attempts takes the endpoint as a filter.",
	},
	"v1.message-attempt.list-attempted-messages": {
		text: "Lists the messages that went or are going to an endpoint, each with the state of its delivery.",
	},
	"v1.message-attempt.list-attempted-destinations": {
		text: "Lists the endpoints that a message went or is going to, deleted ones included, each with the state of the delivery.",
	},
	"v1.message-attempt.cancel": {
		text: "Has the message not sent to the endpoint any more, whatever it waits for. An attempt under way ends as usual, and may deliver it. What has ended stays as it is, and the answer says so.",
	},
	"v1.message-attempt.resend": {
		text: "Sends the message to the endpoint once more, at once, whatever became of it before. Refused with `missing_payload` if the payload has expired or was expunged.",
		also: codes{http.StatusBadRequest},
	},

	"v1.authentication.app-portal-access": {
		text: "Makes a token for one application, and a link to a page that shows its owner the endpoints and deliveries. With `application`, an application that doesn't exist yet is created. " +
			"A server that knows only the public key of tokens can't make any and says so.",
		also: codes{http.StatusBadRequest},
	},
	"v1.authentication.dashboard-access": {
		text: "What app-portal-access was before; without settings.",
		also: codes{http.StatusBadRequest},
	},
	"v1.authentication.expire-all": {text: "Revokes all tokens that the application has, or those of some sessions, at once or in a while. New ones are good."},
	"v1.authentication.revoke":     {text: "Revokes one token of the organisation, given as a whole or by its id."},
	"v1.authentication.logout":     {text: "Revokes the token that the request is made with."},
	"v1.authentication.whoami":     {text: "Says whom the token speaks for, what it may do, and until when."},

	"v1.operational-webhook.endpoint.list":          {text: "Lists the organisation's own endpoints, the newest first unless `order` says otherwise."},
	"v1.operational-webhook.endpoint.create":        {text: "Adds an endpoint that is told what happens to your customers' endpoints.", also: codes{http.StatusConflict}},
	"v1.operational-webhook.endpoint.get":           {text: "Shows one operational-webhook endpoint."},
	"v1.operational-webhook.endpoint.upsert":        {text: "Replaces all fields of the endpoint but its secret and headers, or creates it under the uid in the path.", also: codes{http.StatusConflict}},
	"v1.operational-webhook.endpoint.delete":        {text: "Deletes the endpoint. Nothing is sent to it any more."},
	"v1.operational-webhook.endpoint.get-secret":    {text: "Shows what the receiver verifies signatures with."},
	"v1.operational-webhook.endpoint.rotate-secret": {text: "Puts a new secret in place. The old one signs on for a while.", also: codes{http.StatusBadRequest}},
	"v1.operational-webhook.endpoint.get-headers":   {text: "Shows the headers that are added to every request; of those that hold credentials only the names."},
	"v1.operational-webhook.endpoint.set-headers": {
		text:    "Replaces all custom headers.",
		example: map[string]any{"headers": map[string]any{"X-Tenant": "acme"}},
	},

	"v1.statistics.endpoint-count": {text: "Counts the organisation's endpoints, those that take messages and those that are disabled."},
	"v1.statistics.aggregate-event-types": {
		text: "Begins to find out which applications subscribe to which event types. The answer names a background task, which has the result.",
	},
	"v1.statistics.aggregate-app-stats": {
		text: "Begins to count what was sent to each application in a window. The answer names a background task, which has the result.",
	},
	"v1.stats.app-attempts": {
		text: "Counts an application's attempts in periods of equal length, for a chart.",
		also: codes{http.StatusBadRequest, http.StatusUnprocessableEntity},
	},

	"v1.background-task.list": {text: "Lists the background tasks of the last 90 days, the newest first."},
	"v1.background-task.get":  {text: "Shows a background task: whether it is running, and what has come of it so far."},

	"v1.background-task.cancel": {
		text: "Has a background task end between two steps. It becomes `failed`, with `cancelled` as the error in its data, within seconds; what it has done until then stays done. A task that has ended can't be cancelled.",
		also: codes{http.StatusConflict},
	},

	"v1.health.get": {
		text:        "Asks the database and Temporal whether they answer, and says which doesn't.",
		also:        codes{http.StatusServiceUnavailable},
		unavailable: "HealthOut",
	},
	"v1.health.head":      {text: "The same without a body.", also: codes{http.StatusServiceUnavailable}},
	"v1.health.ping":      {text: "Answers as long as the process serves requests. It asks nobody else."},
	"v1.health.head-ping": {text: "The same, for clients that prefer HEAD."},

	"v1.openapi.get": {text: "OpenAPI 3.1. With a token there is a section `webhooks`, which describes what is sent to endpoints. *Posthorn's own: Svix doesn't have it.*"},
}
