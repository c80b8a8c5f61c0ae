package api

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func TestOperationalEndpoint(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const path = "/operational-webhook/endpoint"
	require.Empty(t, b.do("GET", path, "").page(t).Data)
	plain := b.must(201, "POST", path, `{"url":"https://example.com/ops"}`)
	full := b.must(201, "POST", path, `{"url":"https://example.com/x","description":"d","uid":"main","eventTypes":["message.attempt.exhausted","endpoint.disabled"],
		"disabled":true,"throttleRate":3,"metadata":{"k":"v"},"secret":"`+secretOf24+`","headers":{"X-A":"1","Authorization":"Bearer hunter2"}}`)

	app := b.application()
	ordinary := b.endpoint(app, `{"url":"https://e.com","uid":"main"}`)
	own, err := b.tokens.Application(posthorn.DefaultOrg, app)
	require.NoError(t, err)
	foreign, err := b.tokens.Organisation("org_other")
	require.NoError(t, err)
	hidden, err := b.store.Application(t.Context(), posthorn.OperationalOrg(posthorn.DefaultOrg), posthorn.OperationalUID)
	require.NoError(t, err)

	scenarios := []scenario{
		{name: "has defaults for all but its URL", method: "GET", path: path + "/{plain}", status: 200,
			contains: []string{`"url":"https://example.com/ops"`, `"disabled":false`, `"metadata":{}`}, excludes: []string{"eventTypes", "whsec_", "uid"}},
		{name: "shows all that it was given but secrets", method: "GET", path: path + "/main", status: 200,
			contains: []string{`"id":"{full}"`, `"eventTypes":["message.attempt.exhausted","endpoint.disabled"]`, `"disabled":true`, `"throttleRate":3`, `"metadata":{"k":"v"}`},
			excludes: []string{"whsec_", "hunter2"}},
		{name: "is listed newest first", method: "GET", path: path + "?limit=1", status: 200, contains: []string{"{full}", `"done":false`}, excludes: []string{"{plain}", "hunter2"}},
		{name: "is listed oldest first on demand", method: "GET", path: path + "?limit=1&order=ascending", status: 200, contains: []string{"{plain}"}, excludes: []string{"{full}", "{ordinary}"}},
		{name: "is not listed behind garbage", method: "GET", path: path + "?iterator=ep_garbage", status: 422},
		{name: "has a secret", method: "GET", path: path + "/main/secret", status: 200, contains: []string{secretOf24}},
		{name: "has its secret replaced", method: "POST", path: path + "/main/secret/rotate", body: `{"key":"` + secretOf64 + `"}`, status: 204},
		{name: "has the new secret then", method: "GET", path: path + "/main/secret", status: 200, contains: []string{secretOf64}},
		{name: "shows its headers, sensitive ones by name", method: "GET", path: path + "/main/headers", status: 200, contains: []string{`{"headers":{"X-A":"1"},"sensitive":["Authorization"]}`}, excludes: []string{"hunter2"}},
		{name: "has its headers replaced", method: "PUT", path: path + "/main/headers", body: `{"headers":{"X-B":"2"}}`, status: 204},
		{name: "has the new headers then", method: "GET", path: path + "/main/headers", status: 200, contains: []string{`{"headers":{"X-B":"2"},"sensitive":[]}`}},
		{name: "can't have a forbidden header from the beginning", method: "POST", path: path, body: `{"url":"https://e.com","headers":{"Host":"x"}}`, status: 422, contains: []string{`"loc":["body","headers"]`}},
		{name: "can't subscribe to what is no operational event", method: "POST", path: path, body: `{"url":"https://e.com","eventTypes":["endpoint.created","order.paid"]}`, status: 422,
			contains: []string{`"loc":["body","eventTypes"]`, "order.paid"}, excludes: []string{"endpoint.created"}},
		{name: "needs a URL", method: "POST", path: path, body: `{"url":"ftp://e.com"}`, status: 422, contains: []string{`"loc":["body","url"]`}},
		{name: "can't take a taken uid", method: "POST", path: path, body: `{"url":"https://e.com","uid":"main"}`, status: 409},
		{name: "is replaced by a PUT", method: "PUT", path: path + "/main", body: `{"url":"https://e.com/new"}`, status: 200,
			contains: []string{`"id":"{full}"`, `"uid":"main"`, `"url":"https://e.com/new"`}, excludes: []string{"eventTypes", "throttleRate"}},
		{name: "checks event types in a PUT", method: "PUT", path: path + "/main", body: `{"url":"https://e.com","eventTypes":["nope"]}`, status: 422},
		{name: "is created by a PUT to an unknown uid", method: "PUT", path: path + "/fresh", body: `{"url":"https://e.com"}`, status: 201, contains: []string{`"uid":"fresh"`}},
		{name: "is another organisation's for that one's token", token: foreign, method: "GET", path: path + "/{full}", status: 404},
		{name: "is in no list of another organisation", token: foreign, method: "GET", path: path, status: 200, contains: []string{`"data":[]`}},
		{name: "is no endpoint of an application", method: "GET", path: "/app/{app}/endpoint/{full}", status: 404},
		{name: "has nothing to do with the endpoints of applications", method: "GET", path: path + "/{ordinary}", status: 404},
		{name: "belongs to no application that can be listed", method: "GET", path: "/app", status: 200, contains: []string{"{app}"}, excludes: []string{"{hidden}", "perational"}},
		{name: "belongs to no application with an id", method: "GET", path: "/app/{hidden}", status: 404},
		{name: "belongs to no application with a uid", method: "GET", path: "/app/operational-webhooks/endpoint", status: 404},
		{name: "takes no messages from outside", method: "POST", path: "/app/{hidden}/msg", body: `{"eventType":"endpoint.created","payload":{}}`, status: 404},
		{name: "does not count as one of the organisation's", method: "GET", path: "/stats/endpoint/count", status: 200, contains: []string{`{"active":1,"disabled":0}`}},
		{name: "leaves its events out of the organisation's catalogue", method: "GET", path: "/event-type", status: 200, contains: []string{`"data":[]`}},
		{name: "can be deleted", method: "DELETE", path: path + "/main", status: 204},
		{name: "is gone then", method: "GET", path: path + "/{full}", status: 404},
		{name: "is gone with its secret", method: "GET", path: path + "/{full}/secret", status: 404},
	}
	for name := range posthorn.OperationalEvents() {
		scenarios = append(scenarios, scenario{name: "can subscribe to " + name, method: "PUT", path: path + "/fresh", body: `{"url":"https://e.com","eventTypes":["` + name + `"]}`, status: 200, contains: []string{name}})
	}
	for _, op := range []struct{ method, path string }{
		{"GET", ""}, {"POST", ""}, {"GET", "/{plain}"}, {"PUT", "/{plain}"}, {"DELETE", "/{plain}"}, {"GET", "/{plain}/secret"},
		{"POST", "/{plain}/secret/rotate"}, {"GET", "/{plain}/headers"}, {"PUT", "/{plain}/headers"},
	} {
		scenarios = append(scenarios, scenario{name: "is closed to an application's token: " + op.method + " " + op.path, token: own, method: op.method, path: path + op.path,
			body: map[bool]string{true: `{"url":"https://e.com","headers":{}}`}[op.method != "GET"], status: 403})
	}
	b.run(t, strings.NewReplacer("{app}", app, "{plain}", plain, "{full}", full, "{ordinary}", ordinary, "{hidden}", hidden.ID), scenarios)
	require.NotContains(t, b.log.String(), "hunter2")
	require.NotContains(t, b.log.String(), "whsec_")
}

func TestOperationalEndpointsBeginTogether(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var running sync.WaitGroup
	answers := make([]reply, 8)
	for i := range answers {
		running.Go(func() {
			answers[i] = b.do("POST", "/operational-webhook/endpoint", `{"url":"https://e.com","eventTypes":["endpoint.created"]}`)
		})
	}
	running.Wait()
	for _, r := range answers {
		require.Equal(t, http.StatusCreated, r.status, r.body)
	}
	require.Len(t, b.do("GET", "/operational-webhook/endpoint", "").page(t).Data, len(answers))
}
