package sqlite

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// TestListPlans goes through every combination of filters of the lists that can be narrowed, and through every index
// that a combination can be read from, whichever is the shortest on a day.
func TestListPlans(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	for _, list := range []struct {
		name      string
		shelf     shelf
		standings [][]any
		plain     string // index without a filter
		byType    string
		rows      []*query
	}{
		{
			"messages", messageShelf(), [][]any{nil},
			"COVERING INDEX message_by_app (app_id=? AND id>? AND id<?)", "COVERING INDEX message_by_type (app_id=? AND event_type=? AND id>? AND id<?)",
			[]*query{messagesByID([]key{{id: "msg"}}, true), messagesByID([]key{{id: "msg"}}, false)},
		},
		{
			"messages of an endpoint", deliveryShelf(), [][]any{nil, {posthorn.Delivered}, {posthorn.Failed, posthorn.Cancelled}},
			"", "COVERING INDEX delivery_by_endpoint (endpoint_id=? AND event_type=? AND state=? AND message_id>? AND message_id<?)",
			[]*query{endpointMessagesByID("ep", []key{{id: "msg"}}, true), endpointMessagesByID("ep", []key{{id: "msg"}}, false)},
		},
		{
			"attempts of an endpoint", attemptShelf(), [][]any{nil, {success}, {noResponse, 1, 2}},
			"", "INDEX attempt_by_endpoint (endpoint_id=? AND event_type=? AND outcome=? AND id>? AND id<?)",
			[]*query{attemptsByRow([]key{{row: 1}})},
		},
	} {
		for _, types := range [][]string{nil, {"a"}, {"a", "b"}} {
			for _, standings := range list.standings {
				for _, narrow := range []labels{nil, {{channel, "eu"}}, {{tag, "x"}}, {{channel, "eu"}, {tag, "x"}}} {
					w := wanted{owner: "owner", eventTypes: types, standings: standings, labels: narrow}
					t.Run(fmt.Sprintf("%s by %v, %v and %v come from an index in order", list.name, types, standings, narrow), func(t *testing.T) {
						t.Parallel()
						byType := list.byType
						if list.plain != "" && len(types) == 0 {
							byType = list.plain
						}
						for _, descending := range []bool{false, true} {
							within := stretch{"a", "z"}
							if list.shelf.standing != "" {
								requirePlan(t, s, list.shelf.heads(w, within, descending), byType)
							}
							r := list.shelf.run(w, head{eventType: "a", standing: "b"})
							requirePlan(t, s, r.keys(within, descending, 51), byType)
							requirePlan(t, s, r.count(within, 51), byType)
							for i := range narrow {
								r := list.shelf.byLabel(w, i)
								requirePlan(t, s, r.keys(within, descending, 51), "PRIMARY KEY (owner_id=? AND kind=? AND name=? AND item_id>? AND item_id<?)")
								requirePlan(t, s, r.count(within, 51), "PRIMARY KEY (owner_id=? AND kind=? AND name=? AND item_id>? AND item_id<?)")
							}
						}
					})
				}
			}
		}
		for _, q := range list.rows {
			requirePlan(t, s, q)
		}
	}
}

func TestStretchIsWhereAPageCanLie(t *testing.T) {
	t.Parallel()
	low, high := "msg_", "msg_~"
	for _, c := range []struct {
		page store.Page
		want stretch
	}{
		{store.Page{}, stretch{low, high}},
		{store.Page{After: "msg_5"}, stretch{"msg_5!", high}},
		{store.Page{After: "msg_5", Descending: true}, stretch{low, "msg_5"}},
		{store.Page{After: "msg_5", Backward: true}, stretch{low, "msg_5"}},
		{store.Page{After: "msg_5", Descending: true, Backward: true}, stretch{"msg_5!", high}},
		{store.Page{After: "x", Descending: true}, stretch{low, high}},
		{store.Page{After: "a"}, stretch{low, high}},
	} {
		require.Equal(t, c.want, stretchOf(posthorn.MessageID, store.Window{}, c.page), "%+v", c.page)
	}
}
