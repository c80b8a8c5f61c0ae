package api

import (
	"strings"
	"testing"
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
		{name: "needs schemas that are valid", method: "POST", path: path, body: `{"name":"x","description":"","schemas":{"1":{"type":"nonsense"}}}`, status: 422, contains: []string{`"loc":["body","schemas","1"]`}},
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
		{name: "shows a flagged one to the organisation", method: "POST", path: path, body: `{"name":"beta","description":"","featureFlag":"beta"}`, status: 201, contains: []string{`"featureFlag":"beta"`}},
	})
}
