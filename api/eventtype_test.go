package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEventType(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path := "/event-type"
	b.run(t, strings.NewReplacer(), []scenario{
		{name: "is created", method: "POST", path: path, body: `{"name":"order.created","description":"An order","schemas":{"1":{"type":"object","required":["id"]}}}`, status: 201,
			contains: []string{`"name":"order.created"`, `"archived":false`, `"deprecated":false`, `"schemas":{"1":{"type":"object","required":["id"]}}`}, excludes: []string{"org_"}},
		{name: "is there once only", method: "POST", path: path, body: `{"name":"order.created","description":""}`, status: 409, contains: []string{`"code":"event_type_exists"`}},
		{name: "is found with its schemas", method: "GET", path: path + "/order.created", status: 200, contains: []string{`"schemas":{"1":`}},
		{name: "is listed without schemas", method: "GET", path: path, status: 200, contains: []string{"order.created"}, excludes: []string{"schemas"}},
		{name: "is listed with schemas on demand", method: "GET", path: path + "?with_content=true", status: 200, contains: []string{"schemas"}},
		{name: "needs a description", method: "POST", path: path, body: `{"name":"x"}`, status: 422},
		{name: "needs a name", method: "POST", path: path, body: `{"description":"x"}`, status: 422},
		{name: "needs a name without spaces", method: "POST", path: path, body: `{"name":"a b","description":"x"}`, status: 422, contains: []string{`"loc":["body","name"]`}},
		{name: "needs schemas that are valid", method: "POST", path: path, body: `{"name":"x","description":"","schemas":{"1":{"type":"nonsense"}}}`, status: 422, contains: []string{`"loc":["body","schemas","1","type"]`, "nearest: must be one of"}, excludes: []string{"schema:///", "metaschema"}},
		{name: "needs schemas that are objects", method: "POST", path: path, body: `{"name":"x","description":"","schemas":{"1":true}}`, status: 422},
		{name: "doesn't read files for its schemas", method: "POST", path: path, body: `{"name":"x","description":"","schemas":{"1":{"$ref":"file:///etc/passwd"}}}`, status: 422, excludes: []string{"root:"}},
		{name: "changes only what a PATCH names", method: "PATCH", path: path + "/order.created", body: `{"description":"New"}`, status: 200,
			contains: []string{`"description":"New"`, `"schemas":{"1":`}},
		{name: "loses the schemas that a PATCH makes null", method: "PATCH", path: path + "/order.created", body: `{"schemas":null,"deprecated":true}`, status: 200,
			contains: []string{`"deprecated":true`}, excludes: []string{"schemas"}},
		{name: "can't lose its description", method: "PATCH", path: path + "/order.created", body: `{"description":null}`, status: 422},
		{name: "checks schemas in a PATCH", method: "PATCH", path: path + "/order.created", body: `{"schemas":{"1":{"type":1}}}`, status: 422},
		{name: "is replaced by a PUT", method: "PUT", path: path + "/order.created", body: `{"description":"Put"}`, status: 200, contains: []string{`"description":"Put"`, `"deprecated":false`}},
		{name: "is created by a PUT", method: "PUT", path: path + "/order.deleted", body: `{"description":"Put"}`, status: 201, contains: []string{`"name":"order.deleted"`}},
		{name: "is not created by a PUT with a bad name", method: "PUT", path: path + "/a%20b", body: `{"description":"Put"}`, status: 422},
		{name: "is archived by a DELETE", method: "DELETE", path: path + "/order.created", status: 204},
		{name: "is found when archived", method: "GET", path: path + "/order.created", status: 200, contains: []string{`"archived":true`}},
		{name: "is not listed when archived", method: "GET", path: path, status: 200, contains: []string{"order.deleted"}, excludes: []string{"order.created"}},
		{name: "is listed when archived on demand", method: "GET", path: path + "?include_archived=true", status: 200, contains: []string{"order.created", "order.deleted"}},
		{name: "comes back when created again", method: "POST", path: path, body: `{"name":"order.created","description":"Again"}`, status: 201, contains: []string{`"archived":false`}},
		{name: "is expunged on demand", method: "DELETE", path: path + "/order.created?expunge=true", status: 204},
		{name: "is gone then", method: "GET", path: path + "/order.created", status: 404},
		{name: "is a list with names for iterators", method: "GET", path: path + "?iterator=order.created", status: 200, contains: []string{"order.deleted", `"iterator":"order.deleted"`}},
		{name: "needs an iterator that can be a name", method: "GET", path: path + "?iterator=a%20b", status: 422},
		{name: "names every schema that is wrong, whatever its version is called", method: "POST", path: path, body: `{"name":"x","description":"","schemas":{"1.0":{"properties":{"a":{"minLength":-1}}},"2.0":{"$ref":"#/nowhere"},"3":{}}}`, status: 422,
			contains: []string{`"loc":["body","schemas","1.0","properties","a","minLength"],"msg":"must be 0 or more"`, `"loc":["body","schemas","2.0"]`}, excludes: []string{`"schemas","3"`, "file:", "schema:///"}},
		{name: "needs versions that fit into a header", method: "POST", path: path, body: `{"name":"x","description":"","schemas":{"1 ":{}}}`, status: 422, contains: []string{`"loc":["body","schemas","1 "]`}},
		{name: "takes null for what is optional", method: "POST", path: path, body: `{"name":"nulls","description":"","schemas":null,"groupName":null,"featureFlags":null,"featureFlag":null,"payloadValidation":null,"unknown":1}`, status: 201,
			contains: []string{`"payloadValidation":"off"`}, excludes: []string{"schemas", "groupName", "featureFlag"}},
		{name: "has a group, flags and a mode of validation", method: "POST", path: path, body: `{"name":"full","description":"","groupName":"billing","featureFlags":["a","b","a"],"payloadValidation":"warn"}`, status: 201,
			contains: []string{`"groupName":"billing"`, `"featureFlags":["a","b"]`, `"featureFlag":"a"`, `"payloadValidation":"warn"`}},
		{name: "keeps its validation in a PUT that doesn't know it, and nothing else", method: "PUT", path: path + "/full", body: `{"description":"d"}`, status: 200,
			contains: []string{`"payloadValidation":"warn"`}, excludes: []string{"groupName", "featureFlag"}},
		{name: "changes its validation by a PUT", method: "PUT", path: path + "/full", body: `{"description":"d","payloadValidation":"reject","groupName":"g"}`, status: 200, contains: []string{`"payloadValidation":"reject"`}},
		{name: "keeps what a PATCH doesn't name", method: "PATCH", path: path + "/full", body: `{"featureFlag":"c"}`, status: 200,
			contains: []string{`"payloadValidation":"reject"`, `"groupName":"g"`, `"featureFlags":["c"]`}},
		{name: "loses what a PATCH makes null", method: "PATCH", path: path + "/full", body: `{"featureFlags":null,"groupName":null,"payloadValidation":null}`, status: 200,
			contains: []string{`"payloadValidation":"off"`}, excludes: []string{"groupName", "featureFlag"}},
		{name: "has no other modes of validation", method: "PATCH", path: path + "/full", body: `{"payloadValidation":"maybe"}`, status: 422, contains: []string{`"loc":["body","payloadValidation"]`}},
		{name: "has no empty group", method: "PATCH", path: path + "/full", body: `{"groupName":"a b"}`, status: 422, contains: []string{`"loc":["body","groupName"]`}},
		{name: "has flags that are names", method: "PATCH", path: path + "/full", body: `{"featureFlags":["a b"]}`, status: 422, contains: []string{`"body","featureFlags"`}},
		{name: "is un-archived by a PATCH", method: "PATCH", path: path + "/full", body: `{"archived":true}`, status: 200, contains: []string{`"archived":true`}},
		{name: "is un-archived by a PATCH again", method: "PATCH", path: path + "/full", body: `{"archived":false}`, status: 200, contains: []string{`"archived":false`}},
		{name: "is expunged by a bare parameter too", method: "DELETE", path: path + "/full?expunge", status: 204},
		{name: "is gone after that", method: "GET", path: path + "/full", status: 404},
		{name: "shows a flagged one to the organisation", method: "POST", path: path, body: `{"name":"beta","description":"","featureFlag":"beta"}`, status: 201, contains: []string{`"featureFlag":"beta"`}},
	})
}

// flagged is the token of an application that holds feature flags.
func (b *bundle) flagged(app string, flags ...string) string {
	b.t.Helper()
	return b.issue(Grant{App: app, FeatureFlags: flags})
}

func TestFeatureFlags(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	for _, body := range []string{
		`{"name":"plain","description":""}`, `{"name":"beta","description":"","featureFlags":["beta","preview"]}`,
		`{"name":"older","description":"","featureFlag":"beta"}`, `{"name":"other","description":"","featureFlags":["other"]}`,
	} {
		b.must(http.StatusCreated, "POST", "/event-type", body)
	}
	for name, c := range map[string]struct {
		token string
		sees  []string
	}{
		"without a flag":                {b.issue(Grant{App: app}), []string{"plain"}},
		"with one of several flags":     {b.issue(Grant{App: app, FeatureFlags: []string{"preview"}}), []string{"beta", "plain"}},
		"with the flag of two":          {b.issue(Grant{App: app, FeatureFlags: []string{"x", "beta"}}), []string{"beta", "older", "plain"}},
		"with an organisation's powers": {b.org, []string{"beta", "older", "other", "plain"}},
	} {
		t.Run("an event type with flags is shown to a token "+name, func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			require.Equal(t, c.sees, b.as(c.token, "GET", "/event-type", "").page(t).keys("name"))
			for _, event := range []string{"beta", "older", "other", "plain"} {
				want := http.StatusNotFound
				for _, seen := range c.sees {
					if seen == event {
						want = http.StatusOK
					}
				}
				require.Equal(t, want, b.as(c.token, "GET", "/event-type/"+event, "").status, event)
			}
		})
	}
	t.Run("nobody subscribes to what they can't see", func(t *testing.T) {
		t.Parallel()
		b := b.in(t)
		path := "/app/" + app + "/endpoint"
		for _, field := range []string{`"eventTypes":["plain","beta"]`, `"payloadVersions":{"beta":"1"}`} {
			body := `{"url":"https://example.com",` + field + `}`
			r := b.as(b.issue(Grant{App: app}), "POST", path, body)
			require.Equal(t, http.StatusUnprocessableEntity, r.status)
			require.Contains(t, r.body, "don't exist: beta")
			require.Equal(t, http.StatusCreated, b.as(b.issue(Grant{App: app, FeatureFlags: []string{"beta"}}), "POST", path, body).status)
			require.Equal(t, http.StatusCreated, b.do("POST", path, body).status)
		}
	})
}
