package api

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
)

// The strict Go client reads what operational-webhook endpoints and statistics answer.
func TestTheGoClientOfSvixOnOperationalEndpoints(t *testing.T) {
	t.Parallel()
	b := setup(t)
	server, err := url.Parse(b.url)
	require.NoError(t, err)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := svix.New(b.org, &svix.SvixOptions{ServerUrl: server, HTTPClient: &http.Client{Transport: transport, Timeout: 10 * time.Second}})
	ctx := t.Context()

	in := svix.OperationalWebhookEndpointIn{Url: "https://example.com/ops", FilterTypes: []string{"endpoint.disabled"}, RateLimit: svix.Int32(5)}
	in.SetUid("ops")
	made, err := client.OperationalWebhookEndpoint.Create(ctx, &in)
	require.NoError(t, err)
	require.Equal(t, []string{"endpoint.disabled"}, made.FilterTypes)
	got, err := client.OperationalWebhookEndpoint.Get(ctx, "ops")
	require.NoError(t, err)
	require.Equal(t, made.Id, got.Id)
	list, err := client.OperationalWebhookEndpoint.List(ctx, nil)
	require.NoError(t, err)
	require.Len(t, list.Data, 1)
	changed, err := client.OperationalWebhookEndpoint.Update(ctx, "ops", &svix.OperationalWebhookEndpointUpdate{Url: "https://example.com/new"})
	require.NoError(t, err)
	require.Equal(t, "https://example.com/new", changed.Url)
	first, err := client.OperationalWebhookEndpoint.GetSecret(ctx, "ops")
	require.NoError(t, err)
	require.NoError(t, client.OperationalWebhookEndpoint.RotateSecret(ctx, "ops", &svix.OperationalWebhookEndpointSecretIn{}))
	second, err := client.OperationalWebhookEndpoint.GetSecret(ctx, "ops")
	require.NoError(t, err)
	require.NotEqual(t, first.Key, second.Key)
	require.NoError(t, client.OperationalWebhookEndpoint.Delete(ctx, "ops"))

	app := b.application()
	ep := b.endpoint(app, `{"url":"https://e.com"}`)
	stats, err := client.Endpoint.GetStatsWithOptions(ctx, app, ep, svix.EndpointStatsOptions{Since: optional(time.Now().Add(-time.Hour))})
	require.NoError(t, err)
	require.Zero(t, stats.Success)
}
