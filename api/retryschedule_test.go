package api

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

const (
	quickSchedule = `{"retrySchedule":[{"secs":5,"nanos":0},{"secs":0,"nanos":500000000}]}`
	noSchedule    = `{"retrySchedule":null}`
)

// refusedSchedules are bodies that neither an event type nor an endpoint takes.
func refusedSchedules(method, path string) []scenario {
	field := []string{`"loc":["body","retrySchedule"]`}
	var refused []scenario
	for name, body := range map[string]string{
		"refuses 51 waits":                 `{"retrySchedule":[` + strings.Repeat(`{"secs":1,"nanos":0},`, 50) + `{"secs":1,"nanos":0}]}`,
		"refuses no wait at all":           `{"retrySchedule":[{"secs":1,"nanos":0},{"secs":0,"nanos":0}]}`,
		"refuses more than thirty days":    `{"retrySchedule":[{"secs":2592000,"nanos":1}]}`,
		"refuses what overflows":           `{"retrySchedule":[{"secs":18446744073709551615,"nanos":999999999}]}`,
		"refuses what overflows to little": `{"retrySchedule":[{"secs":18446744074,"nanos":0}]}`,
	} {
		refused = append(refused, scenario{name: name, method: method, path: path, body: body, status: 422, contains: field})
	}
	for name, body := range map[string]string{
		"refuses a number":           `{"retrySchedule":[5]}`,
		"refuses a negative wait":    `{"retrySchedule":[{"secs":-1,"nanos":0}]}`,
		"refuses a wait without all": `{"retrySchedule":[{"secs":1}]}`,
		"refuses a whole second":     `{"retrySchedule":[{"secs":1,"nanos":1000000000}]}`,
	} {
		refused = append(refused, scenario{name: name, method: method, path: path, body: body, status: 422, contains: []string{`"body","retrySchedule`}})
	}
	return append(refused, scenario{name: "refuses no body", method: method, path: path, status: 422})
}

func TestEventTypeRetrySchedule(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	b.must(201, "POST", "/event-type", `{"name":"invoice.paid","description":"d"}`)
	const path = "/event-type/invoice.paid/retry-schedule"
	stored := func() *posthorn.Schedule {
		et, err := b.store.EventType(t.Context(), posthorn.DefaultOrg, "invoice.paid")
		require.NoError(t, err)
		return et.RetrySchedule
	}
	names := strings.NewReplacer()
	b.run(t, names, []scenario{
		{name: "is none at first", method: "GET", path: path, status: 200, contains: []string{noSchedule}},
		{name: "is set", method: "PUT", path: path, body: quickSchedule, status: 200, contains: []string{quickSchedule}},
		{name: "is there", method: "GET", path: path, status: 200, contains: []string{quickSchedule}},
	})
	b.run(t, names, refusedSchedules("PUT", path))
	b.run(t, names, []scenario{
		{name: "outlives what was refused", method: "GET", path: path, status: 200, contains: []string{quickSchedule}},
		{name: "outlives a PUT of the event type", method: "PUT", path: "/event-type/invoice.paid", body: `{"description":"other"}`, status: 200, excludes: []string{"retrySchedule"}},
		{name: "outlives a PATCH", method: "PATCH", path: "/event-type/invoice.paid", body: `{"description":"third"}`, status: 200},
		{name: "outlives an import", method: "POST", path: "/event-type/import/openapi", status: 200, body: `{"spec":{"openapi":"3.1.0","info":{"title":"t","version":"1"},` +
			`"webhooks":{"invoice.paid":{"post":{"description":"fourth","requestBody":{"content":{"application/json":{"schema":{"type":"object"}}}},"responses":{}}}}}}`},
		{name: "is there still", method: "GET", path: path, status: 200, contains: []string{quickSchedule}},
		{name: "is not for applications to see", token: b.flagged(app), method: "GET", path: path, status: 403},
		{name: "is not for applications to set", token: b.flagged(app), method: "PUT", path: path, body: quickSchedule, status: 403},
		{name: "needs an event type", method: "GET", path: "/event-type/nothing/retry-schedule", status: 404},
		{name: "makes no event type", method: "PUT", path: "/event-type/nothing/retry-schedule", body: quickSchedule, status: 404},
	})
	require.Equal(t, &posthorn.Schedule{5e9, 5e8}, stored())
	b.run(t, names, []scenario{
		{name: "may be empty", method: "PUT", path: path, body: `{"retrySchedule":[]}`, status: 200, contains: []string{`{"retrySchedule":[]}`}},
		{name: "is empty", method: "GET", path: path, status: 200, contains: []string{`{"retrySchedule":[]}`}},
	})
	require.Equal(t, &posthorn.Schedule{}, stored())
	b.run(t, names, []scenario{{name: "is removed by null", method: "PUT", path: path, body: noSchedule, status: 200, contains: []string{noSchedule}}})
	require.Nil(t, stored())
	b.run(t, names, []scenario{
		{name: "is set again", method: "PUT", path: path, body: quickSchedule, status: 200},
		{name: "is removed by nothing", method: "PUT", path: path, body: `{}`, status: 200, contains: []string{noSchedule}},
	})
	require.Nil(t, stored())
}

func TestEndpointRetrySchedule(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app, other := b.application(), b.application()
	b.endpoint(app, `{"url":"https://example.com","uid":"main"}`)
	const of = "/app/{app}/endpoint/main"
	const path = of + "/retry-schedule"
	names := strings.NewReplacer("{app}", app, "{other}", other)
	own := b.flagged(app)
	b.run(t, names, []scenario{
		{name: "is none at first", method: "GET", path: path, status: 200, contains: []string{noSchedule}},
		{name: "is set by the application itself", token: own, method: "PUT", path: path, body: quickSchedule, status: 200, contains: []string{quickSchedule}},
		{name: "is there", token: own, method: "GET", path: path, status: 200, contains: []string{quickSchedule}},
	})
	b.run(t, names, refusedSchedules("PUT", strings.Replace(path, "{app}", app, 1)))
	b.run(t, names, []scenario{
		{name: "outlives a PUT of the endpoint", method: "PUT", path: of, body: `{"url":"https://example.com/2"}`, status: 200, excludes: []string{"retrySchedule"}},
		{name: "outlives a PATCH", method: "PATCH", path: of, body: `{"description":"d"}`, status: 200},
		{name: "is there still", method: "GET", path: path, status: 200, contains: []string{quickSchedule}},
		{name: "is nothing to other applications", token: b.flagged(other), method: "GET", path: path, status: 404},
		{name: "is not set by other applications", token: b.flagged(other), method: "PUT", path: path, body: quickSchedule, status: 404},
		{name: "is that of one application's endpoint", method: "PUT", path: "/app/{other}/endpoint/main/retry-schedule", body: quickSchedule, status: 404},
		{name: "may be empty", method: "PUT", path: path, body: `{"retrySchedule":[]}`, status: 200, contains: []string{`{"retrySchedule":[]}`}},
		{name: "is empty", method: "GET", path: path, status: 200, contains: []string{`{"retrySchedule":[]}`}},
		{name: "is removed by null", method: "PUT", path: path, body: noSchedule, status: 200, contains: []string{noSchedule}},
		{name: "is none again", method: "GET", path: path, status: 200, contains: []string{noSchedule}},
	})
}
