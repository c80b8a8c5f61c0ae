package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/signing"
)

func TestEndpoint(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, name := range []string{"a", "b"} {
		b.must(201, "POST", "/event-type", `{"name":"`+name+`","description":""}`)
	}
	app, other := b.application(), b.application()
	plain := b.endpoint(app, `{"url":"https://example.com/hook"}`)
	full := b.endpoint(app, `{"url":"https://user:pass@example.com/x?y=z","description":"d","uid":"main","eventTypes":["a","b","a"],
		"channels":["c"],"disabled":true,"throttleRate":3,"maxInFlight":4,"metadata":{"k":"v"}}`)
	path := "/app/{app}/endpoint"
	b.run(t, strings.NewReplacer("{app}", app, "{other}", other, "{plain}", plain, "{full}", full, "{long}", strings.Repeat("x", 65536)), []scenario{
		{name: "has defaults for all but its URL", method: "GET", path: path + "/{plain}", status: 200,
			contains: []string{`"url":"https://example.com/hook"`, `"disabled":false`, `"description":""`, `"metadata":{}`},
			excludes: []string{"eventTypes", "channels", "throttleRate", "maxInFlight", "uid", "whsec_", "secret", "headers"}},
		{name: "shows all that it was given", method: "GET", path: path + "/main", status: 200,
			contains: []string{`"id":"{full}"`, `"eventTypes":["a","b"]`, `"channels":["c"]`, `"disabled":true`, `"throttleRate":3`, `"maxInFlight":4`, `"metadata":{"k":"v"}`}},
		{name: "is not found in another application", method: "GET", path: "/app/{other}/endpoint/{full}", status: 404},
		{name: "is listed newest first", method: "GET", path: path + "?limit=1", status: 200, contains: []string{"{full}", `"done":false`}, excludes: []string{"{plain}", "whsec_"}},
		{name: "is listed oldest first on demand", method: "GET", path: path + "?limit=1&order=ascending", status: 200, contains: []string{"{plain}"}, excludes: []string{"{full}"}},
		{name: "leads back with the previous iterator", method: "GET", path: path + "?iterator=-{plain}", status: 200, contains: []string{"{full}"}, excludes: []string{`"id":"{plain}"`}},
		{name: "leads back in the other order too", method: "GET", path: path + "?iterator=-{full}&order=ascending", status: 200, contains: []string{"{plain}"}, excludes: []string{`"id":"{full}"`}},
		{name: "may use plain http", method: "POST", path: path, body: `{"url":"http://example.com"}`, status: 201},
		{name: "needs a URL", method: "POST", path: path, body: `{}`, status: 422, contains: []string{"url"}},
		{name: "needs a URL with a host", method: "POST", path: path, body: `{"url":"https:///x"}`, status: 422, contains: []string{`"loc":["body","url"]`}},
		{name: "can't have a URL of another scheme", method: "POST", path: path, body: `{"url":"ftp://example.com"}`, status: 422, contains: []string{`"loc":["body","url"]`}},
		{name: "doesn't repeat a bad URL's password", method: "POST", path: path, body: `{"url":"https://u:hunter2@exa mple.com"}`, status: 422, excludes: []string{"hunter2"}},
		{name: "can't have a URL of more than 65536 bytes", method: "POST", path: path, body: `{"url":"https://example.com/{long}"}`, status: 422, excludes: []string{"xxxx"}},
		{name: "can't have an empty list of event types", method: "POST", path: path, body: `{"url":"https://e.com","eventTypes":[]}`, status: 422, contains: []string{`"loc":["body","eventTypes"]`}},
		{name: "can't have an empty list of channels", method: "POST", path: path, body: `{"url":"https://e.com","channels":[]}`, status: 422, contains: []string{`"loc":["body","channels"]`}},
		{name: "takes null for no event types and channels", method: "POST", path: path, body: `{"url":"https://e.com","eventTypes":null,"channels":null}`, status: 201},
		{name: "can't have eleven channels", method: "POST", path: path, body: `{"url":"https://e.com","channels":["1","2","3","4","5","6","7","8","9","10","11"]}`, status: 422},
		{name: "names the channel that is wrong", method: "POST", path: path, body: `{"url":"https://e.com","channels":["1","a b"]}`, status: 422, contains: []string{`"loc":["body","channels","1"]`}},
		{name: "can't subscribe to event types that don't exist", method: "POST", path: path, body: `{"url":"https://e.com","eventTypes":["a","nope","nada"]}`, status: 422,
			contains: []string{`The following event types don't exist: `, "nope", "nada", `"loc":["body","eventTypes"]`}},
		{name: "reads the older names of fields", method: "POST", path: path, body: `{"url":"https://e.com","filterTypes":["a"],"rateLimit":4,"version":1}`, status: 201,
			contains: []string{`"eventTypes":["a"]`, `"throttleRate":4`}},
		{name: "can't have a throttle rate of 0", method: "POST", path: path, body: `{"url":"https://e.com","throttleRate":0}`, status: 422},
		{name: "can't have 0 requests under way", method: "POST", path: path, body: `{"url":"https://e.com","maxInFlight":0}`, status: 422, contains: []string{`"loc":["body","maxInFlight"]`}},
		{name: "can't have 10001 requests under way", method: "PATCH", path: path + "/{plain}", body: `{"maxInFlight":10001}`, status: 422, contains: []string{`"loc":["body","maxInFlight"]`}},
		{name: "is within its rate", method: "GET", path: path + "/main/rate-limit-status", status: 200, contains: []string{`{"status":"Ok"}`}},
		{name: "has no such status if it isn't there", method: "GET", path: path + "/nope/rate-limit-status", status: 404},
		{name: "can't take a taken uid", method: "POST", path: path, body: `{"url":"https://e.com","uid":"main"}`, status: 409, contains: []string{`"code":"conflict"`}},
		{name: "may have the same uid in another application", method: "POST", path: "/app/{other}/endpoint", body: `{"url":"https://e.com","uid":"main"}`, status: 201},
		{name: "can't have a uid like an id", method: "POST", path: path, body: `{"url":"https://e.com","uid":"ep_1"}`, status: 422},
		{name: "changes only what a PATCH names", method: "PATCH", path: path + "/main", body: `{"disabled":false}`, status: 200,
			contains: []string{`"disabled":false`, `"eventTypes":["a","b"]`, `"uid":"main"`, `"metadata":{"k":"v"}`}},
		{name: "loses what a PATCH makes null", method: "PATCH", path: path + "/main", body: `{"eventTypes":null,"channels":null,"throttleRate":null,"maxInFlight":null,"metadata":null}`, status: 200,
			contains: []string{`"metadata":{}`}, excludes: []string{"eventTypes", "channels", "throttleRate", "maxInFlight"}},
		{name: "checks event types in a PATCH", method: "PATCH", path: path + "/main", body: `{"eventTypes":["nope"]}`, status: 422},
		{name: "refuses an empty list in a PATCH", method: "PATCH", path: path + "/main", body: `{"channels":[]}`, status: 422},
		{name: "can't lose its URL", method: "PATCH", path: path + "/main", body: `{"url":null}`, status: 422, contains: []string{`"loc":["body","url"]`}},
		{name: "takes the older names in a PATCH", method: "PATCH", path: path + "/main", body: `{"filterTypes":["b"],"rateLimit":9}`, status: 200, contains: []string{`"eventTypes":["b"]`, `"throttleRate":9`}},
		{name: "is cleared by a PUT without filters", method: "PUT", path: path + "/main", body: `{"url":"https://e.com"}`, status: 200,
			contains: []string{`"id":"{full}"`, `"uid":"main"`}, excludes: []string{"eventTypes", "throttleRate"}},
		{name: "is created by a PUT to an unknown uid", method: "PUT", path: path + "/fresh", body: `{"url":"https://e.com"}`, status: 201, contains: []string{`"uid":"fresh"`}},
		{name: "is not created by a PUT to an unknown id", method: "PUT", path: path + "/ep_1", body: `{"url":"https://e.com"}`, status: 404},
		{name: "can't be changed through another application", method: "PUT", path: "/app/{other}/endpoint/{plain}", body: `{"url":"https://e.com"}`, status: 404},
		{name: "can't be deleted through another application", method: "DELETE", path: "/app/{other}/endpoint/{plain}", status: 404},
		{name: "can be deleted", method: "DELETE", path: path + "/main", status: 204},
		{name: "is gone then", method: "GET", path: path + "/{full}", status: 404},
		{name: "frees its uid", method: "POST", path: path, body: `{"url":"https://e.com","uid":"main"}`, status: 201},
		{name: "needs an application that exists", method: "POST", path: "/app/nope/endpoint", body: `{"url":"https://e.com"}`, status: 404},
	})
}

const (
	secretOf24 = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	secretOf64 = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLQ=="
	privateKey = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
	publicKey  = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="
)

func TestSecret(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	secretPath := func(endpoint string) string { return "/app/" + app + "/endpoint/" + endpoint + "/secret" }
	current := func(t *testing.T, endpoint string) string {
		t.Helper()
		r := b.do("GET", secretPath(endpoint), "")
		require.Equal(t, http.StatusOK, r.status, r.body)
		return r.field(t, "key")
	}
	rotate := func(endpoint, body string) reply { return b.do("POST", secretPath(endpoint)+"/rotate", body) }

	t.Run("is made if none is given", func(t *testing.T) {
		key, err := signing.ParseKey(current(t, b.endpoint(app, `{"url":"https://e.com"}`)))
		require.NoError(t, err)
		require.True(t, key.CanSign())
		require.True(t, strings.HasPrefix(key.Reveal(), "whsec_"))
	})
	t.Run("can be chosen", func(t *testing.T) {
		for secret, shown := range map[string]string{secretOf24: secretOf24, secretOf64: secretOf64, privateKey: publicKey} {
			made := b.do("POST", "/app/"+app+"/endpoint", `{"url":"https://e.com","secret":"`+secret+`"}`)
			require.Equal(t, http.StatusCreated, made.status, made.body)
			require.NotContains(t, made.body, secret)
			require.Equal(t, shown, current(t, made.field(t, "id")))
		}
	})
	t.Run("is refused if it is no good, and not repeated", func(t *testing.T) {
		for _, secret := range []string{"whsec_c2hvcnQ=", "whsec_" + strings.Repeat("QUFB", 26), "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", publicKey, "whsec_!"} {
			r := b.do("POST", "/app/"+app+"/endpoint", `{"url":"https://e.com","secret":"`+secret+`"}`)
			require.Equal(t, http.StatusUnprocessableEntity, r.status, r.body)
			require.Contains(t, r.body, `"loc":["body","secret"]`)
			require.NotContains(t, r.body, secret)
		}
	})
	t.Run("is replaced by a fresh one or a given one", func(t *testing.T) {
		ep := b.endpoint(app, `{"url":"https://e.com"}`)
		first := current(t, ep)
		for _, body := range []string{"", "{}", `{"key":null,"gracePeriodSeconds":null}`} {
			r := rotate(ep, body)
			require.Equal(t, http.StatusNoContent, r.status, r.body)
			require.Empty(t, r.body)
		}
		require.NotEqual(t, first, current(t, ep))
		require.Equal(t, http.StatusNoContent, rotate(ep, `{"key":"`+secretOf24+`"}`).status)
		require.Equal(t, secretOf24, current(t, ep))
		stored, err := b.store.Endpoint(t.Context(), app, ep)
		require.NoError(t, err)
		require.Len(t, stored.Secrets, 5, "the replaced ones sign on")
	})
	t.Run("signs no longer after a grace period of 0", func(t *testing.T) {
		ep := b.endpoint(app, `{"url":"https://e.com"}`)
		require.Equal(t, http.StatusNoContent, rotate(ep, `{"gracePeriodSeconds":0}`).status)
		stored, err := b.store.Endpoint(t.Context(), app, ep)
		require.NoError(t, err)
		require.Len(t, stored.Secrets, 1)
	})
	t.Run("has a grace period of a week at most", func(t *testing.T) {
		ep := b.endpoint(app, `{"url":"https://e.com"}`)
		require.Equal(t, http.StatusNoContent, rotate(ep, `{"gracePeriodSeconds":604800}`).status)
		for _, seconds := range []string{"604801", "-1"} {
			require.Equal(t, http.StatusUnprocessableEntity, rotate(ep, `{"gracePeriodSeconds":`+seconds+`}`).status)
		}
	})
	t.Run("can be replaced ten times in the grace period", func(t *testing.T) {
		ep := b.endpoint(app, `{"url":"https://e.com"}`)
		for range 10 {
			require.Equal(t, http.StatusNoContent, rotate(ep, "").status)
		}
		r := rotate(ep, "")
		require.Equal(t, http.StatusBadRequest, r.status, r.body)
		require.Equal(t, "limit_reached", r.field(t, "code"))
	})
	t.Run("is never logged", func(t *testing.T) {
		require.NotContains(t, b.log.String(), "whsec_M")
		require.NotContains(t, b.log.String(), "whsk_6")
	})
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	ep := b.endpoint(app, `{"url":"https://e.com"}`)
	path := "/app/{app}/endpoint/{ep}/headers"
	scenarios := []scenario{
		{name: "are none at first", method: "GET", path: path, status: 200, contains: []string{`{"headers":{},"sensitive":[]}`}},
		{name: "are set by a PUT", method: "PUT", path: path, body: `{"headers":{"X-Foo":"1","x-Bar":"2","Authorization":"Bearer hunter2","X-API-Key":"hunter3"}}`, status: 204},
		{name: "keep their spelling, and show sensitive ones by name only", method: "GET", path: path, status: 200,
			contains: []string{`"X-Foo":"1"`, `"x-Bar":"2"`, `"sensitive":["Authorization","X-API-Key"]`}, excludes: []string{"hunter"}},
		{name: "are added, changed and removed by a PATCH", method: "PATCH", path: path, body: `{"headers":{"x-foo":"3","X-BAR":null,"X-New":"4","authorization":null}}`, status: 204},
		{name: "are as the PATCH made them", method: "GET", path: path, status: 200,
			contains: []string{`{"headers":{"X-New":"4","x-foo":"3"},"sensitive":["X-API-Key"]}`}, excludes: []string{"hunter"}},
		{name: "are not shown with the endpoint", method: "GET", path: "/app/{app}/endpoint/{ep}", status: 200, excludes: []string{"hunter", "X-New", "headers"}},
		{name: "can't be there twice", method: "PUT", path: path, body: `{"headers":{"X-A":"1","x-a":"2"}}`, status: 422},
		{name: "can't have a value of more than 4096 bytes", method: "PUT", path: path, body: `{"headers":{"X-A":"` + strings.Repeat("x", 4097) + `"}}`, status: 422},
		{name: "can't be null in a PUT", method: "PUT", path: path, body: `{"headers":{"X-A":null}}`, status: 422},
		{name: "need a name", method: "PUT", path: path, body: `{"headers":{"":"1"}}`, status: 422},
		{name: "need a name without spaces", method: "PUT", path: path, body: `{"headers":{"X A":"1"}}`, status: 422},
	}
	for _, bad := range []string{`a\r\nX-Evil: 1`, `a\n`, `\u0000`} {
		scenarios = append(scenarios, scenario{name: "can't have the value " + bad, method: "PATCH", path: path, body: `{"headers":{"X-A":"` + bad + `"}}`, status: 422,
			contains: []string{`"loc":["body","headers"]`}})
	}
	for _, name := range []string{"Host", "Content-Length", "content-type", "Connection", "Transfer-Encoding", "User-Agent", "Webhook-Id", "webhook-signature",
		"svix-id", "X-Svix-Id", "TE", "Upgrade", "Cache-Control", "x-amz-date", "X-Goog-Foo", "x-google-y", "X-Azure-Ref", "X-FD-HealthProbe", "x-gfe-z", "X-Amzn-Id"} {
		scenarios = append(scenarios, scenario{name: "can't include " + name, method: "PUT", path: path, body: `{"headers":{"` + name + `":"1"}}`, status: 422, contains: []string{name}})
	}
	scenarios = append(scenarios, scenario{name: "are as they were after what was refused", method: "GET", path: path, status: 200, contains: []string{`{"X-New":"4","x-foo":"3"}`}})
	b.run(t, strings.NewReplacer("{app}", app, "{ep}", ep), scenarios)
	require.NotContains(t, b.log.String(), "hunter")
}
