package sqlstore

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

// TestTallyPlans keeps statistics to ranges of indexes that hold nothing but what is counted, whatever is asked for.
func TestTallyPlans(t *testing.T) {
	t.Parallel()
	s := open(t)
	within := extent{"a", "z"}
	runs := []tally{{"ep", "a", int64(success), 9}, {"ep", "b", int64(1), 9}}
	for name, kind := range map[string]struct {
		counted func(endpoints *query, eventTypes []string) *countable
		index   string
		run     string
	}{
		"attempts": {
			// SQLite does not see that an index with a computed column covers a query. It reads no row either: nothing asks for one.
			countedAttempts, "COVERING INDEX attempt_by_endpoint ", "INDEX attempt_by_endpoint (endpoint_id=? AND event_type=? AND outcome=? AND id>? AND id<?)",
		},
		"deliveries": {
			func(endpoints *query, eventTypes []string) *countable {
				return countedDeliveries(endpoints, eventTypes, posthorn.Cancelled)
			},
			"COVERING INDEX delivery_by_endpoint ", "COVERING INDEX delivery_by_endpoint (endpoint_id=? AND event_type=? AND state=? AND message_id>? AND message_id<?)",
		},
	} {
		for _, types := range [][]string{nil, {"a", "b"}} {
			for whose, owners := range map[string]*query{"an endpoint": oneEndpoint("ep"), "an application": everyEndpoint("app")} {
				c := kind.counted(owners, types)
				queries := map[string]*query{
					"counted": c.tallies(within, 0), "counted up to a limit": c.tallies(within, 10),
					"counted by period": c.inPeriods(runs, []string{"a", "b", "c"}), "read": c.items(runs, within),
				}
				for how, q := range queries {
					t.Run(fmt.Sprintf("%s of %s and the types %v are %s in index ranges", name, whose, types, how), func(t *testing.T) {
						t.Parallel()
						steps := plan(t, s, q)
						require.Contains(t, steps, kind.run)
						for step := range strings.Lines(steps) {
							step = strings.TrimSuffix(step, "\n")
							switch {
							case strings.HasPrefix(step, "SCAN"):
								require.Regexp(t, "^SCAN (type|t|e|endpoints|CONSTANT ROW)$| VIRTUAL TABLE |^SCAN (part|.subquery)", step, "in\n%s", steps)
							case strings.HasPrefix(step, "SEARCH x"):
								// Event types are skipped through; nothing else reads less than a whole range.
								skips := []string{kind.index + "(endpoint_id=?)", kind.index + "(endpoint_id=? AND event_type>?)"}
								if len(types) > 0 || !strings.HasPrefix(how, "counted") || how == "counted by period" {
									skips = nil
								}
								require.Contains(t, append(skips, kind.run), strings.TrimPrefix(step, "SEARCH x USING "), "in\n%s", steps)
							case strings.HasPrefix(step, "SEARCH"):
								require.Contains(t, step, "endpoint_ever (app_id=?)")
							}
						}
						if how != "counted by period" { // which sorts sums, not what they are of
							require.NotContains(t, steps, "TEMP B-TREE")
						}
					})
				}
			}
		}
	}
}
