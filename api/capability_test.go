package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

// somewhere fills the parameters of any path with names of things that aren't there.
func somewhere(path string, app string) string {
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		switch {
		case segment == "{app_id}":
			segments[i] = app
		case strings.HasPrefix(segment, "{"):
			segments[i] = "nothing"
		}
	}
	return strings.Join(segments, "/")
}

// No operation, whoever adds it, lets a limited token do more than it may: the rule is one of methods.
func TestLimitedTokensOnEveryRoute(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	for _, r := range (&Server{}).routes() {
		if r.scope == public || r.path == "/auth/logout" || r.path == "/auth/whoami" {
			continue
		}
		t.Run(r.method+" "+r.path, func(t *testing.T) {
			reads := (r.method == "GET" || r.method == "HEAD" || r.path == "/app/{app_id}/msg/search") && !strings.Contains(r.path, "secret") && !strings.Contains(r.path, "/consumer/")
			for name, c := range map[string]struct {
				grant Grant
				may   bool
			}{
				"read-only, organisation":              {Grant{ReadOnly: true}, reads},
				"read-only, application":               {Grant{App: app, ReadOnly: true}, reads && r.scope == application},
				"view only":                            {Grant{App: app, Capabilities: []Capability{ViewBase}}, reads && r.scope == application},
				"nothing":                              {Grant{App: app, Capabilities: []Capability{}}, false},
				"nothing that is known":                {Grant{App: app, Capabilities: []Capability{"Everything", fullAccess}}, false},
				"read-only whatever else it may":       {Grant{App: app, ReadOnly: true, Capabilities: []Capability{ViewEndpointSecret, ManageEndpoint}}, false},
				"all capabilities of an application's": {Grant{App: app, Capabilities: Capabilities()}, r.scope == application},
				"its capability, organisation":         {Grant{Capabilities: []Capability{r.needs()}}, r.needs() != fullAccess},
				"its capability, application":          {Grant{App: app, Capabilities: []Capability{r.needs()}}, r.scope == application},
			} {
				answer := b.in(t).as(b.issue(c.grant), r.method, somewhere(r.path, app), "")
				require.NotEqual(t, http.StatusUnauthorized, answer.status, name)
				require.Equal(t, c.may, answer.status != http.StatusForbidden, "%s: %d %s", name, answer.status, answer.body)
			}
		})
	}
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	b.must(201, "POST", "/event-type", `{"name":"e","description":""}`)
	ep := b.endpoint(app, `{"url":"https://example.com"}`)
	m := b.message(app, `{"eventType":"e","payload":{}}`)
	secret := b.do("GET", "/app/"+app+"/endpoint/"+ep+"/secret", "").field(t, "key")
	endpoint := "/app/" + app + "/endpoint/" + ep
	calls := []struct {
		need               Capability
		method, path, body string
		status             int
	}{
		{ViewBase, "GET", "/app/" + app, "", 200},
		{ViewBase, "GET", endpoint, "", 200},
		{ViewBase, "GET", endpoint + "/headers", "", 200},
		{ViewBase, "GET", "/app/" + app + "/msg/" + m, "", 200},
		{ViewBase, "GET", "/event-type", "", 200},
		{ViewEndpointSecret, "GET", endpoint + "/secret", "", 200},
		{ManageEndpointSecret, "POST", endpoint + "/secret/rotate", `{"key":"` + secret + `","gracePeriodSeconds":0}`, 204},
		{CreateAttempts, "POST", "/app/" + app + "/msg/" + m + "/endpoint/" + ep + "/resend", "", 202},
		{ManageEndpoint, "PATCH", endpoint, `{"description":"x"}`, 200},
		{ManageEndpoint, "PUT", endpoint + "/headers", `{"headers":{}}`, 204},
		{CreateMessages, "POST", "/app/" + app + "/msg", `{"eventType":"e","payload":{}}`, 202},
	}
	for _, has := range Capabilities() {
		t.Run(string(has)+" is good for what it says", func(t *testing.T) {
			for _, token := range []string{b.issue(Grant{Capabilities: []Capability{has}}), b.issue(Grant{App: app, Capabilities: []Capability{has}})} {
				for _, c := range calls {
					want := http.StatusForbidden
					if c.need == has && (has != CreateMessages || b.as(token, "GET", "/auth/whoami", "").field(t, "appId") == "") {
						want = c.status
					}
					r := b.as(token, c.method, c.path, c.body)
					require.Equal(t, want, r.status, "%s %s: %s", c.method, c.path, r.body)
					if want == http.StatusForbidden {
						require.NotContains(t, r.body, secret)
					}
				}
			}
		})
	}
	t.Run("a refusal says no more than that", func(t *testing.T) {
		b.as(b.issue(Grant{App: app, ReadOnly: true}), "GET", endpoint+"/secret", "").
			requireRefused(t, http.StatusForbidden, "insufficient access", "The token is limited and may not do this.")
	})
}

// What operations that are yet to come will need: the names are those of Svix's API.
func TestNeedsFollowFromThePath(t *testing.T) {
	t.Parallel()
	for path, c := range map[string]struct {
		method string
		scope  scope
		want   Capability
	}{
		ep + "/transformation":                           {patch, application, ManageTransformations},
		ep + "/recover":                                  {post, application, CreateAttempts},
		ep + "/replay-missing":                           {post, application, CreateAttempts},
		ep + "/send-example":                             {post, organisation, CreateAttempts},
		ep + "/stats":                                    {get, application, ViewBase},
		app + "/msg/search":                              {post, application, ViewBase},
		app + "/msg/batch":                               {post, organisation, CreateMessages},
		"/msg/broadcast":                                 {post, organisation, CreateMessages},
		msg + "/content":                                 {remove, organisation, fullAccess},
		"/operational-webhook/endpoint/{x}/secret":       {get, organisation, ViewEndpointSecret},
		app + "/poller/{sink_id}":                        {get, application, ViewBase},
		app + "/poller/{sink_id}/consumer/{consumer_id}": {get, application, ManageEndpoint},
		"/stats/usage/app":                               {post, organisation, fullAccess},
		"/app/{app_id}/endpoint/{endpoint_id}/new-thing": {post, application, ManageEndpoint},
	} {
		require.Equal(t, c.want, route{method: c.method, path: path, scope: c.scope}.needs(), path)
	}
}

// An application's token learns nothing of what others have: what is theirs answers like what is not there.
func TestForeignAndUnknownAnswerAlike(t *testing.T) {
	t.Parallel()
	b := setup(t)
	own, foreign := b.application(), b.application()
	b.must(200, "PATCH", "/app/"+foreign, `{"uid":"foreign"}`)
	b.must(201, "POST", "/event-type", `{"name":"e","description":"","featureFlag":"beta"}`)
	ep := b.endpoint(foreign, `{"url":"https://example.com","uid":"main"}`)
	m := b.message(foreign, `{"eventType":"e","payload":{},"eventId":"evt"}`)
	token := b.issue(Grant{App: own})
	bodies := []string{"", "{}", `{"url":"https://example.com"}`, `{"headers":{}}`, "not JSON"}
	// Some operations need a range; the others don't mind it.
	now := time.Now().UTC()
	query := "?since=" + now.Add(-time.Hour).Format(time.RFC3339) + "&until=" + now.Format(time.RFC3339)
	ask := func(t *testing.T, method, path, body string) reply {
		if method == http.MethodGet {
			path += query
		}
		return b.in(t).with(http.Header{"Authorization": {"Bearer " + token}, requestIDHeader: {"same"}}, method, path, body)
	}
	for _, r := range (&Server{}).routes() {
		if r.scope != application || !strings.Contains(r.path, "{") {
			continue
		}
		t.Run(r.method+" "+r.path, func(t *testing.T) {
			fill := func(app, endpoint, message, evtype string) string {
				return strings.NewReplacer("{app_id}", app, "{endpoint_id}", endpoint, "{msg_id}", message, "{event_type_name}", evtype).Replace(somewhereElse(r.path))
			}
			unknown := fill(posthorn.ApplicationID.New(), posthorn.EndpointID.New(), posthorn.MessageID.New(), "nobody")
			for _, body := range bodies {
				want := ask(t, r.method, unknown, body)
				require.NotEqual(t, 200, want.status, want.body)
				for _, path := range []string{
					fill(foreign, ep, m, "e"), fill("foreign", "main", "evt", "e"), fill("nobody", "main", "evt", "e"),
					fill(foreign, posthorn.EndpointID.New(), posthorn.MessageID.New(), "e"),
				} {
					got := ask(t, r.method, path, body)
					require.Equal(t, want.status, got.status, path)
					require.Equal(t, want.body, got.body, path)
				}
				if body == "" && r.method == "GET" {
					want.requireRefused(t, http.StatusNotFound, "not_found", "Entity not found")
				}
			}
		})
	}
}

// somewhereElse leaves the parameters of a path that the test knows, and fills the rest.
func somewhereElse(path string) string {
	for _, known := range []string{"app_id", "endpoint_id", "msg_id", "event_type_name"} {
		path = strings.ReplaceAll(path, "{"+known+"}", "<"+known+">")
	}
	path = somewhere(path, "")
	return strings.NewReplacer("<", "{", ">", "}").Replace(path)
}
