package sqlstore

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// TestQueryPlans keeps every list from reading or sorting a whole table, in both directions and from any position.
func TestQueryPlans(t *testing.T) {
	t.Parallel()
	s := open(t)
	window := store.Window{After: time.Unix(1, 0), Before: time.Unix(2, 0)}
	success := true
	status := 500

	type planned struct {
		name  string
		query func(store.Page) *query
		index []string // what the plan has to use
	}
	lists := []planned{
		{"applications", func(p store.Page) *query { return listApplications("org", p) }, []string{"application_by_org"}},
		{"endpoints", func(p store.Page) *query { return listEndpoints("app", p) }, []string{"endpoint_by_app"}},
		{"routes", func(store.Page) *query { return routes("app") }, []string{"endpoint_by_app"}},
		{"event types", func(p store.Page) *query { return listEventTypes("org", store.EventTypeFilter{}, p) }, []string{"event_type"}},
		{"revocations", func(store.Page) *query { return revocationsOf("org", []string{"token:1"}) }, []string{"PRIMARY KEY (org_id=? AND subject=?)"}},
		{"undispatched", func(store.Page) *query { return undispatched("", time.Unix(1, 0), 10) }, []string{"SEARCH u", "SEARCH m"}},
		{"overdue deliveries", func(store.Page) *query { return overdue(time.Unix(1, 0), 10) }, []string{"delivery_due (next_at<?)"}},
		{"waiting deliveries", func(store.Page) *query { return newQuery(waitingRun, "ep", "paused", behindAll, 10) }, []string{"delivery_open (endpoint_id=? AND waits=? AND message_id<?)"}},
		{"older open deliveries", func(store.Page) *query { return newQuery(waitingRun, "ep", "", "msg", 10) }, []string{"delivery_open (endpoint_id=? AND waits=? AND message_id<?)"}},
		{"waiting deliveries to count", func(store.Page) *query { return countWaiting("ep") }, []string{"COVERING INDEX delivery_open (endpoint_id=? AND waits>?)"}},
		{"deliveries to probe with", func(store.Page) *query { return newQuery(nextProbe, "ep", "circuit_open", "msg") }, []string{"delivery_open (endpoint_id=? AND waits=? AND message_id>?)"}},
		{"open circuits", func(store.Page) *query { return openCircuits() }, []string{"endpoint_health_open (opened_at>?)"}},
		{"deliveries to time anew", func(store.Page) *query { return retrying("ep", "msg", 10) }, []string{"delivery_open (endpoint_id=? AND waits=? AND message_id>?)"}},
		{"endpoints with deliveries to time anew", func(store.Page) *query { return newQuery(endpointsRetrying, "org", "a") },
			[]string{"application_by_org (org_id=?", "(app_id=?", "COVERING INDEX delivery_by_endpoint (endpoint_id=? AND event_type=? AND state=?)"}},
		{"deliveries with a void turn", func(store.Page) *query {
			return newQuery(mistimed, "ep", "throttled", "msg", "ep", "app", 10)
		}, []string{"delivery_open (endpoint_id=? AND waits=? AND message_id>?)"}},
		{"stranded requests", func(store.Page) *query { return stranded(time.Unix(1, 0), 10) }, []string{"flight_by_end (until<?)"}},
		{"attention", func(store.Page) *query { return attentionAfter("ep", 10) }, []string{"PRIMARY KEY (endpoint_id>?)"}},
		{"the first open delivery in order", func(store.Page) *query { return newQuery(firstRow, "ep", "key") }, []string{"delivery_order (endpoint_id=? AND ordering_key=?)"}},
		{"the next ordering key", func(store.Page) *query { return newQuery(nextKey, "ep", "key") }, []string{"delivery_order (endpoint_id=? AND ordering_key>?)"}},
		{"expired claims", func(store.Page) *query { return newQuery(expiredClaims, 1, 10) }, []string{"claim_by_expiry (expires_at<?)"}},
		{"deliveries of a message", func(store.Page) *query { return messageDeliveries("msg") }, []string{"PRIMARY KEY (message_id=?)"}},
		{"a part of the deliveries of a message", func(store.Page) *query { return deliveriesBetween("msg", "ep", "ep") }, []string{"PRIMARY KEY (message_id=? AND endpoint_id>? AND endpoint_id<?)"}},
		{"deliveries of a message, counted", func(store.Page) *query { return deliveryStates("msg") }, []string{"PRIMARY KEY (message_id=?)"}},
		{"destinations", func(p store.Page) *query { return listDestinations("msg", p) }, []string{"PRIMARY KEY (message_id=?"}},
		{"attempts of a message", func(p store.Page) *query {
			return listMessageAttempts(store.AttemptFilter{MessageID: "msg"}, p)
		}, []string{"(message_id=?"}},
		{"attempts of a delivery", func(p store.Page) *query {
			return listMessageAttempts(store.AttemptFilter{MessageID: "msg", EndpointID: "ep"}, p)
		}, []string{"(message_id=?"}},
		{"attempts of a message, narrowed", func(p store.Page) *query {
			return listMessageAttempts(store.AttemptFilter{
				MessageID: "msg", Window: window, Success: &success, StatusClass: &status, EventTypes: []string{"a"}, Channel: "eu", Tag: "x",
			}, p)
		}, []string{"(message_id=? AND id>? AND id<?)"}},
		{"tasks", func(p store.Page) *query {
			return listTasks("org", store.TaskFilter{Window: window, State: posthorn.TaskFailed, Kind: posthorn.RecoverEndpoint}, p)
		}, []string{"task_by_org (org_id=? AND id>? AND id<?)"}},
		{"tasks that have not begun", func(store.Page) *query { return unbegunTasks("", time.Unix(1, 0), 10) }, []string{"task_unbegun (id>? AND id<?)"}},
		{"messages that were sent", func(store.Page) *query { return everSent("ep", []string{"msg"}) }, []string{
			"PRIMARY KEY (message_id=? AND endpoint_id=?)", "u USING PRIMARY KEY (message_id=?)",
		}},
		{"last outcomes", func(store.Page) *query { return lastOutcomes("ep", []string{"msg"}) }, []string{"a USING INDEX sqlite_autoindex_attempt_1 (message_id=?)"}},
		{"tasks that stall", func(store.Page) *query { return stalledTasks("", time.Unix(1, 0), 10) }, []string{"task_running (id>?)"}},
		{"expired payloads", func(store.Page) *query { return expiredPayloads(time.Unix(1, 0)) }, []string{"message_payload_by_expiry (expires_at<?)"}},
		{"payloads to purge", func(store.Page) *query { return purgeablePayloads("app", "", "x") }, []string{"message_by_app (app_id=? AND id>? AND id<?)", "p USING INTEGER PRIMARY KEY"}},
		{"destinations to count", func(store.Page) *query { return countDestinations("app", "", "x", 10) }, []string{"message_by_app (app_id=? AND id>? AND id<?)", "PRIMARY KEY (message_id=?)"}},
	}
	for _, list := range lists {
		t.Run(list.name+" come from an index in order", func(t *testing.T) {
			t.Parallel()
			for _, page := range []store.Page{
				{Limit: 50}, {Limit: 50, Descending: true}, {Limit: 50, After: "x"}, {Limit: 50, After: "x", Backward: true},
			} {
				requirePlan(t, s, list.query(page), list.index...)
			}
		})
	}
}

// requirePlan demands that SQLite looks up the query in indexes, sorts nothing and reads no table from end to end.
func requirePlan(t *testing.T, s *Session, q *query, indexes ...string) {
	t.Helper()
	steps := plan(t, s, q)
	for _, index := range indexes {
		require.Contains(t, steps, index, q.text.String())
	}
	require.NotContains(t, steps, "TEMP B-TREE", q.text.String())
	for step := range strings.Lines(steps) {
		if strings.HasPrefix(step, "SCAN") {
			require.Regexp(t, " VIRTUAL TABLE |CONSTANT ROW|^SCAN known\n|^SCAN (part|.subquery)", step, "%s\nin\n%s", q.text.String(), steps)
		}
	}
}

// plan returns SQLite's plan, a step a line.
func plan(t *testing.T, s *Session, q *query) string {
	t.Helper()
	type step struct {
		id, parent, unused int
		detail             string
	}
	fields := func(s *step) []any { return []any{&s.id, &s.parent, &s.unused, &s.detail} }
	steps, err := all(t.Context(), s, fields, "EXPLAIN QUERY PLAN "+q.text.String(), q.args...)
	require.NoError(t, err)
	var text strings.Builder
	for _, step := range steps {
		text.WriteString(step.detail + "\n")
	}
	return text.String()
}
