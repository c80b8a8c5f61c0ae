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

const orderSchemas = `{
	"1":{"type":"object","required":["id"],"properties":{"id":{"type":"string"}}},
	"2":{"type":"object","required":["id","items"],"additionalProperties":false,"properties":{
		"id":{"type":"integer"},
		"items":{"type":"array","items":{"type":"object","required":["sku"],"properties":{"sku":{"type":"string","pattern":"^[a-z]+$"}}}},
		"kind":{"enum":["new","old"]},
		"email":{"type":"string","format":"email"}}}}`

func (b *bundle) eventType(name, validation, schemas string) {
	b.t.Helper()
	b.must(http.StatusCreated, "POST", "/event-type", `{"name":"`+name+`","description":"","payloadValidation":"`+validation+`","schemas":`+schemas+`}`)
}

func TestPayloadValidation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	for _, mode := range []string{"off", "warn", "reject"} {
		b.eventType(mode, mode, orderSchemas)
	}
	b.eventType("bare", "reject", "{}")
	path := "/app/" + app + "/msg"
	b.run(t, strings.NewReplacer(), []scenario{
		{name: "lets a valid payload pass, and takes the newest version for it", method: "POST", path: path, body: `{"eventType":"reject","payload":{"id":1,"items":[{"sku":"a"}]}}`, status: 202, contains: []string{`"payloadVersion":"2"`}, excludes: []string{"warnings"}},
		{name: "refuses one that violates, naming what and where, and no value", method: "POST", path: path, status: 422,
			body: `{"eventType":"reject","payload":{"id":"secret1","items":[{"sku":"SECRET2"},{}],"kind":"secret3","email":"secret4","extra":"secret5"}}`,
			contains: []string{
				`{"loc":["body","payload","id"],"msg":"must be integer, not string","type":"value_error"}`,
				`{"loc":["body","payload","items","0","sku"],"msg":"must match the pattern ^[a-z]+$","type":"value_error"}`,
				`{"loc":["body","payload","items","1","sku"],"msg":"is required","type":"value_error"}`,
				`{"loc":["body","payload","kind"],"msg":"must be one of \"new\", \"old\"","type":"value_error"}`,
				`{"loc":["body","payload","email"],"msg":"is not a valid email","type":"value_error"}`,
				`{"loc":["body","payload","extra"],"msg":"is not a property that the schema knows","type":"value_error"}`,
			}, excludes: []string{"secret", "SECRET"}},
		{name: "checks against the version that the message names", method: "POST", path: path, body: `{"eventType":"reject","payloadVersion":"1","payload":{"id":"x","extra":true}}`, status: 202, contains: []string{`"payloadVersion":"1"`}},
		{name: "checks every version", method: "POST", path: path, body: `{"eventType":"reject","payload":{"id":1,"items":[]},"payloads":{"1":{"id":1}}}`, status: 422, contains: []string{`"loc":["body","payloads","1","id"]`}, excludes: []string{`"loc":["body","payload"`}},
		{name: "refuses a version that has no schema", method: "POST", path: path, body: `{"eventType":"reject","payloadVersion":"3","payload":{}}`, status: 422, contains: []string{`"loc":["body","payloadVersion"]`, "there are: 1, 2"}},
		{name: "refuses another version that has no schema", method: "POST", path: path, body: `{"eventType":"reject","payload":{"id":1,"items":[]},"payloads":{"9":{}}}`, status: 422, contains: []string{`"loc":["body","payloads","9"]`}},
		{name: "checks a raw payload", method: "POST", path: path, body: `{"eventType":"reject","payload":{},"transformationsParams":{"rawPayload":"{\"id\":true,\"items\":[]}"}}`, status: 422, contains: []string{`"loc":["body","transformationsParams","rawPayload","id"]`}},
		{name: "refuses a raw payload that isn't JSON", method: "POST", path: path, body: `{"eventType":"reject","payload":{},"transformationsParams":{"rawPayload":"<a/>"}}`, status: 422, contains: []string{"must be JSON"}},
		{name: "refuses numbers that nobody can read", method: "POST", path: path, body: `{"eventType":"reject","payload":{"id":1e999999999,"items":[]}}`, status: 422, contains: []string{"too large"}},
		{name: "refuses a version that is no string, by its name", method: "POST", path: path, body: `{"eventType":"reject","payloadVersion":3,"payload":{}}`, status: 422, contains: []string{`"loc":["body","payloadVersion"]`}},
		{name: "checks what goes to everybody", method: "POST", path: "/msg/broadcast", body: `{"eventType":"reject","payload":{"id":"x"}}`, status: 422, contains: []string{`"loc":["body","payload","id"]`}},
		{name: "accepts all where there is no schema", method: "POST", path: path, body: `{"eventType":"bare","payload":{"a":1}}`, status: 202, excludes: []string{"payloadVersion", "warnings"}},
		{name: "accepts all of an unknown event type", method: "POST", path: path, body: `{"eventType":"unknown","payload":{"a":1}}`, status: 202, excludes: []string{"payloadVersion", "warnings"}},
		{name: "accepts all where it is off", method: "POST", path: path, body: `{"eventType":"off","payload":{"a":1}}`, status: 202, contains: []string{`"payloadVersion":"2"`}, excludes: []string{"warnings"}},
		{name: "only warns where it should", method: "POST", path: path, body: `{"eventType":"warn","eventId":"warned","payload":{"id":"secret1","items":[]},"payloads":{"1":{"id":2}}}`, status: 202,
			contains: []string{`"warnings":["payload.id: must be integer, not string","payloads.1.id: must be string, not number"]`}},
		{name: "shows the warnings to the organisation", method: "GET", path: path + "/warned", status: 200, contains: []string{`"warnings":["payload.id: must be`}},
		{name: "shows the warnings in lists", method: "GET", path: path + "?event_types=warn", status: 200, contains: []string{`"warnings":["payload.id: must be`}},
		{name: "keeps the warnings from the customer", token: b.flagged(app), method: "GET", path: path + "/warned", status: 200, contains: []string{`"payload":{"id":"secret1"`, `"payloads":{"1":{"id":2}}`}, excludes: []string{"warnings"}},
		{name: "keeps the warnings from the customer in lists", token: b.flagged(app), method: "GET", path: path, status: 200, contains: []string{"secret1"}, excludes: []string{"warnings"}},
	})

	t.Run("logs that something was wrong, without what is in the payload", func(t *testing.T) {
		log := b.log.String()
		require.Contains(t, log, `msg="a payload violates its schema"`)
		require.Contains(t, log, "violations=2")
		require.NotContains(t, log, "secret")
	})

	t.Run("follows a change of the event type at once", func(t *testing.T) {
		b := b.in(t)
		const body = `{"eventType":"off","payload":{}}`
		require.Equal(t, http.StatusAccepted, b.do("POST", path, body).status)
		b.must(http.StatusOK, "PATCH", "/event-type/off", `{"payloadValidation":"reject"}`)
		require.Equal(t, http.StatusUnprocessableEntity, b.do("POST", path, body).status)
		b.must(http.StatusOK, "PATCH", "/event-type/off", `{"schemas":{"3":{}}}`)
		require.Contains(t, b.do("POST", path, body).body, `"payloadVersion":"3"`)
		b.must(http.StatusNoContent, "DELETE", "/event-type/off?expunge=true", "")
		require.NotContains(t, b.do("POST", path, body).body, "payloadVersion")
	})

	t.Run("stores nothing of what it refuses", func(t *testing.T) {
		b := b.in(t)
		require.Equal(t, http.StatusUnprocessableEntity, b.do("POST", path, `{"eventType":"reject","eventId":"refused","payload":{}}`).status)
		require.Equal(t, http.StatusNotFound, b.do("GET", path+"/refused", "").status)
	})
}

func TestPayloadVersions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	path := "/app/" + app + "/msg"
	many := `{"a0":{},"a1":{},"a2":{},"a3":{},"a4":{},"a5":{},"a6":{},"a7":{},"a8":{},"a9":{},"a10":{}}`
	b.run(t, strings.NewReplacer(), []scenario{
		{name: "are stored with the message", method: "POST", path: path, body: `{"eventType":"e","eventId":"m","payloadVersion":"3","payload":{"c":3},"payloads":{"1":{"a": 1.0},"v2.1":{}}}`, status: 202, contains: []string{`"payloadVersion":"3"`, `"payloads":{"1":{"a":1.0},"v2.1":{}}`}},
		{name: "are shown with the message", method: "GET", path: path + "/m", status: 200, contains: []string{`"payload":{"c":3}`, `"payloads":{"1":{"a":1.0},"v2.1":{}}`}},
		{name: "are left out on demand", method: "GET", path: path + "/m?with_content=false", status: 200, contains: []string{`"payload":{}`, `"payloadVersion":"3"`}, excludes: []string{"payloads"}},
		{name: "are left out of lists", method: "GET", path: path, status: 200, contains: []string{`"payloadVersion":"3"`}, excludes: []string{"payloads"}},
		{name: "have names that fit into a header", method: "POST", path: path, body: `{"eventType":"e","payload":{},"payloadVersion":"a b"}`, status: 422, contains: []string{`"loc":["body","payloadVersion"]`}},
		{name: "have such names all of them", method: "POST", path: path, body: `{"eventType":"e","payload":{},"payloads":{"a.b c":{}}}`, status: 422, contains: []string{`"loc":["body","payloads","a.b c"]`}},
		{name: "are objects", method: "POST", path: path, body: `{"eventType":"e","payload":{},"payloads":{"1":[]}}`, status: 422, contains: []string{`"loc":["body","payloads","1"]`, "JSON object"}},
		{name: "are ten at most", method: "POST", path: path, body: `{"eventType":"e","payload":{},"payloads":` + many + `}`, status: 422, contains: []string{`"loc":["body","payloads"]`}},
		{name: "are there once each", method: "POST", path: path, body: `{"eventType":"e","payloadVersion":"1","payload":{},"payloads":{"1":{}}}`, status: 422, contains: []string{`"loc":["body","payloads","1"]`}},
	})
	t.Run("vanish together", func(t *testing.T) {
		b := b.in(t)
		require.NoError(t, b.store.ExpungePayload(t.Context(), app, "m"))
		r := b.do("GET", path+"/m", "")
		require.Contains(t, r.body, `"payload":{"expired":true}`)
		require.NotContains(t, r.body, "payloads")
	})
	t.Run("are unknown to old clients", func(t *testing.T) {
		b := b.in(t)
		old := http.Header{"Authorization": {"Bearer " + b.org}, "User-Agent": {"svix-libs/1.44.0/go"}}
		r := b.with(old, "POST", path, `{"eventType":"e","payload":{},"payloadVersion":"1","payloads":{"2":{}}}`)
		require.Equal(t, http.StatusAccepted, r.status)
		require.NotContains(t, r.body, "payloadVersion")
		require.NotContains(t, r.body, "payloads")
	})
}

func TestEndpointsPinVersions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	b.must(http.StatusCreated, "POST", "/event-type", `{"name":"order.created","description":""}`)
	ep := b.endpoint(app, `{"url":"https://example.com","payloadVersion":"2","payloadVersions":{"order.created":"1"}}`)
	path := "/app/" + app + "/endpoint"
	pins := []string{`"payloadVersion":"2"`, `"payloadVersions":{"order.created":"1"}`}
	b.run(t, strings.NewReplacer("{ep}", ep), []scenario{
		{name: "and show them", method: "GET", path: path + "/{ep}", status: 200, contains: pins},
		{name: "and keep them in a PUT that doesn't know them", method: "PUT", path: path + "/{ep}", body: `{"url":"https://example.com/2"}`, status: 200, contains: pins},
		{name: "and keep them in a PATCH of something else", method: "PATCH", path: path + "/{ep}", body: `{"description":"d"}`, status: 200, contains: pins},
		{name: "and change them by a PATCH", method: "PATCH", path: path + "/{ep}", body: `{"payloadVersion":"3"}`, status: 200, contains: []string{`"payloadVersion":"3"`, `"payloadVersions":{"order.created":"1"}`}},
		{name: "and lose them by a PATCH with null", method: "PATCH", path: path + "/{ep}", body: `{"payloadVersion":null,"payloadVersions":null}`, status: 200, excludes: []string{"payloadVersion"}},
		{name: "and get them by a PUT", method: "PUT", path: path + "/{ep}", body: `{"url":"https://example.com","payloadVersion":"4"}`, status: 200, contains: []string{`"payloadVersion":"4"`}},
		{name: "of names that fit into a header", method: "PATCH", path: path + "/{ep}", body: `{"payloadVersion":"a b"}`, status: 422, contains: []string{`"loc":["body","payloadVersion"]`}},
		{name: "of such names for each event type", method: "POST", path: path, body: `{"url":"https://example.com","payloadVersions":{"order.created":""}}`, status: 422, contains: []string{`"loc":["body","payloadVersions","order.created"]`}},
		{name: "of event types that exist", method: "PATCH", path: path + "/{ep}", body: `{"payloadVersions":{"nope":"1"}}`, status: 422, contains: []string{`"loc":["body","payloadVersions"]`, "nope"}},
	})
}

func TestSendExample(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	ep := b.endpoint(app, `{"url":"https://example.com","channels":["c"]}`)
	pinned := b.endpoint(app, `{"url":"https://example.com","uid":"pinned","payloadVersion":"3"}`)
	b.endpoint(app, `{"url":"https://example.com","uid":"off","disabled":true}`)
	b.eventType("two", "off", `{"1":{"examples":[{"n":1.0},{"n":2}]},"3":{"examples":[{"n":3}]}}`)
	b.eventType("late", "off", `{"2":{"examples":[{"n":2}]},"10":{"examples":[{"n":10}]}}`)
	b.eventType("made", "off", `{"1":{"type":"object","required":["id"],"properties":{"id":{"type":"string","format":"uuid"},"n":{"type":"integer","minimum":7},"l":{"type":"array","items":{"$ref":"#/definitions/x"}}},"definitions":{"x":{"enum":["p","q"]}}}}`)
	b.eventType("strict", "reject", `{"1":{"properties":{"n":{"type":"integer"}}}}`)
	b.eventType("none", "off", `{}`)
	b.eventType("odd", "off", `{"1":{"type":"string"}}`)
	path := "/app/" + app + "/endpoint/"
	b.run(t, strings.NewReplacer("{ep}", ep), []scenario{
		{name: "of the ping that is always there", method: "POST", path: path + "{ep}/send-example", body: `{"eventType":"svix.ping"}`, status: 200, contains: []string{`"eventType":"svix.ping"`, `"payload":{"success":true}`, `"id":"msg_`}},
		{name: "of version 1, as it is written", method: "POST", path: path + "{ep}/send-example", body: `{"eventType":"two"}`, status: 200, contains: []string{`"payload":{"n":1.0}`, `"payloadVersion":"1"`}},
		{name: "of another index", method: "POST", path: path + "{ep}/send-example", body: `{"eventType":"two","exampleIndex":1}`, status: 200, contains: []string{`"payload":{"n":2}`}},
		{name: "of no index that isn't there", method: "POST", path: path + "{ep}/send-example", body: `{"eventType":"two","exampleIndex":2}`, status: 422, contains: []string{`"loc":["body","exampleIndex"]`, "version 1 of two has 2 examples"}},
		{name: "of the version that the endpoint pins", method: "POST", path: path + "pinned/send-example", body: `{"eventType":"two"}`, status: 200, contains: []string{`"payload":{"n":3}`, `"payloadVersion":"3"`}},
		{name: "of the newest version where there is no 1", method: "POST", path: path + "{ep}/send-example", body: `{"eventType":"late"}`, status: 200, contains: []string{`"payload":{"n":10}`}},
		{name: "made from a schema that has none", method: "POST", path: path + "{ep}/send-example", body: `{"eventType":"made"}`, status: 200, contains: []string{`"payload":{"id":"3f0b2c64-9d1e-4c1b-8a57-2f6d1f0c9a11","l":["p"],"n":7}`}},
		{name: "that the caller brings along", method: "POST", path: path + "{ep}/send-example", body: `{"eventType":"none","payload":{"own": 1}}`, status: 200, contains: []string{`"payload":{"own":1}`}},
		{name: "that the caller brings along, and the schema doesn't allow", method: "POST", path: path + "{ep}/send-example", body: `{"eventType":"strict","payload":{"n":"secret1"}}`, status: 422, contains: []string{`"loc":["body","payload","n"]`}, excludes: []string{"secret1"}},
		{name: "of no event type without a schema", method: "POST", path: path + "{ep}/send-example", body: `{"eventType":"none"}`, status: 422, contains: []string{`"loc":["body","eventType"]`, "none has no schema"}},
		{name: "of no schema that excludes objects", method: "POST", path: path + "{ep}/send-example", body: `{"eventType":"odd"}`, status: 422, contains: []string{"none could be made up"}},
		{name: "of no event type that isn't there", method: "POST", path: path + "{ep}/send-example", body: `{"eventType":"nope"}`, status: 422, contains: []string{`"loc":["body","eventType"]`, `There is no event type \"nope\"`}},
		{name: "to no endpoint that is disabled", method: "POST", path: path + "off/send-example", body: `{"eventType":"svix.ping"}`, status: 400, contains: []string{`"code":"endpoint_disabled"`}},
		{name: "to no endpoint that isn't there", method: "POST", path: path + "nope/send-example", body: `{"eventType":"svix.ping"}`, status: 404},
		{name: "not by the customer", token: b.flagged(app), method: "POST", path: path + "{ep}/send-example", body: `{"eventType":"svix.ping"}`, status: 403},
	})
	for _, m := range b.dispatcher.startedMessages() {
		require.Contains(t, []string{ep, pinned}, m.OnlyEndpoint)
		stored, err := b.store.MessageByID(t.Context(), m.ID)
		require.NoError(t, err)
		require.Equal(t, m.OnlyEndpoint, stored.OnlyEndpoint)
	}
	require.Len(t, b.dispatcher.startedMessages(), 7)
}

func TestTestAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	b.eventType("strict", "reject", orderSchemas)
	ep := b.endpoint(app, `{"url":"https://example.com"}`)
	b.endpoint(app, `{"url":"https://example.com","uid":"off","disabled":true}`)
	path := "/app/" + app + "/endpoint/"
	b.run(t, strings.NewReplacer("{ep}", ep), []scenario{
		{name: "answers with the attempt", method: "POST", path: path + "{ep}/msg/test-attempt", body: `{"eventType":"e","eventId":"m","payload":{"a":1}}`, status: 201,
			contains: []string{`"id":"atmpt_`, `"endpointId":"{ep}"`, `"responseStatusCode":204`, `"triggerType":1`}},
		{name: "reaches a disabled endpoint", method: "POST", path: path + "off/msg/test-attempt", body: `{"eventType":"e","payload":{}}`, status: 201},
		{name: "needs an eventId that is new", method: "POST", path: path + "{ep}/msg/test-attempt", body: `{"eventType":"e","eventId":"m","payload":{"a":1}}`, status: 409},
		{name: "needs a payload", method: "POST", path: path + "{ep}/msg/test-attempt", body: `{"eventType":"e"}`, status: 422, contains: []string{`"loc":["body","payload"]`}},
		{name: "is held to the schema", method: "POST", path: path + "{ep}/msg/test-attempt", body: `{"eventType":"strict","payload":{}}`, status: 422, contains: []string{`"loc":["body","payload","id"]`}},
		{name: "needs an endpoint", method: "POST", path: path + "nope/msg/test-attempt", body: `{"eventType":"e","payload":{}}`, status: 404},
		{name: "is not for the customer", token: b.flagged(app), method: "POST", path: path + "{ep}/msg/test-attempt", body: `{"eventType":"e","payload":{}}`, status: 403},
		{name: "keeps the message", method: "GET", path: "/app/" + app + "/msg/m", status: 200, contains: []string{`"payload":{"a":1}`}},
	})
	require.Empty(t, b.dispatcher.startedMessages(), "nothing delivers it by itself")
	left, err := b.store.Undispatched(t.Context(), "", time.Now().Add(time.Hour), 10)
	require.NoError(t, err)
	require.Empty(t, left, "nor later")

	b.dispatcher.fail(posthorn.Errorf(posthorn.Unavailable, "no answer from 10.1.2.3"))
	r := b.do("POST", path+ep+"/msg/test-attempt", `{"eventType":"e","payload":{}}`)
	require.Equal(t, http.StatusServiceUnavailable, r.status)
	require.NotContains(t, r.body, "10.1.2.3")
}

func TestWhatIsOursIsInTheDocument(t *testing.T) {
	t.Parallel()
	var document struct {
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Description string
					Enum        []any
				}
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(setup(t).as("", "GET", "/openapi.json", "").body), &document))
	schemas := document.Components.Schemas
	require.Equal(t, []any{"off", "warn", "reject", nil}, schemas["EventTypeIn"].Properties["payloadValidation"].Enum)
	require.Equal(t, []any{"off", "warn", "reject"}, schemas["EventTypeOut"].Properties["payloadValidation"].Enum)
	for schema, fields := range map[string][]string{
		"MessageIn": {"payloadVersion", "payloads"}, "MessageOut": {"payloadVersion", "payloads", "warnings"},
		"EndpointIn": {"payloadVersion", "payloadVersions"}, "EndpointUpdate": {"payloadVersion", "payloadVersions"},
		"EndpointPatch": {"payloadVersion", "payloadVersions"}, "EndpointOut": {"payloadVersion", "payloadVersions"},
	} {
		for _, field := range fields {
			require.NotEmpty(t, schemas[schema].Properties[field].Description, "%s of %s", field, schema)
		}
	}
}
