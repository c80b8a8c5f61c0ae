package compat_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
)

// access makes a token for a customer.
func (b *bundle) access(app string, in svix.AppPortalAccessIn) string {
	b.t.Helper()
	access, err := b.Authentication.AppPortalAccess(b.t.Context(), app, in, nil)
	require.NoError(b.t, err)
	require.Contains(b.t, access.Url, "://")
	return access.Token
}

func TestAccessForACustomer(t *testing.T) {
	b := setup(t)
	uid := unique("app")
	_, err := b.Authentication.AppPortalAccess(t.Context(), uid, svix.AppPortalAccessIn{}, nil)
	refused(t, http.StatusNotFound, "not_found", err)
	customer := client(t, b.access(uid, svix.AppPortalAccessIn{Application: &svix.ApplicationIn{Name: "Fresh", Uid: &uid}}))
	app, err := customer.Application.Get(t.Context(), uid)
	require.NoError(t, err)
	require.Equal(t, "Fresh", app.Name)
	_, err = customer.Application.List(t.Context(), nil)
	refused(t, http.StatusForbidden, "insufficient access", err)
	dashboard, err := b.Authentication.DashboardAccess(t.Context(), uid, nil) //nolint:staticcheck // deprecated, and called by old programs
	require.NoError(t, err)
	_, err = client(t, dashboard.Token).Application.Get(t.Context(), uid)
	require.NoError(t, err)
	reader := client(t, b.access(b.app, svix.AppPortalAccessIn{ReadOnly: to(true)}))
	_, err = reader.Endpoint.List(t.Context(), b.app, nil)
	require.NoError(t, err)
	_, err = reader.Endpoint.Create(t.Context(), b.app, svix.EndpointIn{Url: anywhere}, nil)
	refused(t, http.StatusForbidden, "insufficient access", err)
}

func TestTokensEnd(t *testing.T) {
	b := setup(t)
	left, kept := client(t, b.access(b.app, svix.AppPortalAccessIn{})), client(t, b.access(b.app, svix.AppPortalAccessIn{}))
	require.NoError(t, left.Authentication.Logout(t.Context(), nil))
	_, err := left.Application.Get(t.Context(), b.app)
	refused(t, http.StatusUnauthorized, "authentication_failed", err)
	_, err = kept.Application.Get(t.Context(), b.app)
	require.NoError(t, err)
	require.NoError(t, b.Authentication.ExpireAll(t.Context(), b.app, svix.ApplicationTokenExpireIn{Expiry: to(int64(0))}, nil))
	refused(t, http.StatusUnauthorized, "authentication_failed", eventually(t, "the end of the token", func() (error, bool) {
		_, err := kept.Application.Get(t.Context(), b.app)
		return err, err != nil
	}))
}
