package api

import (
	"strings"
	"testing"
)

func TestHeadersFromTheStart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	ep := b.endpoint(app, `{"url":"https://e.com","headers":{"X-Color":"red","X-Size":"1","Authorization":"Bearer hunter2"}}`)
	endpoints := "/app/{app}/endpoint"
	path := endpoints + "/{ep}/headers"
	b.run(t, strings.NewReplacer("{app}", app, "{ep}", ep), []scenario{
		{name: "come with the endpoint", method: "GET", path: path, status: 200,
			contains: []string{`{"headers":{"X-Color":"red","X-Size":"1"},"sensitive":["Authorization"]}`}, excludes: []string{"hunter2"}},
		{name: "are not shown with the endpoint", method: "GET", path: endpoints + "/{ep}", status: 200, excludes: []string{"hunter2", "headers"}},
		{name: "are checked", method: "POST", path: endpoints, body: `{"url":"https://e.com","headers":{"Content-Length":"1"}}`, status: 422,
			contains: []string{`"loc":["body","headers"]`, "Content-Length"}},
		{name: "can't be there twice", method: "POST", path: endpoints, body: `{"url":"https://e.com","headers":{"X-A":"1","x-a":"2"}}`, status: 422},
		{name: "are left alone by a PUT of the endpoint", method: "PUT", path: endpoints + "/{ep}", body: `{"url":"https://e.com/other"}`, status: 200},
		{name: "are there still", method: "GET", path: path, status: 200, contains: []string{`"X-Color":"red"`}},
		{name: "are removed by their names in any case, and one is added again", method: "PATCH", path: path,
			body: `{"headers":{"X-Size":"2"},"deleteHeaders":["x-color","X-SIZE","authorization","X-Unknown"]}`, status: 204},
		{name: "are as the PATCH made them", method: "GET", path: path, status: 200, contains: []string{`{"headers":{"X-Size":"2"},"sensitive":[]}`}},
	})
}
