package api

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// The Go client of Svix refuses answers with a field too few or too many, which makes it a strict judge.
func TestTheGoClientOfSvix(t *testing.T) {
	t.Parallel()
	b := setup(t)
	server, err := url.Parse(b.url)
	require.NoError(t, err)
	// The client's own retries and its shared connections would outlive the test.
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := svix.New(b.org, &svix.SvixOptions{ServerUrl: server, HTTPClient: &http.Client{Transport: transport, Timeout: 10 * time.Second}})
	ctx := t.Context()

	app, err := client.Application.GetOrCreate(ctx, &svix.ApplicationIn{Name: "Acme", Uid: svix.String("acme")})
	require.NoError(t, err)
	again, err := client.Application.GetOrCreate(ctx, &svix.ApplicationIn{Name: "Acme", Uid: svix.String("acme")})
	require.NoError(t, err)
	require.Equal(t, app.Id, again.Id)
	_, err = client.Application.Update(ctx, "acme", &svix.ApplicationIn{Name: "Acme Inc", RateLimit: svix.Int32(10)})
	require.NoError(t, err)
	patch := svix.ApplicationPatch{}
	patch.SetName("Acme Ltd")
	_, err = client.Application.Patch(ctx, "acme", &patch)
	require.NoError(t, err)
	apps, err := client.Application.List(ctx, nil)
	require.NoError(t, err)
	require.Len(t, apps.Data, 1)
	require.Equal(t, "Acme Ltd", apps.Data[0].Name)

	_, err = client.EventType.Create(ctx, &svix.EventTypeIn{Name: "order.created", Description: "An order"})
	require.NoError(t, err)
	_, err = client.EventType.Update(ctx, "order.paid", &svix.EventTypeUpdate{Description: "Paid"})
	require.NoError(t, err)
	eventTypes, err := client.EventType.List(ctx, nil)
	require.NoError(t, err)
	require.Len(t, eventTypes.Data, 2)
	_, err = client.EventType.Create(ctx, &svix.EventTypeIn{
		Name: "order.sent", Description: "Sent", GroupName: svix.String("orders"), FeatureFlag: svix.String("beta"),
		Schemas: map[string]any{"1": map[string]any{"type": "object", "examples": []any{map[string]any{"id": "1"}}}},
	})
	require.NoError(t, err)
	sent, err := client.EventType.Get(ctx, "order.sent")
	require.NoError(t, err)
	require.Equal(t, "orders", *sent.GroupName)
	require.Equal(t, "beta", *sent.FeatureFlag)
	require.Contains(t, sent.Schemas, "1")
	patched := svix.EventTypePatch{}
	patched.SetDeprecated(true)
	sent, err = client.EventType.Patch(ctx, "order.sent", &patched)
	require.NoError(t, err)
	require.True(t, sent.Deprecated)
	require.Contains(t, sent.Schemas, "1", "a PATCH leaves alone what it doesn't name")
	spec := map[string]any{"openapi": "3.1.0", "webhooks": map[string]any{"pet.new": map[string]any{"post": map[string]any{"description": "A pet"}}}}
	planned, err := client.EventType.ImportOpenApi(ctx, svix.EventTypeImportOpenApiIn{Spec: spec, DryRun: optional(true)})
	require.NoError(t, err)
	require.Empty(t, planned.Data.Modified)
	require.Len(t, planned.Data.ToModify, 1)
	imported, err := client.EventType.ImportOpenApi(ctx, svix.EventTypeImportOpenApiIn{Spec: spec})
	require.NoError(t, err)
	require.Equal(t, []string{"pet.new"}, imported.Data.Modified)
	require.NoError(t, client.EventType.DeleteWithOptions(ctx, "pet.new", &svix.EventTypeDeleteOptions{Expunge: optional(true)}))
	_, err = client.EventType.Get(ctx, "pet.new")
	require.Error(t, err)

	in := svix.EndpointIn{Url: "https://example.com/hook", FilterTypes: []string{"order.created"}}
	in.SetUid("main")
	endpoint, err := client.Endpoint.Create(ctx, "acme", &in)
	require.NoError(t, err)
	require.Equal(t, []string{"order.created"}, endpoint.FilterTypes)
	_, err = client.Endpoint.Update(ctx, "acme", "main", &svix.EndpointUpdate{Url: "https://example.com/other"})
	require.NoError(t, err)
	endpoints, err := client.Endpoint.List(ctx, "acme", nil)
	require.NoError(t, err)
	require.Len(t, endpoints.Data, 1)
	require.NoError(t, client.Endpoint.RotateSecret(ctx, "acme", "main", &svix.EndpointSecretRotateIn{}))
	secret, err := client.Endpoint.GetSecret(ctx, "acme", "main")
	require.NoError(t, err)
	require.Contains(t, secret.Key, "whsec_")
	require.NoError(t, client.Endpoint.UpdateHeaders(ctx, "acme", "main", &svix.EndpointHeadersIn{Headers: map[string]string{"X-A": "1"}}))
	require.NoError(t, client.Endpoint.PatchHeaders(ctx, "acme", "main", &svix.EndpointHeadersPatchIn{Headers: map[string]string{"X-B": "2"}}))
	headers, err := client.Endpoint.GetHeaders(ctx, "acme", "main")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"X-A": "1", "X-B": "2"}, headers.Headers)

	event := svix.MessageIn{EventType: "order.created", Payload: map[string]any{"id": "1"}, Channels: []string{"c"}, Tags: []string{"batch/1"}}
	event.SetEventId("evt-1")
	message, err := client.Message.Create(ctx, "acme", &event)
	require.NoError(t, err)
	_, err = client.Message.Create(ctx, "acme", &event)
	var refused *svix.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusConflict, refused.Status())
	got, err := client.Message.Get(ctx, "acme", "evt-1")
	require.NoError(t, err)
	require.Equal(t, map[string]any{"id": "1"}, got.Payload)
	messages, err := client.Message.List(ctx, "acme", &svix.MessageListOptions{EventTypes: &[]string{"order.created", "x"}, After: optional(time.Now().Add(-time.Hour)), Tag: svix.String("batch/1")})
	require.NoError(t, err)
	require.Len(t, messages.Data, 1)

	attemptID := posthorn.AttemptID.New()
	_, err = b.store.Record(ctx, store.Record{MessageID: message.Id, AppID: app.Id, Dispatched: true, Attempts: []posthorn.Attempt{{
		ID: attemptID, MessageID: message.Id, AppID: app.Id, EndpointID: endpoint.Id, EventType: "order.created", Trigger: posthorn.Automatic,
		URL: "https://example.com/hook", StartedAt: time.Now(), Status: 503, Message: "503 Service Unavailable", ErrorClass: "status", NextAt: time.Now().Add(time.Minute),
	}}})
	require.NoError(t, err)
	attempt, err := client.MessageAttempt.Get(ctx, "acme", message.Id, attemptID)
	require.NoError(t, err)
	require.EqualValues(t, 503, attempt.ResponseStatusCode)
	byMessage, err := client.MessageAttempt.ListByMsg(ctx, "acme", message.Id, nil)
	require.NoError(t, err)
	require.Len(t, byMessage.Data, 1)
	failed := svix.MessageStatus(statusFail)
	byEndpoint, err := client.MessageAttempt.ListByEndpoint(ctx, "acme", "main", &svix.MessageAttemptListOptions{Status: &failed, Limit: svix.Int32(5)})
	require.NoError(t, err)
	require.Len(t, byEndpoint.Data, 1)
	attempted, err := client.MessageAttempt.ListAttemptedMessages(ctx, "acme", "main", nil)
	require.NoError(t, err)
	require.Len(t, attempted.Data, 1)
	require.EqualValues(t, statusSending, attempted.Data[0].Status)
	require.NotNil(t, attempted.Data[0].NextAttempt)
	destinations, err := client.MessageAttempt.ListAttemptedDestinations(ctx, "acme", message.Id, nil)
	require.NoError(t, err)
	require.Len(t, destinations.Data, 1)
	require.NoError(t, client.MessageAttempt.Resend(ctx, "acme", message.Id, "main"))

	require.NoError(t, client.Endpoint.Delete(ctx, "acme", "main"))
	require.NoError(t, client.EventType.Delete(ctx, "order.created"))
	require.NoError(t, client.Application.Delete(ctx, "acme"))
	_, err = client.Application.Get(ctx, "acme")
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusNotFound, refused.Status())
	require.Contains(t, string(refused.Body()), `"code":"not_found"`)
}

func TestOldClients(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]struct{ old, both bool }{
		"svix-libs/1.44.0/go": {old: true}, "svix-libs/0.85.1/python": {old: true}, "svix-libs/1.72.0/java": {old: true},
		"svix-libs/1.73.0/java": {both: true}, "svix-libs/1.99.1/go go/go1.26.8": {both: true},
		"svix-libs/2.0.0/go": {}, "svix-libs/2.9.1/python python/3.11.7": {},
		"svix-libs/": {}, "svix-libs/one.two": {}, "curl/8": {}, "": {},
	} {
		require.Equal(t, want.old, isOldClient(agent), agent)
		require.Equal(t, want.both, wantsBothNames(agent), agent)
	}

	b := setup(t)
	app := b.must(http.StatusCreated, "POST", "/app", `{"name":"Acme","throttleRate":7}`)
	b.must(http.StatusCreated, "POST", "/event-type", `{"name":"order.created","description":"An order"}`)
	endpoint := b.endpoint(app, `{"url":"https://example.com/hook","eventTypes":["order.created"],"throttleRate":5,"metadata":{"version":"x"}}`)
	for agent, fields := range map[string]struct{ has, hasNot []string }{
		"svix-libs/1.44.0/go": {
			has:    []string{`"filterTypes":["order.created"]`, `"rateLimit":5`, `"version":1`},
			hasNot: []string{"eventTypes", "throttleRate"},
		},
		"svix-libs/1.99.1/python": {
			has: []string{`"filterTypes":["order.created"]`, `"rateLimit":5`, `"version":1`, `"eventTypes":["order.created"]`, `"throttleRate":5`},
		},
		"svix-libs/2.5.0/javascript": {
			has:    []string{`"eventTypes":["order.created"]`, `"throttleRate":5`},
			hasNot: []string{"filterTypes", "rateLimit", `"version":1`},
		},
	} {
		header := http.Header{"Authorization": {"Bearer " + b.org}, "User-Agent": {agent}}
		for _, path := range []string{"/app/" + app + "/endpoint/" + endpoint, "/app/" + app + "/endpoint"} {
			r := b.with(header, "GET", path, "")
			require.Equal(t, http.StatusOK, r.status, r.body)
			for _, field := range fields.has {
				require.Contains(t, r.body, field, "%s %s", agent, path)
			}
			for _, field := range fields.hasNot {
				require.NotContains(t, r.body, field, "%s %s", agent, path)
			}
		}
	}
}

// Some clients for version 2 fail over an empty answer to a rotation.
func TestRotationIsAnsweredToThoseWhoRead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	path := "/app/" + app + "/endpoint/" + b.endpoint(app, `{"url":"https://example.com/hook"}`) + "/secret"
	for agent, status := range map[string]int{"svix-libs/2.9.1/python": 200, "svix-libs/1.99.1/python": 204, "curl/8": 204} {
		header := http.Header{"Authorization": {"Bearer " + b.org}, "User-Agent": {agent}}
		r := b.with(header, "POST", path+"/rotate", `{}`)
		require.Equal(t, status, r.status, r.body)
		want := ""
		if status == http.StatusOK {
			want = b.do("GET", path, "").body
		}
		require.Equal(t, want, r.body)
	}
}
