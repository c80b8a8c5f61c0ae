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

func TestReplays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	ep := b.endpoint(app, `{"url":"https://example.com/in"}`)
	appToken, err := b.tokens.Application(posthorn.DefaultOrg, app)
	require.NoError(t, err)
	at := func(ago time.Duration) string { return time.Now().Add(-ago).UTC().Format(time.RFC3339Nano) }
	names := strings.NewReplacer("{app}", app, "{ep}", ep, "{hour}", at(time.Hour), "{older}", at(14*24*time.Hour+10*time.Minute), "{future}", at(-time.Hour))
	const missing, bulk, recover = "/app/{app}/endpoint/{ep}/replay-missing", "/app/{app}/endpoint/{ep}/bulk-replay", "/app/{app}/endpoint/{ep}/recover"

	b.run(t, names, []scenario{
		{name: "what was missed is sent", method: "POST", path: missing, body: `{"since":"{hour}"}`, status: 202, contains: []string{`"id":"qtask_`, `"status":"running"`, `"task":"endpoint.replay"`, `"updatedAt":"`}},
		{name: "what was missed takes a null for no end", method: "POST", path: missing, body: `{"since":"{hour}","until":null}`, status: 202},
		{name: "what was missed needs a beginning", method: "POST", path: missing, body: `{}`, status: 422, contains: []string{"since"}},
		{name: "what was missed is not too old", method: "POST", path: missing, body: `{"since":"{older}"}`, status: 422, contains: []string{`"loc":["body","since"]`, "14 days"}},
		{name: "what was missed lies in the past", method: "POST", path: missing, body: `{"since":"{hour}","until":"{future}"}`, status: 422, contains: []string{`"loc":["body","until"]`}},
		{name: "an application may send what was missed", token: appToken, method: "POST", path: missing, body: `{"since":"{hour}"}`, status: 202},
		{name: "an endpoint is needed", method: "POST", path: "/app/{app}/endpoint/nope/replay-missing", body: `{"since":"{hour}"}`, status: 404},
		{name: "an endpoint is needed for bulk too", method: "POST", path: "/app/{app}/endpoint/nope/bulk-replay", body: `{"since":"{hour}"}`, status: 404},

		{name: "bulk needs no filter", method: "POST", path: bulk, body: `{"since":"{hour}"}`, status: 202, contains: []string{`"task":"endpoint.bulk-replay"`}},
		{name: "bulk takes nulls for no filters", method: "POST", path: bulk, body: `{"since":"{hour}","until":null,"eventTypes":null,"channel":null,"tag":null,"status":null,"statusCodeClass":null,"rateLimit":null,"dryRun":null}`, status: 202},
		{name: "bulk knows its event types", method: "POST", path: bulk, body: `{"since":"{hour}","eventTypes":["a b"]}`, status: 422, contains: []string{`"eventTypes"`}},
		{name: "bulk knows its statuses", method: "POST", path: bulk, body: `{"since":"{hour}","status":4}`, status: 422, contains: []string{`"loc":["body","status"]`}},
		{name: "no message has the status 1", method: "POST", path: bulk, body: `{"since":"{hour}","status":1}`, status: 422, contains: []string{`"loc":["body","status"]`}},
		{name: "bulk knows its classes", method: "POST", path: bulk, body: `{"since":"{hour}","statusCodeClass":250}`, status: 422, contains: []string{`"loc":["body","statusCodeClass"]`}},
		{name: "bulk is not too old", method: "POST", path: bulk, body: `{"since":"{older}"}`, status: 422, contains: []string{`"loc":["body","since"]`}},
		{name: "a rate is at least 1", method: "POST", path: recover, body: `{"since":"{hour}","rateLimit":0}`, status: 422, contains: []string{`"loc":["body","rateLimit"]`}},
		{name: "a dry run is true or false", method: "POST", path: recover, body: `{"since":"{hour}","dryRun":"yes"}`, status: 422, contains: []string{`"loc":["body","dryRun"]`}},
	})

	t.Run("are tasks with everything that was asked for", func(t *testing.T) {
		b := b.in(t)
		input := func(operation, fields string) posthorn.ReplayInput {
			id := b.must(http.StatusAccepted, "POST", names.Replace("/app/{app}/endpoint/{ep}/"+operation), names.Replace(`{"since":"{hour}"`)+fields+"}")
			task, err := b.store.TaskByID(t.Context(), id)
			require.NoError(t, err)
			var in posthorn.ReplayInput
			require.NoError(t, json.Unmarshal(task.Input, &in))
			require.Equal(t, ep, in.EndpointID)
			require.Equal(t, app, task.AppID)
			in.EndpointID, in.Since, in.Until = "", time.Time{}, time.Time{}
			return in
		}
		five, none := 500, 0
		require.Equal(t, posthorn.ReplayInput{}, input("recover", ""))
		require.Equal(t, posthorn.ReplayInput{DryRun: true, RateLimit: 7}, input("recover", `,"dryRun":true,"rateLimit":7`))
		require.Equal(t, posthorn.ReplayInput{DryRun: true, RateLimit: 7}, input("replay-missing", `,"dryRun":true,"rateLimit":7`))
		require.Equal(t, posthorn.ReplayInput{States: []posthorn.DeliveryState{posthorn.Delivered, posthorn.Failed}, StatusClass: &none}, input("bulk-replay", `,"statusCodeClass":0`))
		require.Equal(t, posthorn.ReplayInput{
			RateLimit: 3, EventTypes: []string{"a", "b"}, Channel: "eu", Tag: "x", StatusClass: &five,
			States: []posthorn.DeliveryState{posthorn.Failed, posthorn.Cancelled},
		}, input("bulk-replay", `,"eventTypes":["a","b","a"],"channel":"eu","tag":"x","status":2,"statusCodeClass":500,"rateLimit":3`))
		require.Equal(t, []posthorn.DeliveryState{posthorn.Delivered}, input("bulk-replay", `,"status":0`).States)
		require.Equal(t, []posthorn.DeliveryState{posthorn.Pending, posthorn.Retrying, posthorn.Held}, input("bulk-replay", `,"status":3`).States)
	})
}

func TestTasksAreCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cancel := func(id string) reply { return b.do("POST", "/background-task/"+id+"/cancel", "") }
	id := b.must(http.StatusAccepted, "PUT", "/stats/usage/event-types", "")
	foreign, err := b.tokens.Organisation("org_other")
	require.NoError(t, err)
	app := b.application()
	appToken, err := b.tokens.Application(posthorn.DefaultOrg, app)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, b.as(foreign, "POST", "/background-task/"+id+"/cancel", "").status)
	require.Equal(t, http.StatusForbidden, b.as(appToken, "POST", "/background-task/"+id+"/cancel", "").status)
	require.Equal(t, http.StatusNotFound, cancel("qtask_x").status)
	require.Empty(t, b.dispatcher.cancelled)

	t.Run("by their workflow, which ends them soon", func(t *testing.T) {
		r := cancel(id)
		require.Equal(t, http.StatusAccepted, r.status, r.body)
		require.Contains(t, r.body, `"status":"running"`)
		require.Equal(t, []string{id}, b.dispatcher.cancelled)
	})
	t.Run("at once if they have none", func(t *testing.T) {
		now := time.Now()
		lost := posthorn.Task{ID: posthorn.TaskID.New(), OrgID: posthorn.DefaultOrg, Kind: posthorn.PurgeContent, State: posthorn.TaskRunning, CreatedAt: now, UpdatedAt: now}
		require.NoError(t, b.store.CreateTask(t.Context(), lost))
		r := cancel(lost.ID)
		require.Equal(t, http.StatusAccepted, r.status, r.body)
		require.Contains(t, r.body, `"status":"failed"`)
		require.Contains(t, r.body, `"data":{"error":"cancelled"}`)
		left, err := b.store.UnbegunTasks(t.Context(), "", time.Now().Add(time.Hour), 10)
		require.NoError(t, err)
		require.Len(t, left, 1, "the sweep does not begin it")

		r = cancel(lost.ID)
		require.Equal(t, http.StatusConflict, r.status, r.body)
	})
	t.Run("later if Temporal does not answer", func(t *testing.T) {
		b.dispatcher.fail(posthorn.Errorf(posthorn.Unavailable, "no answer"))
		defer b.dispatcher.fail(nil)
		require.Equal(t, http.StatusServiceUnavailable, cancel(id).status)
	})
}
