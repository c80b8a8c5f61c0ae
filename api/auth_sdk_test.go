package api

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
)

// The older Svix client for Go, which refuses answers with fields that it doesn't know.
func TestSvixClientAuthentication(t *testing.T) {
	t.Parallel()
	b := setup(t)
	app := b.application()
	server, err := url.Parse(b.url)
	require.NoError(t, err)
	client := func(token string) *svix.Svix { return svix.New(token, &svix.SvixOptions{ServerUrl: server}) }
	ctx := t.Context()

	in := svix.AppPortalAccessIn{FeatureFlags: []string{"beta"}, ReadOnly: optional(true)}
	in.SetExpiry(3600)
	portal, err := client(b.org).Authentication.AppPortalAccess(ctx, app, &in)
	require.NoError(t, err)
	require.Contains(t, portal.Url, "#key="+portal.Token)
	dashboard, err := client(b.org).Authentication.DashboardAccess(ctx, app)
	require.NoError(t, err)

	customer := client(portal.Token)
	_, err = customer.Endpoint.List(ctx, app, nil)
	require.NoError(t, err)
	_, err = customer.Endpoint.Create(ctx, app, &svix.EndpointIn{Url: "https://example.com"})
	var refused *svix.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 403, refused.Status())
	require.JSONEq(t, `{"code":"insufficient access","detail":"The token is limited and may not do this."}`, string(refused.Body()))
	require.NotContains(t, err.Error(), "unknown field")

	for _, token := range []string{portal.Token, dashboard.Token} {
		require.NoError(t, client(token).Authentication.Logout(ctx))
		_, err = client(token).Endpoint.List(ctx, app, nil)
		require.ErrorAs(t, err, &refused)
		require.Equal(t, 401, refused.Status())
	}
}
