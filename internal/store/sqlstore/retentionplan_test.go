package sqlstore

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRetentionPlans keeps the removal of what is old from reading a whole table while the writer waits.
func TestRetentionPlans(t *testing.T) {
	t.Parallel()
	s := open(t)
	moment := time.Unix(1, 0)
	for name, planned := range map[string]struct {
		query    *query
		contains []string
	}{
		"old messages": {oldMessages("x", "y"), []string{
			"SEARCH m USING INDEX sqlite_autoindex_message_1 (id>? AND id<?)", "SEARCH d USING PRIMARY KEY (message_id=?)", "SEARCH u USING PRIMARY KEY",
		}},
		"their attempts":   {newQuery(attemptsOfMessages, "[]", 1), []string{"(message_id=?)"}},
		"their deliveries": {newQuery(deliveriesOfMessages, "[]", 1), []string{"PRIMARY KEY (message_id=?)"}},
		"deliveries to delete": {newQuery(deleteDeliveries, "[]", "[]"), []string{
			"SEARCH delivery USING PRIMARY KEY (message_id=? AND endpoint_id=?)",
		}},
		"old attempts": {oldAttempts(5, nil), []string{
			"SEARCH a USING INTEGER PRIMARY KEY (rowid>?)", "SEARCH d USING PRIMARY KEY (message_id=? AND endpoint_id=?)", "(id=?)",
		}},
		"old tasks":                    {oldTasks(moment, "x"), []string{"(id>? AND id<?)"}},
		"who refers to an endpoint":    {deletedRows("endpoint", unusedEndpoint, moment, "x"), []string{"delivery_by_endpoint (endpoint_id=?)", "attempt_by_endpoint (endpoint_id=?)"}},
		"who refers to an application": {deletedRows("application", unusedApplication, moment, "x"), []string{"(app_id=?)", "endpoint_ever (app_id=?)"}},
	} {
		t.Run(name+" come from an index", func(t *testing.T) {
			t.Parallel()
			if planned.query.text.String() == deleteDeliveries {
				require.Contains(t, plan(t, s, planned.query), planned.contains[0])
				return
			}
			requirePlan(t, s, planned.query, planned.contains...)
		})
	}
}
