package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestApplication(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.must(201, "POST", "/app", `{"name":"Acme","uid":"acme","throttleRate":7,"metadata":{"plan":"pro"}}`)
	big := strings.Repeat("x", 5000)
	b.run(t, strings.NewReplacer("{app}", id, "{big}", big), []scenario{
		{name: "is found by its id", method: "GET", path: "/app/{app}", status: 200,
			contains: []string{`"id":"{app}"`, `"uid":"acme"`, `"name":"Acme"`, `"throttleRate":7`, `"metadata":{"plan":"pro"}`, `"createdAt":"20`, `Z"`},
			excludes: []string{"org_", "$schema"}},
		{name: "is found by its uid", method: "GET", path: "/app/acme", status: 200, contains: []string{`"id":"{app}"`}},
		{name: "answers with a trailing slash too", method: "GET", path: "/app/acme/", status: 200, contains: []string{`"id":"{app}"`}},
		{name: "can't take a uid that is taken", method: "POST", path: "/app", body: `{"name":"x","uid":"acme"}`, status: 409, contains: []string{`"code":"conflict"`}},
		{name: "is answered instead of created with get_if_exists", method: "POST", path: "/app?get_if_exists=true", body: `{"name":"x","uid":"acme"}`, status: 200,
			contains: []string{`"id":"{app}"`, `"name":"Acme"`}},
		{name: "is created with get_if_exists if it doesn't exist", method: "POST", path: "/app?get_if_exists=true", body: `{"name":"x","uid":"new"}`, status: 201},
		{name: "ignores fields that it doesn't know", method: "POST", path: "/app", body: `{"name":"x","future":[1]}`, status: 201, excludes: []string{"future", "uid", "throttleRate"}},
		{name: "needs a name", method: "POST", path: "/app", body: `{}`, status: 422, contains: []string{`"loc":["body"]`, `name`, `"type":"value_error"`}},
		{name: "needs a name that isn't empty", method: "POST", path: "/app", body: `{"name":""}`, status: 422, contains: []string{`"loc":["body","name"]`}},
		{name: "needs a body", method: "POST", path: "/app", status: 422, contains: []string{`"type":"value_error.jsondecode"`}},
		{name: "needs JSON", method: "POST", path: "/app", body: `{"name":`, status: 422, contains: []string{`"type":"value_error.jsondecode"`, `"loc":["body"]`}},
		{name: "can't have a uid like an id", method: "POST", path: "/app", body: `{"name":"x","uid":"app_1"}`, status: 422, contains: []string{`"loc":["body","uid"]`}},
		{name: "can't have a uid with spaces", method: "POST", path: "/app", body: `{"name":"x","uid":"a b"}`, status: 422, contains: []string{`"loc":["body","uid"]`}},
		{name: "can't have a uid of 257 characters", method: "POST", path: "/app", body: `{"name":"x","uid":"` + strings.Repeat("a", 257) + `"}`, status: 422},
		{name: "takes a null uid for none", method: "POST", path: "/app", body: `{"name":"x","uid":null}`, status: 201, excludes: []string{`"uid"`}},
		{name: "can't have a throttle rate of 0", method: "POST", path: "/app", body: `{"name":"x","throttleRate":0}`, status: 422, contains: []string{`"throttleRate"`}},
		{name: "can't have more than 4096 bytes of metadata", method: "POST", path: "/app", body: `{"name":"x","metadata":{"k":"{big}"}}`, status: 422,
			contains: []string{`"loc":["body","metadata"]`}, excludes: []string{"xxxx"}},
		{name: "can only have strings in metadata", method: "POST", path: "/app", body: `{"name":"x","metadata":{"k":1}}`, status: 422},
		{name: "changes only what a PATCH names", method: "PATCH", path: "/app/{app}", body: `{"name":"Acme Inc"}`, status: 200,
			contains: []string{`"name":"Acme Inc"`, `"uid":"acme"`, `"throttleRate":7`, `"plan":"pro"`}},
		{name: "can't lose its name", method: "PATCH", path: "/app/{app}", body: `{"name":null}`, status: 422, contains: []string{`"loc":["body","name"]`}},
		{name: "can lose metadata and throttle rate", method: "PATCH", path: "/app/{app}", body: `{"metadata":null,"throttleRate":null}`, status: 200,
			contains: []string{`"metadata":{}`}, excludes: []string{"throttleRate"}},
		{name: "can have its metadata replaced", method: "PATCH", path: "/app/{app}", body: `{"metadata":{"plan":"free"}}`, status: 200,
			contains: []string{`"metadata":{"plan":"free"}`}},
		{name: "can have its metadata emptied", method: "PATCH", path: "/app/{app}", body: `{"metadata":{}}`, status: 200, contains: []string{`"metadata":{}`}},
		{name: "can lose its uid", method: "PATCH", path: "/app/{app}", body: `{"uid":null}`, status: 200, excludes: []string{`"uid"`}},
		{name: "is not found by its former uid", method: "GET", path: "/app/acme", status: 404, contains: []string{`"code":"not_found"`}},
		{name: "is replaced by a PUT", method: "PUT", path: "/app/{app}", body: `{"name":"B","uid":"b"}`, status: 200, contains: []string{`"uid":"b"`, `"name":"B"`}},
		{name: "keeps the uid that a PUT addressed it by", method: "PUT", path: "/app/b", body: `{"name":"C"}`, status: 200, contains: []string{`"id":"{app}"`, `"uid":"b"`}},
		{name: "is created by a PUT to an unknown uid", method: "PUT", path: "/app/fresh", body: `{"name":"D"}`, status: 201, contains: []string{`"uid":"fresh"`}},
		{name: "is not created by a PUT to an unknown id", method: "PUT", path: "/app/app_unknown", body: `{"name":"D"}`, status: 404},
		{name: "can't take a taken uid by PUT", method: "PUT", path: "/app/{app}", body: `{"name":"B","uid":"fresh"}`, status: 409},
		{name: "can be deleted", method: "DELETE", path: "/app/{app}", status: 204},
		{name: "is gone then", method: "GET", path: "/app/{app}", status: 404},
		{name: "can't be deleted twice", method: "DELETE", path: "/app/{app}", status: 404},
		{name: "frees its uid", method: "POST", path: "/app", body: `{"name":"x","uid":"b"}`, status: 201},
	})
}

func TestSameUIDInTwoOrganisations(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other, err := b.tokens.Organisation("org_other")
	require.NoError(t, err)
	first := b.must(201, "POST", "/app", `{"name":"x","uid":"acme"}`)
	second := b.as(other, "POST", "/app", `{"name":"x","uid":"acme"}`)
	require.Equal(t, http.StatusCreated, second.status, second.body)
	require.NotEqual(t, first, second.field(t, "id"))
	require.Equal(t, first, b.do("GET", "/app/acme", "").field(t, "id"))
	require.Equal(t, http.StatusNotFound, b.as(other, "GET", "/app/"+first, "").status)
}

func TestPages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var ids []string
	for i := range 10 {
		ids = append(ids, b.must(201, "POST", "/app", fmt.Sprintf(`{"name":"n%d"}`, i)))
	}
	reversed := slices.Clone(ids)
	slices.Reverse(reversed)

	for _, limit := range []int{1, 3, 6, 10, 50} {
		for order, want := range map[string][]string{"ascending": ids, "descending": reversed} {
			t.Run(fmt.Sprintf("of %d in %s order lead through the list and back", limit, order), func(t *testing.T) {
				list := func(iterator string) page {
					return b.do("GET", fmt.Sprintf("/app?limit=%d&order=%s&iterator=%s", limit, order, iterator), "").page(t)
				}
				var seen, back []string
				p := list("")
				for {
					seen = append(seen, p.keys("id")...)
					if p.Done {
						break
					}
					p = list(*p.Iterator)
				}
				require.Equal(t, want, seen)

				p = list(*p.Iterator)
				require.Empty(t, p.Data)
				require.Nil(t, p.Iterator)
				require.Nil(t, p.PrevIterator)
				require.True(t, p.Done)

				p = list("-" + want[len(want)-1])
				for {
					back = append(p.keys("id"), back...)
					if p.Done {
						break
					}
					p = list(*p.PrevIterator)
				}
				require.Equal(t, want[:len(want)-1], back)
			})
		}
	}

	b.run(t, strings.NewReplacer("{first}", ids[0]), []scenario{
		{name: "have 250 items at most", method: "GET", path: "/app?limit=250", status: 200},
		{name: "can't have 251 items", method: "GET", path: "/app?limit=251", status: 422, contains: []string{`"loc":["query","limit"]`}},
		{name: "can't have 0 items", method: "GET", path: "/app?limit=0", status: 422},
		{name: "need a limit that is a number", method: "GET", path: "/app?limit=abc", status: 400, contains: []string{`"code":"generic_error"`, "limit"}},
		{name: "need an order that is one", method: "GET", path: "/app?order=sideways", status: 400, contains: []string{`"code":"generic_error"`}},
		{name: "need an iterator that is an id", method: "GET", path: "/app?iterator=app_garbage", status: 422, contains: []string{`"loc":["query","iterator"]`}},
		{name: "need an iterator of the right kind", method: "GET", path: "/app?iterator=ep_06c1rg6rs9m5y1w5hy6qkz7jc8", status: 422},
		{name: "need an iterator without a second minus", method: "GET", path: "/app?iterator=--{first}", status: 422},
		{name: "are null at both ends when empty", method: "GET", path: "/event-type", status: 200,
			contains: []string{`"data":[]`, `"iterator":null`, `"prevIterator":null`, `"done":true`}},
	})
}
