package sqlstore

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/store"
)

// TestPollingPlans keeps polling and counting endpoints from reading or sorting a whole table.
func TestPollingPlans(t *testing.T) {
	t.Parallel()
	s := open(t)
	narrow := store.StreamFilter{EventTypes: [][]string{{"a"}, {"b"}}, Channels: [][]string{{"eu"}, {"vip"}}}
	for name, planned := range map[string]struct {
		query    *query
		contains []string
	}{
		"the reach of a stream": {
			query: newQuery(streamReach(""), "app", 5, 10), contains: []string{"COVERING INDEX message_stream (app_id=? AND rowid>?)"}},
		"a stream": {
			query: streamed("app", 5, 9, store.Position{}, store.StreamFilter{}, 10), contains: []string{"message_stream (app_id=? AND rowid>? AND rowid<?)"}},
		"a stream, narrowed": {
			query: streamed("app", 5, 9, store.Position{After: time.Unix(1, 0)}, narrow, 10), contains: []string{"message_stream (app_id=? AND rowid>? AND rowid<?)"}},
		"the end of a stream":                    {query: newQuery(newestMessage(""), "app"), contains: []string{"message_stream (app_id=?)"}},
		"where a moment lies in it":              {query: newQuery(streamAfter, "app", "msg"), contains: []string{"COVERING INDEX", "(app_id=? AND id<?)"}},
		"pollers":                                {query: listPollers("app", store.Page{Limit: 10}), contains: []string{"poller_by_app (app_id=?)"}},
		"endpoints of an organisation":           {query: countEndpoints("org", []string{"x"}), contains: []string{"application_by_org (org_id=?)", "SEARCH e "}},
		"active applications of an organisation": {query: countActiveApplications("org", true, []string{"x"}), contains: []string{"application_by_org (org_id=?)", "SEARCH e "}},
	} {
		t.Run(name+" comes from an index", func(t *testing.T) {
			t.Parallel()
			steps := plan(t, s, planned.query)
			for _, step := range planned.contains {
				require.Contains(t, steps, step)
			}
			require.NotContains(t, steps, "TEMP B-TREE")
			for step := range strings.Lines(steps) {
				if strings.HasPrefix(step, "SCAN") {
					require.Regexp(t, " VIRTUAL TABLE |CONSTANT ROW|^SCAN part|subquery", step, "in\n%s", steps)
				}
			}
		})
	}
}
