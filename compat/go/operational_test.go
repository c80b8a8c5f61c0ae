package compat_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
)

func TestOperationalWebhookEndpoint(t *testing.T) {
	b := setup(t)
	ctx := t.Context()
	operational := b.OperationalWebhookEndpoint
	uid := unique("operational")
	made, err := operational.Create(ctx, svix.OperationalWebhookEndpointIn{Url: anywhere, Uid: &uid, FilterTypes: []string{"endpoint.created"}, Metadata: &map[string]string{"a": "1"}}, nil)
	require.NoError(t, err)
	require.Equal(t, uid, *made.Uid)
	require.Equal(t, []string{"endpoint.created"}, made.FilterTypes)
	require.Equal(t, map[string]string{"a": "1"}, made.Metadata)
	got, err := operational.Get(ctx, uid)
	require.NoError(t, err)
	require.Equal(t, made, got)
	list, err := operational.List(ctx, &svix.OperationalWebhookEndpointListOptions{Limit: to(uint64(250))})
	require.NoError(t, err)
	require.NotEmpty(t, list.Data)
	replaced, err := operational.Update(ctx, uid, svix.OperationalWebhookEndpointUpdate{Url: anywhere + "/other", Uid: &uid})
	require.NoError(t, err)
	require.Equal(t, made.Id, replaced.Id)
	require.Equal(t, anywhere+"/other", replaced.Url)

	key := "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("0123"), 6))
	require.NoError(t, operational.RotateSecret(ctx, uid, svix.OperationalWebhookEndpointSecretIn{Key: &key}, nil))
	secret, err := operational.GetSecret(ctx, uid)
	require.NoError(t, err)
	require.Equal(t, key, secret.Key)
	require.NoError(t, operational.UpdateHeaders(ctx, uid, svix.OperationalWebhookEndpointHeadersIn{Headers: map[string]string{"X-Color": "red", "Authorization": "secret"}}))
	headers, err := operational.GetHeaders(ctx, uid)
	require.NoError(t, err)
	require.Equal(t, &svix.OperationalWebhookEndpointHeadersOut{Headers: map[string]string{"X-Color": "red"}, Sensitive: []string{"Authorization"}}, headers)

	require.NoError(t, operational.Delete(ctx, uid))
	_, err = operational.Get(ctx, made.Id)
	refused(t, http.StatusNotFound, "not_found", err)
}
