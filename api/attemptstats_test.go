package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// attempted stores an attempt at a message, as made at a moment.
func (b *bundle) attempted(app, msg, ep, eventType string, success bool, at time.Time) {
	b.t.Helper()
	_, err := b.store.Record(b.t.Context(), store.Record{MessageID: msg, AppID: app, Attempts: []posthorn.Attempt{{
		ID: posthorn.AttemptID.Floor(at), MessageID: msg, AppID: app, EndpointID: ep, EventType: eventType, Trigger: posthorn.Automatic,
		URL: "https://e.com", StartedAt: at, Success: success, Status: 200, NextAt: at.Add(time.Hour),
	}}})
	require.NoError(b.t, err)
}

func moment(t time.Time) string { return url.QueryEscape(t.UTC().Format(time.RFC3339Nano)) }

func TestAttemptStatistics(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app, other := b.application(), b.application()
	ep := b.endpoint(app, `{"url":"https://e.com"}`)
	now := time.Now()
	send := func(eventType string) string { return b.message(app, `{"eventType":"`+eventType+`","payload":{}}`) }
	one, two := send("a"), send("b")
	b.attempted(app, one, ep, "a", false, now.Add(-30*day))
	b.attempted(app, one, ep, "a", false, now.Add(-2*time.Hour))
	b.attempted(app, one, ep, "a", true, now.Add(-time.Hour))
	b.attempted(app, two, ep, "b", false, now.Add(-time.Minute))
	cancelled := send("b")
	_, err := b.store.Record(t.Context(), store.Record{MessageID: cancelled, AppID: app, Closed: []posthorn.Delivery{{MessageID: cancelled, EndpointID: ep, State: posthorn.Cancelled}}})
	require.NoError(t, err)
	pending := send("c")
	_, err = b.store.Record(t.Context(), store.Record{MessageID: pending, AppID: app, Pending: []string{ep}})
	require.NoError(t, err)

	own, err := b.tokens.Application(posthorn.DefaultOrg, app)
	require.NoError(t, err)
	foreign, err := b.tokens.Application(posthorn.DefaultOrg, other)
	require.NoError(t, err)
	names := strings.NewReplacer("{app}", app, "{ep}", ep, "{other}", other, "{now}", moment(time.Now()), "{future}", moment(now.Add(time.Hour)),
		"{90m}", moment(now.Add(-90*time.Minute)), "{27d}", moment(now.Add(-27*day)), "{28d}", moment(now.Add(-28*day)), "{29d}", moment(now.Add(-29*day)),
		"{31d}", moment(now.Add(-31*day)), "{8d}", moment(now.Add(-8*day)), "{7d}", moment(now.Add(-7*day)))
	endpoint, byType, series := "/app/{app}/endpoint/{ep}/stats", "/app/{app}/stats/attempts", "/stats/app/{app}/attempt"
	scenarios := []scenario{
		{name: "of an endpoint are those of 28 days", path: endpoint, status: 200, contains: []string{`{"success":1,"fail":2,"pending":1,"sending":1,"canceled":1}`}},
		{name: "of an endpoint begin where they are told", path: endpoint + "?since={90m}", status: 200, contains: []string{`"success":1,"fail":1,`}},
		{name: "of an endpoint end where they are told", path: endpoint + "?since={27d}&until={90m}", status: 200, contains: []string{`{"success":0,"fail":1,"pending":0,"sending":0,"canceled":0}`}},
		{name: "of an endpoint may lie in the past", path: endpoint + "?until={29d}", status: 200, contains: []string{`"success":0,"fail":1,`}},
		{name: "of an endpoint may be asked for by its application", token: own, path: endpoint, status: 200},
		{name: "of an endpoint may not be asked for by another", token: foreign, path: endpoint, status: 404},
		{name: "of an endpoint cover 28 days", path: endpoint + "?since={28d}", status: 200},
		{name: "of an endpoint cover no more than 28 days", path: endpoint + "?since={29d}", status: 400, contains: []string{`"code":"invalid_range"`}},
		{name: "of an endpoint are not foretold", path: endpoint + "?until={future}", status: 400, contains: []string{`"code":"invalid_range"`}},
		{name: "of an endpoint don't end before they begin", path: endpoint + "?since={90m}&until={27d}", status: 400, contains: []string{`"code":"invalid_range"`}},
		{name: "of an endpoint that there isn't are not found", path: "/app/{other}/endpoint/{ep}/stats", status: 404},
		{name: "of an endpoint need moments", path: endpoint + "?since=x", status: 400},

		{name: "of an application come by event type", path: byType + "?since={27d}&until={now}", status: 200, contains: []string{
			`"by_event_type":{"a":{"success":1,"failure":1,"canceled":0},"b":{"success":0,"failure":1,"canceled":1}}`,
			`"total_success":1`, `"total_failure":2`, `"total_canceled":1`, `"since":"`, `"until":"`}},
		{name: "of an application can be narrowed", path: byType + "?since={27d}&until={now}&event_types[]=b&event_types[]=x", status: 200, contains: []string{
			`"by_event_type":{"b":{"success":0,"failure":1,"canceled":1}}`, `"total_failure":1`}},
		{name: "of an application that has none are empty", path: "/app/{other}/stats/attempts?since={27d}&until={now}", status: 200, contains: []string{`"by_event_type":{}`, `"total_success":0`}},
		{name: "of an application may be asked for by itself", token: own, path: byType + "?since={27d}&until={now}", status: 200},
		{name: "of an application may not be asked for by another", token: foreign, path: byType + "?since={27d}&until={now}", status: 404},
		{name: "of an application need a beginning", path: byType + "?until={now}", status: 400, contains: []string{"since"}},
		{name: "of an application need an end", path: byType + "?since={27d}", status: 400, contains: []string{"until"}},
		{name: "of an application cover no more than 28 days", path: byType + "?since={29d}&until={now}", status: 400, contains: []string{`"code":"invalid_range"`}},
		{name: "of an application are not foretold", path: byType + "?since={27d}&until={future}", status: 400, contains: []string{`"code":"invalid_range"`}},
		{name: "of an application need names", path: byType + "?since={27d}&until={now}&event_types=%20a", status: 422, contains: []string{`"loc":["query","event_types","0"]`}},

		{name: "in time need a known period", path: series + "?period=OneYear", status: 400, contains: []string{"period", "FiveMinutes"}},
		{name: "in time cover no more than 28 days", path: series + "?startDate={29d}", status: 400, contains: []string{`"code":"invalid_range"`}},
		{name: "in time have a week of five minutes", path: series + "?startDate={7d}&period=FiveMinutes", status: 200},
		{name: "in time have no more than a week of five minutes", path: series + "?startDate={8d}&period=FiveMinutes", status: 400, contains: []string{`"code":"invalid_range"`}},
		{name: "in time are not foretold", path: series + "?endDate={future}", status: 400, contains: []string{`"code":"invalid_range"`}},
		{name: "in time may be asked for by the application", token: own, path: series, status: 200},
		{name: "in time may not be asked for by another", token: foreign, path: series, status: 404},
	}
	for i := range scenarios {
		scenarios[i].method = "GET"
	}
	b.run(t, names, scenarios)

	t.Run("in time have a number for every period", func(t *testing.T) {
		for query, length := range map[string]time.Duration{"": day, "?period=OneHour": time.Hour, "?period=FiveMinutes": 5 * time.Minute} {
			r := b.in(t).do("GET", names.Replace(series)+query, "")
			require.Equal(t, http.StatusOK, r.status, r.body)
			var got struct {
				StartDate, EndDate time.Time
				Period             string
				Data               struct{ SuccessCount, FailureCount, CanceledCount []int }
			}
			require.NoError(t, json.Unmarshal([]byte(r.body), &got))
			require.Equal(t, got.StartDate, got.StartDate.Truncate(length))
			require.Equal(t, got.EndDate, got.EndDate.Truncate(length))
			want := int(got.EndDate.Sub(got.StartDate) / length)
			numbers := map[string][]int{"success": got.Data.SuccessCount, "failure": got.Data.FailureCount, "cancelled": got.Data.CanceledCount}
			for name, at := range map[string]time.Time{"success": now.Add(-time.Hour), "failure": now.Add(-2 * time.Hour), "cancelled": now} {
				require.Len(t, numbers[name], want)
				require.Positive(t, numbers[name][at.Sub(got.StartDate)/length], "%s in %s", name, query)
			}
			sum := func(name string) (n int) {
				for _, x := range numbers[name] {
					n += x
				}
				return n
			}
			require.Equal(t, []int{1, 2, 1}, []int{sum("success"), sum("failure"), sum("cancelled")}, query)
		}
	})
}

func TestEndpointCounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	b.application()
	b.endpoint(app, `{"url":"https://e.com"}`)
	b.endpoint(app, `{"url":"https://e.com","disabled":true}`)
	b.endpoint(b.application(), `{"url":"https://e.com","disabled":true}`)
	b.endpoint(b.application(), `{"url":"https://play.svix.com/in/e_1/"}`)
	named := b.must(http.StatusCreated, "POST", "/app", `{"name":"Stats","uid":"stats"}`)
	b.endpoint("stats", `{"url":"https://e.com","uid":"main"}`)
	own, err := b.tokens.Application(posthorn.DefaultOrg, app)
	require.NoError(t, err)
	foreign, err := b.tokens.Organisation("org_other")
	require.NoError(t, err)
	scenarios := []scenario{
		{name: "applications count with an endpoint that is in use", path: "/app/stats/count-active", status: 200, contains: []string{`{"count":2}`}},
		{name: "applications count with a disabled endpoint on demand", path: "/app/stats/count-active?exclude_disabled=false", status: 200, contains: []string{`{"count":3}`}},
		{name: "applications count with an endpoint for trying out on demand", path: "/app/stats/count-active?exclude_svix_play=false", status: 200, contains: []string{`{"count":3}`}},
		{name: "applications of others don't count", token: foreign, path: "/app/stats/count-active", status: 200, contains: []string{`{"count":0}`}},
		{name: "applications can't count one another", token: own, path: "/app/stats/count-active", status: 403},
		{name: "endpoints count", path: "/stats/endpoint/count", status: 200, contains: []string{`{"active":2,"disabled":2}`}},
		{name: "endpoints for trying out count on demand", path: "/stats/endpoint/count?exclude_svix_play=false", status: 200, contains: []string{`{"active":3,"disabled":2}`}},
		{name: "endpoints of others don't count", token: foreign, path: "/stats/endpoint/count", status: 200, contains: []string{`{"active":0,"disabled":0}`}},
		{name: "endpoints can't be counted by an application", token: own, path: "/stats/endpoint/count", status: 403},
		{name: "an application may be called stats", path: "/app/stats", status: 200, contains: []string{`"id":"{named}"`}},
		{name: "an application called stats has endpoints", path: "/app/stats/endpoint", status: 200, contains: []string{`"uid":"main"`}},
		{name: "an application called stats has endpoints with statistics", path: "/app/stats/endpoint/main/stats", status: 200},
		{name: "an application called stats has statistics", path: "/app/stats/stats/attempts?since={then}&until={now}", status: 200},
		{name: "an application called stats has events", path: "/app/stats/events", status: 200},
	}
	for i := range scenarios {
		scenarios[i].method = "GET"
	}
	b.run(t, strings.NewReplacer("{named}", named, "{then}", moment(time.Now().Add(-time.Hour)), "{now}", moment(time.Now())), scenarios)
}
