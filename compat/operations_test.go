package compat

import "strings"

// operations is what Posthorn serves of the Svix API: the id of each operation, its method, and its path below /api/v1.
var operations = parseOperations(`
v1.application.list                                GET    /app
v1.application.create                              POST   /app
v1.application.get                                 GET    /app/{app_id}
v1.application.update                              PUT    /app/{app_id}
v1.application.patch                               PATCH  /app/{app_id}
v1.application.delete                              DELETE /app/{app_id}
v1.application.count-active                        GET    /app/stats/count-active
v1.application.stats.attempts                      GET    /app/{app_id}/stats/attempts

v1.authentication.app-portal-access                POST   /auth/app-portal-access/{app_id}
v1.authentication.dashboard-access                  POST   /auth/dashboard-access/{app_id}
v1.authentication.logout                           POST   /auth/logout
v1.authentication.expire-all                       POST   /auth/app/{app_id}/expire-all
v1.authentication.whoami                           GET    /auth/whoami

v1.background-task.list                            GET    /background-task
v1.background-task.get                             GET    /background-task/{task_id}

v1.endpoint.list                                   GET    /app/{app_id}/endpoint
v1.endpoint.create                                 POST   /app/{app_id}/endpoint
v1.endpoint.get                                    GET    /app/{app_id}/endpoint/{endpoint_id}
v1.endpoint.update                                 PUT    /app/{app_id}/endpoint/{endpoint_id}
v1.endpoint.patch                                  PATCH  /app/{app_id}/endpoint/{endpoint_id}
v1.endpoint.delete                                 DELETE /app/{app_id}/endpoint/{endpoint_id}
v1.endpoint.get-secret                             GET    /app/{app_id}/endpoint/{endpoint_id}/secret
v1.endpoint.rotate-secret                          POST   /app/{app_id}/endpoint/{endpoint_id}/secret/rotate
v1.endpoint.get-headers                            GET    /app/{app_id}/endpoint/{endpoint_id}/headers
v1.endpoint.update-headers                         PUT    /app/{app_id}/endpoint/{endpoint_id}/headers
v1.endpoint.patch-headers                          PATCH  /app/{app_id}/endpoint/{endpoint_id}/headers
v1.endpoint.get-stats                              GET    /app/{app_id}/endpoint/{endpoint_id}/stats
v1.endpoint.get-throttling-status                  GET    /app/{app_id}/endpoint/{endpoint_id}/rate-limit-status
v1.endpoint.send-example                           POST   /app/{app_id}/endpoint/{endpoint_id}/send-example
v1.endpoint.cancel-msgs                            POST   /app/{app_id}/endpoint/{endpoint_id}/cancel-msgs
v1.endpoint.recover                                POST   /app/{app_id}/endpoint/{endpoint_id}/recover
v1.endpoint.replay-missing                         POST   /app/{app_id}/endpoint/{endpoint_id}/replay-missing
v1.endpoint.bulk-replay                            POST   /app/{app_id}/endpoint/{endpoint_id}/bulk-replay

v1.event-type.list                                 GET    /event-type
v1.event-type.create                               POST   /event-type
v1.event-type.get                                  GET    /event-type/{event_type_name}
v1.event-type.update                               PUT    /event-type/{event_type_name}
v1.event-type.patch                                PATCH  /event-type/{event_type_name}
v1.event-type.delete                               DELETE /event-type/{event_type_name}
v1.event-type.get-retry-schedule                   GET    /event-type/{event_type_name}/retry-schedule
v1.event-type.set-retry-schedule                   PUT    /event-type/{event_type_name}/retry-schedule
v1.event-type.import-openapi                       POST   /event-type/import/openapi
v1.event-type.export-openapi                       POST   /event-type/export/openapi

v1.health.get                                      GET    /health
v1.health.head                                     HEAD   /health
v1.health.ping                                     GET    /health/ping
v1.health.head-ping                                HEAD   /health/ping

v1.message.list                                    GET    /app/{app_id}/msg
v1.message.create                                  POST   /app/{app_id}/msg
v1.message.get                                     GET    /app/{app_id}/msg/{msg_id}
v1.message.get-raw-payload                         GET    /app/{app_id}/msg/{msg_id}/raw
v1.message.expunge-content                         DELETE /app/{app_id}/msg/{msg_id}/content
v1.message.bulk-expunge-content                    POST   /app/{app_id}/msg/bulk-expunge
v1.message.expunge-all-contents                    POST   /app/{app_id}/msg/expunge-all-contents
v1.message.search                                  POST   /app/{app_id}/msg/search
v1.message.precheck                                POST   /app/{app_id}/msg/precheck/active
v1.message.broadcast                               POST   /msg/broadcast
v1.message.test-attempt                            POST   /app/{app_id}/endpoint/{endpoint_id}/msg/test-attempt
v1.message.events                                  GET    /app/{app_id}/events
v1.message.poller.poll                             GET    /app/{app_id}/poller/{sink_id}
v1.message.poller.consumer-poll                    GET    /app/{app_id}/poller/{sink_id}/consumer/{consumer_id}
v1.message.poller.consumer-seek                    POST   /app/{app_id}/poller/{sink_id}/consumer/{consumer_id}/seek

v1.message-attempt.list-by-endpoint                GET    /app/{app_id}/attempt/endpoint/{endpoint_id}
v1.message-attempt.count-by-endpoint               GET    /app/{app_id}/attempt/endpoint/{endpoint_id}/count
v1.message-attempt.list-by-msg                     GET    /app/{app_id}/attempt/msg/{msg_id}
v1.message-attempt.list-by-msg-deprecated           GET    /app/{app_id}/msg/{msg_id}/attempt
v1.message-attempt.list-by-endpoint-deprecated      GET    /app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/attempt
v1.message-attempt.get                             GET    /app/{app_id}/msg/{msg_id}/attempt/{attempt_id}
v1.message-attempt.get-headers                     GET    /app/{app_id}/msg/{msg_id}/attempt/{attempt_id}/headers
v1.message-attempt.expunge-content                 DELETE /app/{app_id}/msg/{msg_id}/attempt/{attempt_id}/content
v1.message-attempt.list-attempted-messages         GET    /app/{app_id}/endpoint/{endpoint_id}/msg
v1.message-attempt.list-attempted-destinations     GET    /app/{app_id}/msg/{msg_id}/endpoint
v1.message-attempt.resend                          POST   /app/{app_id}/msg/{msg_id}/endpoint/{endpoint_id}/resend

v1.operational-webhook.endpoint.list               GET    /operational-webhook/endpoint
v1.operational-webhook.endpoint.create             POST   /operational-webhook/endpoint
v1.operational-webhook.endpoint.get                GET    /operational-webhook/endpoint/{endpoint_id}
v1.operational-webhook.endpoint.upsert             PUT    /operational-webhook/endpoint/{endpoint_id}
v1.operational-webhook.endpoint.delete             DELETE /operational-webhook/endpoint/{endpoint_id}
v1.operational-webhook.endpoint.get-secret         GET    /operational-webhook/endpoint/{endpoint_id}/secret
v1.operational-webhook.endpoint.rotate-secret      POST   /operational-webhook/endpoint/{endpoint_id}/secret/rotate
v1.operational-webhook.endpoint.get-headers        GET    /operational-webhook/endpoint/{endpoint_id}/headers
v1.operational-webhook.endpoint.set-headers        PUT    /operational-webhook/endpoint/{endpoint_id}/headers

v1.statistics.aggregate-event-types                PUT    /stats/usage/event-types
v1.statistics.aggregate-app-stats                  POST   /stats/usage/app
v1.statistics.endpoint-count                       GET    /stats/endpoint/count
v1.stats.app-attempts                              GET    /stats/app/{app_id}/attempt
`)

// operation is one of the API's operations.
type operation struct {
	id     string
	method string
	path   string // below /api/v1, with parameters in braces
}

func parseOperations(table string) map[string]operation {
	parsed := map[string]operation{}
	for line := range strings.Lines(table) {
		if columns := strings.Fields(line); len(columns) == 3 {
			parsed[columns[0]] = operation{id: columns[0], method: columns[1], path: columns[2]}
		}
	}
	return parsed
}

// key is what makes two operations the same, whatever their path's parameters are called.
func (o operation) key() string {
	parts := strings.Split(o.path, "/")
	for i, part := range parts {
		if strings.HasPrefix(part, "{") {
			parts[i] = "{}"
		}
	}
	return o.method + " " + strings.Join(parts, "/")
}

// fits reports whether a request's path, below /api/v1, is one of the operation's, and how many of its parts are literal.
func (o operation) fits(path string) (literal int, ok bool) {
	want, have := strings.Split(o.path, "/"), strings.Split(strings.TrimRight(path, "/"), "/")
	if len(want) != len(have) {
		return 0, false
	}
	for i, part := range want {
		switch {
		case strings.HasPrefix(part, "{"):
		case part == have[i]:
			literal++
		default:
			return 0, false
		}
	}
	return literal, true
}
