package main

import (
	"fmt"
	"net/url"
	"time"

	"github.com/posthorn/posthorn"
)

// listing is one list with one combination of filters.
type listing struct {
	list    string
	filter  string // for people
	path    string
	query   url.Values
	kind    posthorn.IDKind // of its iterators
	matches int             // how many items there are to list; -1 if that isn't known
	counts  bool            // it answers a number instead of a page
}

const pageSize = 50

// listings are all lists with all filters, in all pairs that a list has, and what they have to find.
func listings(d *data) []listing {
	n := d.messages
	var all []listing
	add := func(list, path string, kind posthorn.IDKind, filter string, matches int, query ...string) {
		q := url.Values{}
		for i := 0; i < len(query); i += 2 {
			q.Add(query[i], query[i+1])
		}
		all = append(all, listing{list: list, filter: filter, path: path, query: q, kind: kind, matches: matches})
	}
	add("applications", "/app", posthorn.ApplicationID, "", crowd+3)
	add("endpoints", "/app/"+d.wideApp+"/endpoint", posthorn.EndpointID, "", crowd)
	add("event types", "/event-type", "", "", d.eventTypesListed)
	add("destinations of a message with 10,000", "/app/"+d.wideApp+"/msg/"+d.wideMessage+"/endpoint", posthorn.EndpointID, "", crowd)

	day := func(shift time.Duration) string { return d.oldest.Add(period/2 + shift).UTC().Format(time.RFC3339) }
	type narrowing struct {
		filter  string
		matches int // of the application's messages; -1 if that isn't worth counting
		query   []string
	}
	window := []string{"after", day(-12 * time.Hour), "before", day(12 * time.Hour)}
	messages := []narrowing{
		{"none", n, nil},
		{"event type of 60 %", n * 12 / 20, []string{"event_types", "order.created"}},
		{"event type of 1 message", 1, []string{"event_types", "audit.rare"}},
		{"event type of no message", 0, []string{"event_types", "audit.never"}},
		{"three event types", -1, []string{"event_types", "user.signup,audit.rare,order.updated"}},
		{"300 event types, one of them in use", 1, []string{"event_types", names(299) + "audit.rare"}},
		{"channel of 20 %", -1, []string{"channel", "eu"}},
		{"channel of 1 message", 1, []string{"channel", "rare"}},
		{"channel of no message", 0, []string{"channel", "none"}},
		{"tag of 20 %", -1, []string{"tag", "night"}},
		{"tag of 1 message", 1, []string{"tag", "rare"}},
		{"tag of no message", 0, []string{"tag", "none"}},
		{"a day", n / 30, window},
		{"a day, event type of 1 message", 1, append([]string{"event_types", "audit.rare"}, window...)},
		{"a day, channel of 20 %", -1, append([]string{"channel", "eu"}, window...)},
		{"event type of 60 %, channel of 20 %", -1, []string{"event_types", "order.created", "channel", "eu"}},
		{"event type of 60 %, channel of 1 message", 0, []string{"event_types", "order.created", "channel", "rare"}},
		{"event type of 1 message, channel of 20 %", 0, []string{"event_types", "audit.rare", "channel", "eu"}},
		{"channel of 20 %, tag of 20 %", n / 10, []string{"channel", "eu", "tag", "night"}},
		{"channel of 1 message, tag of 20 %", 0, []string{"channel", "rare", "tag", "night"}},
		{"event type of 60 %, tag of 20 %", -1, []string{"event_types", "order.created", "tag", "night"}},
		{"event type of 10 % and channel of 20 % that never meet", 0, []string{"event_types", "invoice.paid", "channel", "eu"}},
		{"channel of 20 % and tag of 10 % that never meet", 0, []string{"channel", "eu", "tag", "batch"}},
	}
	for _, m := range messages {
		add("messages", "/app/"+d.app+"/msg", posthorn.MessageID, m.filter, m.matches, m.query...)
	}
	states := []narrowing{
		{"status of 95 %", -1, []string{"status", "0"}},
		{"status of 5 %", -1, []string{"status", "2"}},
		{"status of a few messages", -1, []string{"status", "3"}},
		{"status of 5 %, event type of 60 %", -1, []string{"status", "2", "event_types", "order.created"}},
		{"status of 5 %, event type of 5 %, never met", 0, []string{"status", "2", "event_types", "user.signup"}},
		{"status of 5 %, channel of 20 %", -1, []string{"status", "2", "channel", "eu"}},
		{"status of a few messages, channel of 20 %", -1, []string{"status", "3", "channel", "eu"}},
		{"status of 5 %, channel of 1 message", 0, []string{"status", "2", "channel", "rare"}},
		{"status of a few messages, tag of 20 %", -1, []string{"status", "3", "tag", "night"}},
		{"a day, status of 5 %", -1, append([]string{"status", "2"}, window...)},
		{"status of 5 % and tag of 10 % that never meet", 0, []string{"status", "2", "tag", "batch"}},
	}
	ep := d.endpoints[0]
	for _, m := range append(messages, states...) {
		add("messages of an endpoint", "/app/"+d.app+"/endpoint/"+ep+"/msg", posthorn.MessageID, m.filter, m.matches, m.query...)
	}
	outcomes := []narrowing{
		{"status of 95 %", -1, []string{"status", "0"}},
		{"status of 5 %", -1, []string{"status", "2"}},
		{"class of 95 %", -1, []string{"status_code_class", "200"}},
		{"class of 2 %", -1, []string{"status_code_class", "500"}},
		{"class of no response", -1, []string{"status_code_class", "0"}},
		{"class of 1 attempt", 1, []string{"status_code_class", "300"}},
		{"class of no attempt", 0, []string{"status_code_class", "100"}},
		{"status and class that exclude each other", 0, []string{"status", "0", "status_code_class", "500"}},
		{"status of 5 %, event type of 60 %", -1, []string{"status", "2", "event_types", "order.created"}},
		{"status of 5 %, event type of 5 %, never met", 0, []string{"status", "2", "event_types", "user.signup"}},
		{"class of 1 attempt, event type of 60 %", 0, []string{"status_code_class", "300", "event_types", "order.created"}},
		{"status of 5 %, channel of 20 %", -1, []string{"status", "2", "channel", "eu"}},
		{"class of 1 attempt, channel of 20 %", 0, []string{"status_code_class", "300", "channel", "eu"}},
		{"status of 5 %, tag of 1 message", 1, []string{"status", "2", "tag", "rare"}},
		{"a day, status of 5 %", -1, append([]string{"status", "2"}, window...)},
		{"status of 5 % and tag of 10 % that never meet", 0, []string{"status", "2", "tag", "batch"}},
	}
	for _, m := range append(messages, outcomes...) {
		add("attempts at an endpoint", "/app/"+d.app+"/attempt/endpoint/"+ep, posthorn.AttemptID, m.filter, m.matches, m.query...)
	}
	for _, m := range []narrowing{{"none", 10 * eventTypes, nil}, {"event type", 10, []string{"event_types", "type.7"}}} {
		add("messages of an endpoint with 300 event types", "/app/"+d.variedApp+"/endpoint/"+d.variedEndpoint+"/msg", posthorn.MessageID, m.filter, m.matches, m.query...)
		add("attempts at an endpoint with 300 event types", "/app/"+d.variedApp+"/attempt/endpoint/"+d.variedEndpoint, posthorn.AttemptID, m.filter, m.matches, m.query...)
	}
	for _, m := range []narrowing{
		{"none", 3, nil},
		{"an endpoint", 1, []string{"endpoint_id", ep}},
		{"status, channel", 3, []string{"status", "2", "channel", "rare"}},
	} {
		add("attempts of a message", "/app/"+d.app+"/attempt/msg/"+d.middle.ID, posthorn.AttemptID, m.filter, m.matches, m.query...)
	}
	for _, m := range []narrowing{
		{"none", crowd, nil},
		{"an endpoint", 1, []string{"endpoint_id", fmt.Sprintf("ep_%025d0", crowd/2)}},
		{"status of none", 0, []string{"status", "2"}},
	} {
		add("attempts of a message with 10,000", "/app/"+d.wideApp+"/attempt/msg/"+d.wideMessage, posthorn.AttemptID, m.filter, m.matches, m.query...)
	}
	for _, m := range []narrowing{
		{"none", n, nil},
		{"status of 5 %", n / 20, []string{"status", "2"}},
		{"event type of 1 message", 1, []string{"event_types", "audit.rare"}},
		{"channel of 20 %", -1, []string{"channel", "eu"}},
		{"status of 5 %, channel of 20 %", -1, []string{"status", "2", "channel", "eu"}},
	} {
		add("count of attempts at an endpoint", "/app/"+d.app+"/attempt/endpoint/"+ep+"/count", posthorn.AttemptID, m.filter, m.matches, m.query...)
		all[len(all)-1].counts = true
	}
	return all
}

// names are event types that no message has, each followed by a comma.
func names(n int) (list string) {
	for i := range n {
		list += fmt.Sprintf("type.%d,", i)
	}
	return list
}
