package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func TestTasks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	ep := b.endpoint(app, `{"url":"https://example.com/in"}`)
	appToken, err := b.tokens.Application(posthorn.DefaultOrg, app)
	require.NoError(t, err)
	foreign, err := b.tokens.Organisation("org_other")
	require.NoError(t, err)
	at := func(ago time.Duration) string { return time.Now().Add(-ago).UTC().Format(time.RFC3339Nano) }
	names := strings.NewReplacer("{app}", app, "{ep}", ep,
		"{now}", at(0), "{hour}", at(time.Hour), "{fortnight}", at(14*24*time.Hour+time.Minute), "{older}", at(14*24*time.Hour+10*time.Minute), "{future}", at(-time.Hour))
	recover := "/app/{app}/endpoint/{ep}/recover"

	b.run(t, names, []scenario{
		{name: "recovering needs a beginning", method: "POST", path: recover, body: `{}`, status: 422, contains: []string{"since"}},
		{name: "recovering goes back 14 days", method: "POST", path: recover, body: `{"since":"{fortnight}"}`, status: 202,
			contains: []string{`"id":"qtask_`, `"status":"running"`, `"task":"endpoint.recover"`, `"updatedAt":"`}},
		{name: "recovering goes back no further", method: "POST", path: recover, body: `{"since":"{older}"}`, status: 422, contains: []string{`"loc":["body","since"]`, "14 days"}},
		{name: "recovering ends now at the latest", method: "POST", path: recover, body: `{"since":"{hour}","until":"{future}"}`, status: 422, contains: []string{`"loc":["body","until"]`}},
		{name: "recovering begins before it ends", method: "POST", path: recover, body: `{"since":"{now}","until":"{hour}"}`, status: 422, contains: []string{`"loc":["body","since"]`}},
		{name: "recovering reads times only", method: "POST", path: recover, body: `{"since":"yesterday"}`, status: 422},
		{name: "recovering takes a null for no end", method: "POST", path: recover, body: `{"since":"{hour}","until":null}`, status: 202},
		{name: "an application recovers its own endpoints", token: appToken, method: "POST", path: recover, body: `{"since":"{hour}"}`, status: 202},
		{name: "recovering needs an endpoint", method: "POST", path: "/app/{app}/endpoint/nope/recover", body: `{"since":"{hour}"}`, status: 404},

		{name: "a broadcast needs an event type", method: "POST", path: "/msg/broadcast", body: `{"payload":{}}`, status: 422, contains: []string{`"loc":["body","eventType"]`}},
		{name: "a broadcast needs a payload", method: "POST", path: "/msg/broadcast", body: `{"eventType":"e"}`, status: 422, contains: []string{`"loc":["body","payload"]`}},
		{name: "a broadcast creates no application", method: "POST", path: "/msg/broadcast", body: `{"eventType":"e","payload":{},"application":{"name":"n","uid":"u"}}`, status: 422},
		{name: "a broadcast is JSON", method: "POST", path: "/msg/broadcast", body: `{`, status: 422, contains: []string{"value_error.jsondecode"}},
		{name: "a broadcast is the organisation's", token: appToken, method: "POST", path: "/msg/broadcast", body: `{"eventType":"e","payload":{}}`, status: 403},
		{name: "a broadcast begins", method: "POST", path: "/msg/broadcast", body: `{"eventType":"e","payload":{"secret":"p4yl0ad"}}`, status: 202, contains: []string{`"task":"message.broadcast"`}, excludes: []string{"p4yl0ad"}},

		{name: "counting needs a range", method: "POST", path: "/stats/usage/app", body: `{"since":"{hour}"}`, status: 422, contains: []string{"until"}},
		{name: "counting begins before it ends", method: "POST", path: "/stats/usage/app", body: `{"since":"{now}","until":"{hour}"}`, status: 422, contains: []string{`"loc":["body","since"]`}},
		{name: "counting needs an application that exists", method: "POST", path: "/stats/usage/app", body: `{"since":"{hour}","until":"{now}","appIds":["nope"]}`, status: 422, contains: []string{`"loc":["body","appIds"]`}},
		{name: "counting tells whom it does not know", method: "POST", path: "/stats/usage/app", body: `{"since":"{hour}","until":"{now}","appIds":["{app}","nope"]}`, status: 202, contains: []string{`"unresolvedAppIds":["nope"]`, `"task":"application.stats"`}},
		{name: "counting counts all by default", method: "POST", path: "/stats/usage/app", body: `{"since":"{hour}","until":"{now}","appIds":null}`, status: 202, contains: []string{`"unresolvedAppIds":[]`}},
		{name: "counting is the organisation's", token: appToken, method: "POST", path: "/stats/usage/app", body: `{"since":"{hour}","until":"{now}"}`, status: 403},
		{name: "subscriptions are looked up", method: "PUT", path: "/stats/usage/event-types", status: 202, contains: []string{`"task":"event-type.aggregate"`}},
		{name: "subscriptions are the organisation's", token: appToken, method: "PUT", path: "/stats/usage/event-types", status: 403},

		{name: "everything is expunged", method: "POST", path: "/app/{app}/msg/expunge-all-contents", status: 202, contains: []string{`"task":"application.purge_content"`}},
		{name: "only the organisation expunges everything", token: appToken, method: "POST", path: "/app/{app}/msg/expunge-all-contents", status: 403},
		{name: "nobody expunges what is another's", token: foreign, method: "POST", path: "/app/{app}/msg/expunge-all-contents", status: 404},

		{name: "the list is the organisation's", token: appToken, method: "GET", path: "/background-task", status: 403},
		{name: "the list has no task of another organisation", token: foreign, method: "GET", path: "/background-task", status: 200, contains: []string{`"data":[]`}, excludes: []string{"qtask_"}},
		{name: "the list is never of inputs", method: "GET", path: "/background-task", status: 200, contains: []string{`"data":{}`}, excludes: []string{"p4yl0ad", "Payload"}},
		{name: "the list knows its statuses", method: "GET", path: "/background-task?status=done", status: 400, contains: []string{"query parameter status"}},
		{name: "the list knows its kinds", method: "GET", path: "/background-task?task=nope", status: 400, contains: []string{"query parameter task"}},
		{name: "the list knows its iterators", method: "GET", path: "/background-task?iterator=qtask_x", status: 422, contains: []string{`"loc":["query","iterator"]`}},
		{name: "an unknown task is not found", method: "GET", path: "/background-task/qtask_x", status: 404},
	})

	t.Run("are listed by state and kind, newest first, and begun in Temporal", func(t *testing.T) {
		b := b.in(t)
		all := b.do("GET", "/background-task", "").page(t).keys("id")
		require.Len(t, all, 8)
		require.Len(t, b.dispatcher.tasks, 8)
		require.Equal(t, b.dispatcher.tasks[7].ID, all[0])
		require.Equal(t, all[7], b.do("GET", "/background-task?order=ascending&limit=1", "").page(t).keys("id")[0])
		require.Equal(t, all[2:4], b.do("GET", "/background-task?limit=2&iterator="+all[1], "").page(t).keys("id"))
		require.Equal(t, all[0:1], b.do("GET", "/background-task?iterator=-"+all[1], "").page(t).keys("id"))
		require.Len(t, b.do("GET", "/background-task?task=endpoint.recover&status=running", "").page(t).Data, 3)
		require.Empty(t, b.do("GET", "/background-task?task=endpoint.recover&status=failed", "").page(t).Data)
	})
	t.Run("show what came of them", func(t *testing.T) {
		b := b.in(t)
		id := b.must(http.StatusAccepted, "PUT", "/stats/usage/event-types", "")
		task, err := b.store.TaskByID(t.Context(), id)
		require.NoError(t, err)
		task.State, task.Reason, task.Data = posthorn.TaskFailed, `the "end"`, json.RawMessage(`{"event_types":[]}`)
		require.NoError(t, b.store.AdvanceTask(t.Context(), task, nil))
		r := b.do("GET", "/background-task/"+id, "")
		require.Equal(t, http.StatusOK, r.status)
		require.Contains(t, r.body, `"status":"failed"`)
		require.Contains(t, r.body, `"data":{"error":"the \"end\"","event_types":[]}`)
		require.Equal(t, http.StatusNotFound, b.as(foreign, "GET", "/background-task/"+id, "").status)
		header := http.Header{"Authorization": {"Bearer " + b.org}}
		header.Set("User-Agent", "svix-libs/1.44.0/go")
		require.NotContains(t, b.with(header, "GET", "/background-task/"+id, "").body, "updatedAt", "the strict client does not know it")
	})
	t.Run("are accepted without Temporal: they are begun later", func(t *testing.T) {
		b := b.in(t)
		b.dispatcher.fail(posthorn.Errorf(posthorn.Unavailable, "no answer"))
		defer b.dispatcher.fail(nil)
		id := b.must(http.StatusAccepted, "PUT", "/stats/usage/event-types", "")
		left, err := b.store.UnbegunTasks(t.Context(), "", time.Now().Add(time.Hour), 100)
		require.NoError(t, err)
		require.Equal(t, id, left[len(left)-1].ID)
	})
}
