package compat

import (
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
)

// The oldest SDK is github.com/svix/svix-webhooks v1.44.0. It refuses answers with a field too few or too many: a strict
// judge of what early clients are told.

// oldGoMethods are its methods, each with the operation that it calls, or with why it is out of scope after a "-". The
// ones that end in WithOptions do what those without do.
var oldGoMethods = map[string]string{
	"Application.Create":                       "v1.application.create",
	"Application.Delete":                       "v1.application.delete",
	"Application.Get":                          "v1.application.get",
	"Application.GetOrCreate":                  "v1.application.create",
	"Application.List":                         "v1.application.list",
	"Application.Patch":                        "v1.application.patch",
	"Application.Update":                       "v1.application.update",
	"Authentication.AppPortalAccess":           "v1.authentication.app-portal-access",
	"Authentication.DashboardAccess":           "v1.authentication.dashboard-access",
	"Authentication.Logout":                    "v1.authentication.logout",
	"Endpoint.Create":                          "v1.endpoint.create",
	"Endpoint.Delete":                          "v1.endpoint.delete",
	"Endpoint.Get":                             "v1.endpoint.get",
	"Endpoint.GetHeaders":                      "v1.endpoint.get-headers",
	"Endpoint.GetSecret":                       "v1.endpoint.get-secret",
	"Endpoint.GetStats":                        "v1.endpoint.get-stats",
	"Endpoint.List":                            "v1.endpoint.list",
	"Endpoint.Patch":                           "v1.endpoint.patch",
	"Endpoint.PatchHeaders":                    "v1.endpoint.patch-headers",
	"Endpoint.Recover":                         "v1.endpoint.recover",
	"Endpoint.ReplayMissing":                   "- the SDK itself fails: it forgets the body",
	"Endpoint.RotateSecret":                    "v1.endpoint.rotate-secret",
	"Endpoint.SendExample":                     "- the SDK itself fails: it forgets the body",
	"Endpoint.TransformationGet":               "- transformations",
	"Endpoint.TransformationPartialUpdate":     "- transformations",
	"Endpoint.Update":                          "v1.endpoint.update",
	"Endpoint.UpdateHeaders":                   "v1.endpoint.update-headers",
	"EventType.Create":                         "v1.event-type.create",
	"EventType.Delete":                         "v1.event-type.delete",
	"EventType.Get":                            "v1.event-type.get",
	"EventType.ImportOpenApi":                  "v1.event-type.import-openapi",
	"EventType.List":                           "v1.event-type.list",
	"EventType.Patch":                          "v1.event-type.patch",
	"EventType.Update":                         "v1.event-type.update",
	"Integration.Create":                       "- keys of integrations",
	"Integration.Delete":                       "- keys of integrations",
	"Integration.Get":                          "- keys of integrations",
	"Integration.GetKey":                       "- keys of integrations",
	"Integration.List":                         "- keys of integrations",
	"Integration.RotateKey":                    "- keys of integrations",
	"Integration.Update":                       "- keys of integrations",
	"Message.Create":                           "v1.message.create",
	"Message.ExpungeContent":                   "v1.message.expunge-content",
	"Message.Get":                              "v1.message.get",
	"Message.List":                             "v1.message.list",
	"MessageAttempt.ExpungeContent":            "v1.message-attempt.expunge-content",
	"MessageAttempt.Get":                       "v1.message-attempt.get",
	"MessageAttempt.List":                      "v1.message-attempt.list-by-msg",
	"MessageAttempt.ListAttemptedDestinations": "v1.message-attempt.list-attempted-destinations",
	"MessageAttempt.ListAttemptedMessages":     "v1.message-attempt.list-attempted-messages",
	"MessageAttempt.ListAttemptsForEndpoint":   "v1.message-attempt.list-by-endpoint-deprecated",
	"MessageAttempt.ListByEndpoint":            "v1.message-attempt.list-by-endpoint",
	"MessageAttempt.ListByMsg":                 "v1.message-attempt.list-by-msg",
	"MessageAttempt.Resend":                    "v1.message-attempt.resend",
	"OperationalWebhookEndpoint.Create":        "v1.operational-webhook.endpoint.create",
	"OperationalWebhookEndpoint.Delete":        "v1.operational-webhook.endpoint.delete",
	"OperationalWebhookEndpoint.Get":           "v1.operational-webhook.endpoint.get",
	"OperationalWebhookEndpoint.GetSecret":     "v1.operational-webhook.endpoint.get-secret",
	"OperationalWebhookEndpoint.List":          "v1.operational-webhook.endpoint.list",
	"OperationalWebhookEndpoint.RotateSecret":  "v1.operational-webhook.endpoint.rotate-secret",
	"OperationalWebhookEndpoint.Update":        "v1.operational-webhook.endpoint.upsert",
	"Statistics.AggregateAppStats":             "v1.statistics.aggregate-app-stats",
	"Statistics.AggregateEventTypes":           "v1.statistics.aggregate-event-types",
}

func newOldGo(t *testing.T, server, token string) *svix.Svix {
	t.Helper()
	address, err := url.Parse(server)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return svix.New(token, &svix.SvixOptions{ServerUrl: address, HTTPClient: &http.Client{Transport: transport, Timeout: 30 * time.Second}})
}

// testOldGo runs the suite of the SDK for Go that is the oldest to be had, and checks its table.
func testOldGo(t *testing.T, through *recorder, s *server, customer *receiver) {
	c := newOldGo(t, through.url, s.token)
	// finished waits for the end of a task; the SDK itself can't ask.
	finished := func(t *testing.T, id string) {
		t.Helper()
		var task struct{ Status string }
		require.Eventually(t, func() bool {
			plain{url: s.url, token: s.token}.must(t, http.MethodGet, "/background-task/"+id, nil, &task)
			return task.Status != "running"
		}, time.Minute, 20*time.Millisecond)
		require.Equal(t, "finished", task.Status)
	}
	ctx := t.Context()

	t.Run("applications", func(t *testing.T) {
		uid := "oldgo-app"
		app, err := c.Application.Create(ctx, &svix.ApplicationIn{Name: "Acme", Uid: &uid, RateLimit: svix.Int32(10)})
		require.NoError(t, err)
		require.EqualValues(t, 10, *app.RateLimit)
		again, err := c.Application.GetOrCreate(ctx, &svix.ApplicationIn{Name: "Other", Uid: &uid})
		require.NoError(t, err)
		require.Equal(t, app, again)
		_, err = c.Application.Update(ctx, uid, &svix.ApplicationIn{Name: "Acme Inc", Uid: &uid})
		require.NoError(t, err)
		patch := svix.ApplicationPatch{}
		patch.SetName("Acme Ltd")
		_, err = c.Application.Patch(ctx, uid, &patch)
		require.NoError(t, err)
		got, err := c.Application.Get(ctx, uid)
		require.NoError(t, err)
		require.Equal(t, "Acme Ltd", got.Name)
		require.Nil(t, got.RateLimit)
		list, err := c.Application.List(ctx, &svix.ApplicationListOptions{Limit: svix.Int32(250)})
		require.NoError(t, err)
		require.NotEmpty(t, list.Data)
		require.NoError(t, c.Application.Delete(ctx, uid))
		_, err = c.Application.Get(ctx, uid)
		var refused *svix.Error
		require.ErrorAs(t, err, &refused)
		require.Equal(t, http.StatusNotFound, refused.Status())
		require.Contains(t, string(refused.Body()), `"code":"not_found"`)
	})

	app, err := c.Application.Create(ctx, &svix.ApplicationIn{Name: "Acme"})
	require.NoError(t, err)
	const eventType = "oldgo.order.created"

	t.Run("event types", func(t *testing.T) {
		schemas := map[string]any{"1": map[string]any{"type": "object"}}
		made, err := c.EventType.Create(ctx, &svix.EventTypeIn{Name: eventType, Description: "An order", Schemas: schemas})
		require.NoError(t, err)
		require.Equal(t, schemas, made.Schemas)
		_, err = c.EventType.Update(ctx, "oldgo.other", &svix.EventTypeUpdate{Description: "Other"})
		require.NoError(t, err)
		patch := svix.EventTypePatch{}
		patch.SetDescription("Patched")
		patched, err := c.EventType.Patch(ctx, "oldgo.other", &patch)
		require.NoError(t, err)
		require.Equal(t, "Patched", patched.Description)
		_, err = c.EventType.Get(ctx, "oldgo.other")
		require.NoError(t, err)
		list, err := c.EventType.List(ctx, nil)
		require.NoError(t, err)
		require.NotEmpty(t, list.Data)
		require.NoError(t, c.EventType.Delete(ctx, "oldgo.other"))
	})

	t.Run("import of event types", func(t *testing.T) {
		raw := `{"openapi":"3.1.0","info":{"title":"Shop","version":"1"},"webhooks":{"oldgo.imported":{"post":{"description":"Imported","responses":{}}}}}`
		done, err := c.EventType.ImportOpenApi(ctx, svix.EventTypeImportOpenApiIn{SpecRaw: &raw})
		require.NoError(t, err)
		require.Equal(t, []string{"oldgo.imported"}, done.Data.Modified)
	})

	in := svix.EndpointIn{Url: customer.url + "/hook/up-oldgo", FilterTypes: []string{eventType}, RateLimit: svix.Int32(100)}
	in.SetUid("up")
	up, err := c.Endpoint.Create(ctx, app.Id, &in)
	require.NoError(t, err)
	down, err := c.Endpoint.Create(ctx, app.Id, &svix.EndpointIn{Url: customer.url + "/hook/down-oldgo"})
	require.NoError(t, err)

	t.Run("endpoints", func(t *testing.T) {
		require.Equal(t, []string{eventType}, up.FilterTypes)
		require.EqualValues(t, 100, *up.RateLimit)
		require.EqualValues(t, 1, up.Version)
		_, err := c.Endpoint.Update(ctx, app.Id, "other", &svix.EndpointUpdate{Url: "https://example.com"})
		require.NoError(t, err)
		patch := svix.EndpointPatch{}
		patch.SetDescription("Patched")
		patched, err := c.Endpoint.Patch(ctx, app.Id, up.Id, &patch)
		require.NoError(t, err)
		require.Equal(t, "Patched", patched.Description)
		require.Equal(t, up.FilterTypes, patched.FilterTypes)
		got, err := c.Endpoint.Get(ctx, app.Id, "up")
		require.NoError(t, err)
		require.Equal(t, patched, got)
		list, err := c.Endpoint.List(ctx, app.Id, nil)
		require.NoError(t, err)
		require.Len(t, list.Data, 3)
		require.NoError(t, c.Endpoint.UpdateHeaders(ctx, app.Id, "up", &svix.EndpointHeadersIn{Headers: map[string]string{"X-A": "1"}}))
		require.NoError(t, c.Endpoint.PatchHeaders(ctx, app.Id, "up", &svix.EndpointHeadersPatchIn{Headers: map[string]string{"X-B": "2"}}))
		headers, err := c.Endpoint.GetHeaders(ctx, app.Id, "up")
		require.NoError(t, err)
		require.Equal(t, map[string]string{"X-A": "1", "X-B": "2"}, headers.Headers)
		require.NoError(t, c.Endpoint.RotateSecret(ctx, app.Id, "up", &svix.EndpointSecretRotateIn{}))
		require.NoError(t, c.Endpoint.Delete(ctx, app.Id, list.Data[0].Id))
	})

	event := svix.MessageIn{EventType: eventType, Payload: map[string]any{"id": "ord_1"}, Channels: []string{"eu"}}
	event.SetEventId("evt-1")
	message, err := c.Message.Create(ctx, app.Id, &event)
	require.NoError(t, err)
	var taken svix.MessageAttemptOut
	require.Eventually(t, func() bool {
		list, err := c.MessageAttempt.ListByMsg(ctx, app.Id, message.Id, nil)
		require.NoError(t, err)
		for _, attempt := range list.Data {
			if attempt.EndpointId == up.Id {
				taken = attempt
			}
		}
		return len(list.Data) == 4
	}, time.Minute, 20*time.Millisecond)

	t.Run("messages and signatures", func(t *testing.T) {
		require.Equal(t, event.Payload, message.Payload)
		got, err := c.Message.Get(ctx, app.Id, "evt-1")
		require.NoError(t, err)
		require.Equal(t, message.Id, got.Id)
		list, err := c.Message.List(ctx, app.Id, &svix.MessageListOptions{EventTypes: &[]string{eventType, "other"}, Channel: svix.String("eu")})
		require.NoError(t, err)
		require.Len(t, list.Data, 1)

		came, ok := customer.wait(ctx, "up-oldgo", 1)
		require.True(t, ok)
		secret, err := c.Endpoint.GetSecret(ctx, app.Id, "up")
		require.NoError(t, err)
		verifier, err := svix.NewWebhook(secret.Key)
		require.NoError(t, err)
		header, asSvix := http.Header{}, http.Header{}
		for name, value := range came[0].Headers {
			header.Set(name, value)
			asSvix.Set(strings.Replace(name, "webhook-", "svix-", 1), value)
		}
		require.NoError(t, verifier.Verify([]byte(came[0].Body), header))
		require.NoError(t, verifier.Verify([]byte(came[0].Body), asSvix))
		require.Error(t, verifier.Verify([]byte(came[0].Body+" "), header))
	})

	t.Run("attempts", func(t *testing.T) {
		require.EqualValues(t, http.StatusOK, taken.ResponseStatusCode)
		got, err := c.MessageAttempt.Get(ctx, app.Id, message.Id, taken.Id)
		require.NoError(t, err)
		require.Equal(t, taken.Id, got.Id)
		all, err := c.MessageAttempt.List(ctx, app.Id, message.Id, nil) //nolint:staticcheck // deprecated, and called by old programs
		require.NoError(t, err)
		require.Len(t, all.Data, 4)
		failed := svix.MessageStatus(2)
		byEndpoint, err := c.MessageAttempt.ListByEndpoint(ctx, app.Id, down.Id, &svix.MessageAttemptListOptions{Status: &failed, Limit: svix.Int32(2)})
		require.NoError(t, err)
		require.Len(t, byEndpoint.Data, 2)
		require.False(t, byEndpoint.Done)
		ofBoth, err := c.MessageAttempt.ListAttemptsForEndpoint(ctx, app.Id, message.Id, down.Id, nil)
		require.NoError(t, err)
		require.Len(t, ofBoth.Data, 3)
		attempted, err := c.MessageAttempt.ListAttemptedMessages(ctx, app.Id, up.Id, nil)
		require.NoError(t, err)
		require.Len(t, attempted.Data, 1)
		require.EqualValues(t, 0, attempted.Data[0].Status)
		destinations, err := c.MessageAttempt.ListAttemptedDestinations(ctx, app.Id, message.Id, nil)
		require.NoError(t, err)
		require.Len(t, destinations.Data, 2)
		require.NoError(t, c.MessageAttempt.Resend(ctx, app.Id, message.Id, up.Id))
		came, ok := customer.wait(ctx, "up-oldgo", 2)
		require.True(t, ok)
		require.Equal(t, came[0].Body, came[1].Body)
	})

	t.Run("statistics of an endpoint", func(t *testing.T) {
		stats, err := c.Endpoint.GetStats(ctx, app.Id, down.Id)
		require.NoError(t, err)
		require.EqualValues(t, 3, stats.Fail)
	})

	t.Run("recovery", func(t *testing.T) {
		task, err := c.Endpoint.Recover(ctx, app.Id, down.Id, &svix.RecoverIn{Since: time.Now().Add(-time.Hour)})
		require.NoError(t, err)
		finished(t, task.Id)
	})

	t.Run("expunging", func(t *testing.T) {
		require.NoError(t, c.MessageAttempt.ExpungeContent(ctx, app.Id, message.Id, taken.Id))
		attempt, err := c.MessageAttempt.Get(ctx, app.Id, message.Id, taken.Id)
		require.NoError(t, err)
		require.Equal(t, "EXPUNGED", attempt.Response)
		require.NoError(t, c.Message.ExpungeContent(ctx, app.Id, message.Id))
		got, err := c.Message.Get(ctx, app.Id, message.Id)
		require.NoError(t, err)
		require.Equal(t, map[string]any{"expired": true}, got.Payload)
	})

	t.Run("access and its end", func(t *testing.T) {
		access, err := c.Authentication.AppPortalAccess(ctx, app.Id, &svix.AppPortalAccessIn{})
		require.NoError(t, err)
		dashboard, err := c.Authentication.DashboardAccess(ctx, app.Id)
		require.NoError(t, err)
		for _, token := range []string{access.Token, dashboard.Token} {
			limited := newOldGo(t, through.url, token)
			_, err = limited.Application.Get(ctx, app.Id)
			require.NoError(t, err)
			require.NoError(t, limited.Authentication.Logout(ctx))
			_, err = limited.Application.Get(ctx, app.Id)
			require.Error(t, err)
		}
	})

	t.Run("usage", func(t *testing.T) {
		usage, err := c.Statistics.AggregateAppStats(ctx, &svix.AppUsageStatsIn{Since: time.Now().Add(-time.Hour), Until: time.Now()}, nil)
		require.NoError(t, err)
		finished(t, usage.Id)
		types, err := c.Statistics.AggregateEventTypes(ctx)
		require.NoError(t, err)
		finished(t, types.Id)
	})

	t.Run("operational webhooks", func(t *testing.T) {
		operational := c.OperationalWebhookEndpoint
		made, err := operational.Create(ctx, &svix.OperationalWebhookEndpointIn{Url: "https://example.com", FilterTypes: []string{"endpoint.created"}})
		require.NoError(t, err)
		require.Equal(t, []string{"endpoint.created"}, made.FilterTypes)
		got, err := operational.Get(ctx, made.Id)
		require.NoError(t, err)
		require.Equal(t, made, got)
		_, err = operational.Update(ctx, made.Id, &svix.OperationalWebhookEndpointUpdate{Url: "https://example.com/other"})
		require.NoError(t, err)
		list, err := operational.List(ctx, nil)
		require.NoError(t, err)
		require.NotEmpty(t, list.Data)
		require.NoError(t, operational.RotateSecret(ctx, made.Id, &svix.OperationalWebhookEndpointSecretIn{}))
		secret, err := operational.GetSecret(ctx, made.Id)
		require.NoError(t, err)
		require.Contains(t, secret.Key, "whsec_")
		require.NoError(t, operational.Delete(ctx, made.Id))
	})

	t.Run("each method is in the table, and each operation was called", func(t *testing.T) {
		clientType := reflect.TypeFor[svix.Svix]()
		listed := map[string]bool{}
		for i := range clientType.NumField() {
			resource := clientType.Field(i)
			for j := range resource.Type.NumMethod() {
				name := resource.Name + "." + strings.TrimSuffix(resource.Type.Method(j).Name, "WithOptions")
				require.Contains(t, oldGoMethods, name)
				listed[name] = true
			}
		}
		require.Len(t, listed, len(oldGoMethods), "the table has methods that the SDK has not")
		succeeded := through.succeeded()
		for method, id := range oldGoMethods {
			if strings.HasPrefix(id, "-") {
				continue
			}
			require.Contains(t, operations, id)
			if !slices.Contains(succeeded, id) {
				t.Errorf("%s: %s was not called with success", method, id)
			}
		}
	})
}
