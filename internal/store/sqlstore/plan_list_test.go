package sqlstore

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// TestListPlans goes through every combination of filters of the lists that can be narrowed.
func TestListPlans(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, list := range []struct {
		name      string
		shelf     func(store.MessageFilter) shelf
		standings [][]any
		plain     string // index without a filter
		byType    string
		rows      []*query
	}{
		{
			"messages", func(f store.MessageFilter) shelf { return messageShelf("app", f) }, [][]any{nil},
			"COVERING INDEX message_by_app (app_id=? AND id>? AND id<?)", "COVERING INDEX message_by_type (app_id=? AND event_type=? AND id>? AND id<?)",
			[]*query{messagesByID([]key{{id: "msg"}}, true), messagesByID([]key{{id: "msg"}}, false)},
		},
		{
			"messages of an endpoint", func(f store.MessageFilter) shelf { return deliveryShelf("ep", f) },
			[][]any{nil, {posthorn.Delivered}, {posthorn.Failed, posthorn.Cancelled}},
			"", "COVERING INDEX delivery_by_endpoint (endpoint_id=? AND event_type=? AND state=? AND message_id>? AND message_id<?)",
			[]*query{endpointMessagesByID("ep", []key{{id: "msg"}}, true), endpointMessagesByID("ep", []key{{id: "msg"}}, false)},
		},
		{
			"attempts of an endpoint", func(f store.MessageFilter) shelf {
				return attemptShelf(store.AttemptFilter{EndpointID: "ep", Channel: f.Channel, Tag: f.Tag})
			}, [][]any{nil, {success}, {noResponse, 1, 2}},
			"", "INDEX attempt_by_endpoint (endpoint_id=? AND event_type=? AND outcome=? AND id>? AND id<?)",
			[]*query{attemptsByRow([]key{{row: 1}})},
		},
	} {
		for _, types := range [][]string{nil, {"a"}, {"a", "b"}} {
			for _, standings := range list.standings {
				for _, f := range []store.MessageFilter{{}, {Channel: "eu"}, {Tag: "x"}, {Channel: "eu", Tag: "x"}} {
					t.Run(fmt.Sprintf("%s by %v, %v, channel %q and tag %q come from an index in order", list.name, types, standings, f.Channel, f.Tag), func(t *testing.T) {
						t.Parallel()
						index, h := list.byType, head{eventType: "a", standing: "b"}
						switch {
						case f.Channel != "" || f.Tag != "":
							index = "PRIMARY KEY (owner_id=? AND kind=? AND name=? AND event_type=? AND standing=? AND item_id>? AND item_id<?)"
						case list.plain != "" && types == nil:
							index, h = list.plain, head{}
						}
						shelf, within := list.shelf(f), extent{"a", "z"}
						for _, descending := range []bool{false, true} {
							if shelf.standing != "" {
								w := wanted{eventTypes: types, standings: standings}
								requirePlan(t, s, shelf.heads(w, within, descending), index)
								requirePlan(t, s, shelf.each("count(*)", w, within), index)
							}
							r := shelf.run(h)
							requirePlan(t, s, r.keys(within, descending, 51), index)
							requirePlan(t, s, r.count(within, 51), index)
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

func TestExtentIsWhereAPageCanLie(t *testing.T) {
	t.Parallel()
	low, high := "msg_", "msg_~"
	for _, c := range []struct {
		page store.Page
		want extent
	}{
		{store.Page{}, extent{low, high}},
		{store.Page{After: "msg_5"}, extent{"msg_5!", high}},
		{store.Page{After: "msg_5", Descending: true}, extent{low, "msg_5"}},
		{store.Page{After: "msg_5", Backward: true}, extent{low, "msg_5"}},
		{store.Page{After: "msg_5", Descending: true, Backward: true}, extent{"msg_5!", high}},
		{store.Page{After: "x", Descending: true}, extent{low, high}},
		{store.Page{After: "a"}, extent{low, high}},
	} {
		require.Equal(t, c.want, extentOf(posthorn.MessageID, store.Window{}, c.page), "%+v", c.page)
	}
}
