package sqlite

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
	s := open(t, Options{})
	window := store.Window{After: time.Unix(1, 0), Before: time.Unix(2, 0)}
	channel := store.MessageFilter{Window: window, Channel: "eu", EventTypes: []string{"a"}}
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
		{"messages", func(p store.Page) *query { return listMessages("app", store.MessageFilter{WithPayload: true}, p) },
			[]string{"message_by_app", "p USING INTEGER PRIMARY KEY"}},
		{"messages, narrowed", func(p store.Page) *query { return listMessages("app", channel, p) }, []string{"message_by_app (app_id=? AND id>? AND id<?)"}},
		{"undispatched", func(store.Page) *query { return undispatched("", time.Unix(1, 0), 10) }, []string{"SEARCH u", "SEARCH m"}},
		{"expired claims", func(store.Page) *query { return newQuery(expiredClaims, 1, 10) }, []string{"claim_by_expiry (expires_at<?)"}},
		{"deliveries of a message", func(store.Page) *query { return messageDeliveries("msg") }, []string{"PRIMARY KEY (message_id=?)"}},
		{"destinations", func(p store.Page) *query { return listDestinations("msg", p) }, []string{"PRIMARY KEY (message_id=?"}},
		{"messages of an endpoint", func(p store.Page) *query {
			return listEndpointMessages("ep", store.EndpointMessageFilter{MessageFilter: store.MessageFilter{WithPayload: true}}, p)
		}, []string{"delivery_by_endpoint (endpoint_id=? AND state=?"}},
		{"messages of an endpoint, narrowed", func(p store.Page) *query {
			return listEndpointMessages("ep", store.EndpointMessageFilter{
				MessageFilter: channel, States: []posthorn.DeliveryState{posthorn.Failed, posthorn.Held},
			}, p)
		}, []string{"delivery_by_endpoint (endpoint_id=? AND state=? AND message_id>? AND message_id<?)"}},
		{"attempts of a message", func(p store.Page) *query {
			return listAttempts(store.AttemptFilter{MessageID: "msg"}, p)
		}, []string{"(message_id=?"}},
		{"attempts of a delivery", func(p store.Page) *query {
			return listAttempts(store.AttemptFilter{MessageID: "msg", EndpointID: "ep"}, p)
		}, []string{"(message_id=?"}},
		{"attempts of an endpoint", func(p store.Page) *query {
			return listAttempts(store.AttemptFilter{EndpointID: "ep"}, p)
		}, []string{"attempt_by_endpoint (endpoint_id=?"}},
		{"attempts of an endpoint, narrowed", func(p store.Page) *query {
			return listAttempts(store.AttemptFilter{
				EndpointID: "ep", Window: window, Success: &success, StatusClass: &status, EventTypes: []string{"a"}, Channel: "eu",
			}, p)
		}, []string{"attempt_by_endpoint (endpoint_id=? AND id>? AND id<?)"}},
	}
	for _, list := range lists {
		t.Run(list.name+" come from an index in order", func(t *testing.T) {
			t.Parallel()
			for _, page := range []store.Page{
				{Limit: 50}, {Limit: 50, Descending: true}, {Limit: 50, After: "x"}, {Limit: 50, After: "x", Backward: true},
			} {
				steps := plan(t, s, list.query(page))
				for _, index := range list.index {
					require.Contains(t, steps, index)
				}
				require.NotContains(t, steps, "TEMP B-TREE")
				for step := range strings.Lines(steps) {
					if strings.HasPrefix(step, "SCAN") {
						require.Regexp(t, " VIRTUAL TABLE |CONSTANT ROW", step, "in\n%s", steps)
					}
				}
			}
		})
	}
}

// plan returns SQLite's plan, a step a line.
func plan(t *testing.T, s *Store, q *query) string {
	t.Helper()
	type step struct {
		id, parent, unused int
		detail             string
	}
	fields := func(s *step) []any { return []any{&s.id, &s.parent, &s.unused, &s.detail} }
	steps, err := all(t.Context(), &s.cached, fields, "EXPLAIN QUERY PLAN "+q.text.String(), q.args...)
	require.NoError(t, err)
	var text strings.Builder
	for _, step := range steps {
		text.WriteString(step.detail + "\n")
	}
	return text.String()
}
