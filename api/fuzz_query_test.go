package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// readable replaces what a request line can't hold.
func readable(query string) string {
	var b strings.Builder
	for _, c := range []byte(query) {
		if c <= ' ' || c > '~' || c == '#' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

var parameter = regexp.MustCompile(`\{([a-z_]+)\}`)

// fillPath puts names into a path of the route table. What has no name in there gets one that nothing has.
func fillPath(path string, names map[string]string) string {
	return parameter.ReplaceAllStringFunc(path, func(braced string) string {
		if name, ok := names[strings.Trim(braced, "{}")]; ok {
			return url.PathEscape(name)
		}
		return "nothing"
	})
}

// Whatever the query is, everything that can be read is read, or refused for what the query is.
func FuzzListQuery(f *testing.F) {
	b := setup(f)
	names := map[string]string{"app_id": b.application(), "event_type_name": "order.created"}
	b.must(http.StatusCreated, "POST", "/event-type", `{"name":"order.created","description":""}`)
	names["endpoint_id"] = b.endpoint(names["app_id"], `{"url":"https://example.com"}`)
	names["msg_id"] = b.message(names["app_id"], `{"eventType":"order.created","payload":{}}`)
	for _, seed := range []string{
		"", "limit=250", "limit=251", "limit=0", "limit=-1", "limit=1e9", "limit=9999999999999999999999", "limit=%00", "limit",
		"iterator=-&order=ascending", "iterator=msg_06h10tsgfnshh4j0zsg35j58rc&limit=1", "iterator=%ff", "order=sideways", "order=",
		"event_types=a,b&event_types[]=c&event_types[1]=d", "event_types[=x", "event_types]=x", "event_types[", "event_types=,,,", "event_types=%zz",
		"before=2026-01-01T00:00:00Z&after=2027-01-01T00:00:00Z", "before=0000-01-01T00:00:00Z", "after=9999-12-31T23:59:59.999999999%2B23:59",
		"before=1", "after=-292277022399-01-01T00:00:00Z", "status=0&status_code_class=500", "status=1&status=2", "status=4", "status_code_class=250",
		"channel=%00", "channel=a%27%20OR%201=1--", "with_content=yes", "with_content=false&with_content=true", "include_archived=1",
		"a=1;b=2", "%", "&&&", "=", "?", "endpoint_id=ep_nothing", "endpoint_id=%F0%9F%92%A5",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, r := range (&Server{}).routes() {
			if r.method != get || r.scope == public {
				continue
			}
			answer := b.in(t).do(r.method, fillPath(r.path, names)+"?"+readable(query), "")
			require.Contains(t, []int{http.StatusOK, http.StatusBadRequest, http.StatusNotFound, http.StatusUnprocessableEntity}, answer.status,
				"%s: %s", r.id, answer.body)
		}
	})
}

// Whatever a path names things by, they are found, or there are none.
func FuzzPath(f *testing.F) {
	b := setup(f)
	app := b.application()
	for _, seed := range []string{"", ".", "..", "/", "%2F", "\x00", "app_", app, strings.ToUpper(app), "app_06h10tsb8xv2b0ayj0hvx4f46m", strings.Repeat("a", 300), "é", "\xff", "a b", "{app_id}", "'"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		names := map[string]string{}
		for _, field := range []string{"app_id", "endpoint_id", "msg_id", "attempt_id", "event_type_name"} {
			names[field] = name
		}
		for _, r := range (&Server{}).routes() {
			if r.method == get && r.scope != public && strings.Contains(r.path, "{") {
				answer := b.in(t).do(r.method, fillPath(r.path, names), "")
				// A name of several segments makes another path, and dots climb up.
				require.Less(t, answer.status, http.StatusInternalServerError, "%s: %s", r.id, answer.body)
			}
		}
	})
}

// A signing secret is accepted or refused, and what is wrong with it is said without repeating it.
func FuzzEndpointSecret(f *testing.F) {
	b := setup(f)
	app := b.application()
	for _, seed := range []string{
		"whsec_", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "whsec_!!!!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==", "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
		"whsk_", "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", "\x00", "whsec_" + strings.Repeat("AAAA", 100),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, secret string) {
		quoted, err := json.Marshal(secret)
		require.NoError(t, err)
		b := b.in(t)
		r := b.do("POST", "/app/"+app+"/endpoint", `{"url":"https://example.com","secret":`+string(quoted)+`}`)
		require.Contains(t, []int{http.StatusCreated, http.StatusUnprocessableEntity}, r.status, r.body)
		if r.status == http.StatusCreated {
			key := b.do("GET", "/app/"+app+"/endpoint/"+r.field(t, "id")+"/secret", "").field(t, "key")
			require.True(t, strings.HasPrefix(key, "whsec_") || strings.HasPrefix(key, "whpk_"), key)
			return
		}
		if _, material, ok := strings.Cut(secret, "_"); ok && len(material) >= 8 {
			require.NotContains(t, r.body, material)
		}
	})
}
