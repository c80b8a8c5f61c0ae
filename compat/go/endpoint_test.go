package compat_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
	"github.com/svix/svix-webhooks/go/models"
	"github.com/svix/svix-webhooks/go/utils"
)

const anywhere = "https://example.com/hook"

func TestEndpoint(t *testing.T) {
	b := setup(t)
	ctx := t.Context()
	bare, err := b.Endpoint.Create(ctx, b.app, svix.EndpointIn{Url: anywhere}, nil)
	require.NoError(t, err)
	require.Regexp(t, "^ep_", bare.Id)
	require.False(t, *bare.Disabled)
	require.Empty(t, bare.Description)
	require.Empty(t, bare.Metadata)
	require.Nil(t, bare.Channels)
	require.Nil(t, bare.FilterTypes)

	eventType := strings.ReplaceAll(unique("order"), "-", ".")
	_, err = b.EventType.Create(ctx, svix.EventTypeIn{Name: eventType, Description: "An order"}, nil)
	require.NoError(t, err)
	made, err := b.Endpoint.Create(ctx, b.app, svix.EndpointIn{
		Url: anywhere, Uid: to("main"), Description: to("The first"), ThrottleRate: to(uint16(5)), FilterTypes: []string{eventType},
		Channels: []string{"eu"}, Metadata: &map[string]string{"a": "1"}, Headers: &map[string]string{"X-Color": "red"},
	}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"eu"}, made.Channels)
	require.Equal(t, []string{eventType}, made.FilterTypes)
	require.EqualValues(t, 5, *made.ThrottleRate)
	require.EqualValues(t, 5, *made.RateLimit)
	require.EqualValues(t, 1, made.Version)
	got, err := b.Endpoint.Get(ctx, b.app, "main")
	require.NoError(t, err)
	require.Equal(t, made, got)
	headers, err := b.Endpoint.GetHeaders(ctx, b.app, "main")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"X-Color": "red"}, headers.Headers)

	patched, err := b.Endpoint.Patch(ctx, b.app, "main", svix.EndpointPatch{Disabled: to(true), Channels: utils.NewNullableFromPtr[[]string](nil)})
	require.NoError(t, err)
	require.True(t, *patched.Disabled)
	require.Nil(t, patched.Channels)
	require.Equal(t, "The first", patched.Description)
	replaced, err := b.Endpoint.Update(ctx, b.app, "main", svix.EndpointUpdate{Url: anywhere + "/other", Uid: to("main")})
	require.NoError(t, err)
	require.Equal(t, made.Id, replaced.Id)
	require.Equal(t, anywhere+"/other", replaced.Url)
	require.False(t, *replaced.Disabled)
	upserted, err := b.Endpoint.Update(ctx, b.app, "second", svix.EndpointUpdate{Url: anywhere, Uid: to("second")})
	require.NoError(t, err)

	for order, want := range map[models.Ordering][]string{
		models.ORDERING_DESCENDING: {upserted.Id, made.Id, bare.Id},
		models.ORDERING_ASCENDING:  {bare.Id, made.Id, upserted.Id},
	} {
		var ids []string
		list, err := b.Endpoint.List(ctx, b.app, &svix.EndpointListOptions{Order: &order})
		require.NoError(t, err)
		for _, endpoint := range list.Data {
			ids = append(ids, endpoint.Id)
		}
		require.Equal(t, want, ids)
	}

	require.NoError(t, b.Endpoint.Delete(ctx, b.app, "main"))
	_, err = b.Endpoint.Get(ctx, b.app, made.Id)
	refused(t, http.StatusNotFound, "not_found", err)
	_, err = b.Endpoint.Create(ctx, b.app, svix.EndpointIn{Url: "not a url"}, nil)
	refused(t, http.StatusUnprocessableEntity, `"loc":["body","url"`, err)
}

func TestEndpointSecret(t *testing.T) {
	b := setup(t)
	name, endpoint := b.subscribe("up", svix.EndpointIn{})
	first := b.secret(endpoint.Id)
	second := "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("0123"), 8))
	require.NoError(t, b.Endpoint.RotateSecret(t.Context(), b.app, endpoint.Id, svix.EndpointSecretRotateIn{Key: &second}, nil))
	require.Equal(t, second, b.secret(endpoint.Id))

	message := b.send(svix.MessageIn{})
	came := received(t, name, 1)[0]
	require.Equal(t, message.Id, came.Headers["webhook-id"])
	came.verify(t, first)
	came.verify(t, second)

	require.NoError(t, b.Endpoint.RotateSecret(t.Context(), b.app, endpoint.Id, svix.EndpointSecretRotateIn{}, nil))
	require.NotEqual(t, second, b.secret(endpoint.Id))
}

func TestEndpointHeaders(t *testing.T) {
	b := setup(t)
	ctx := t.Context()
	name, endpoint := b.subscribe("up", svix.EndpointIn{})
	require.NoError(t, b.Endpoint.UpdateHeaders(ctx, b.app, endpoint.Id, svix.EndpointHeadersIn{Headers: map[string]string{"X-Color": "red", "X-Size": "1", "Authorization": "Basic c2VjcmV0"}}))
	require.NoError(t, b.Endpoint.PatchHeaders(ctx, b.app, endpoint.Id, svix.EndpointHeadersPatchIn{Headers: map[string]string{"X-Size": "2"}, DeleteHeaders: []string{"X-Color"}}))
	headers, err := b.Endpoint.GetHeaders(ctx, b.app, endpoint.Id)
	require.NoError(t, err)
	require.Equal(t, &svix.EndpointHeadersOut{Headers: map[string]string{"X-Size": "2"}, Sensitive: []string{"Authorization"}}, headers)
	err = b.Endpoint.UpdateHeaders(ctx, b.app, endpoint.Id, svix.EndpointHeadersIn{Headers: map[string]string{"Content-Length": "1"}})
	refused(t, http.StatusUnprocessableEntity, "Content-Length", err)

	b.send(svix.MessageIn{})
	came := received(t, name, 1)[0]
	require.Equal(t, "2", came.Headers["x-size"])
	require.Equal(t, "Basic c2VjcmV0", came.Headers["authorization"])
	require.NotContains(t, came.Headers, "x-color")
}

func TestEndpointStatistics(t *testing.T) {
	b := setup(t)
	_, up := b.subscribe("up", svix.EndpointIn{})
	_, down := b.subscribe("down", svix.EndpointIn{})
	b.attempts(b.send(svix.MessageIn{}).Id, 4) // one that is taken, three that are not
	for endpoint, want := range map[string][2]int64{up.Id: {1, 0}, down.Id: {0, 3}} {
		stats, err := b.Endpoint.GetStats(t.Context(), b.app, endpoint, &svix.EndpointGetStatsOptions{Since: to(time.Now().Add(-time.Hour))})
		require.NoError(t, err)
		require.Equal(t, want, [2]int64{stats.Success, stats.Fail})
	}
	_, err := b.Endpoint.GetStats(t.Context(), b.app, up.Id, &svix.EndpointGetStatsOptions{Since: to(time.Now().AddDate(0, 0, -40))})
	refused(t, http.StatusBadRequest, "invalid_range", err)
}

func TestEndpointExample(t *testing.T) {
	b := setup(t)
	name, endpoint := b.subscribe("up", svix.EndpointIn{})
	message, err := b.Endpoint.SendExample(t.Context(), b.app, endpoint.Id, svix.EventExampleIn{EventType: "svix.ping"}, nil)
	require.NoError(t, err)
	require.Equal(t, "svix.ping", message.EventType)
	came := received(t, name, 1)[0]
	came.verify(t, b.secret(endpoint.Id))
	require.JSONEq(t, `{"success":true}`, came.Body)
}

func TestEndpointRecovers(t *testing.T) {
	b := setup(t)
	since := time.Now().Add(-time.Second)
	_, endpoint := b.subscribe("down", svix.EndpointIn{})
	message := b.send(svix.MessageIn{})
	b.attempts(message.Id, 3)
	name := unique("up")
	_, err := b.Endpoint.Patch(t.Context(), b.app, endpoint.Id, svix.EndpointPatch{Url: to(hook(name))})
	require.NoError(t, err)
	task, err := b.Endpoint.Recover(t.Context(), b.app, endpoint.Id, svix.RecoverIn{Since: since}, nil)
	require.NoError(t, err)
	require.Equal(t, models.BACKGROUNDTASKTYPE_ENDPOINT_RECOVER, task.Task)
	require.Equal(t, message.Id, received(t, name, 1)[0].Headers["webhook-id"])
	require.Equal(t, models.BACKGROUNDTASKSTATUS_FINISHED, b.finished(task.Id).Status)
	require.Equal(t, models.MESSAGESTATUS_SUCCESS, b.manual(message.Id).Status)
	_, err = b.Endpoint.Recover(t.Context(), b.app, endpoint.Id, svix.RecoverIn{Since: time.Now().AddDate(0, 0, -30)}, nil)
	refused(t, http.StatusUnprocessableEntity, "since", err)
}

func TestEndpointReplays(t *testing.T) {
	b := setup(t)
	since := time.Now().Add(-time.Second)
	first, _ := b.subscribe("up", svix.EndpointIn{})
	message := b.send(svix.MessageIn{})
	received(t, first, 1)
	b.attempts(message.Id, 1)
	name, late := b.subscribe("up", svix.EndpointIn{})

	task, err := b.Endpoint.ReplayMissing(t.Context(), b.app, late.Id, svix.ReplayIn{Since: since}, nil)
	require.NoError(t, err)
	require.Equal(t, models.BACKGROUNDTASKTYPE_ENDPOINT_REPLAY, task.Task)
	require.Equal(t, message.Id, received(t, name, 1)[0].Headers["webhook-id"])
	ended := b.finished(task.Id)
	require.Equal(t, models.BACKGROUNDTASKSTATUS_FINISHED, ended.Status)
	require.EqualValues(t, 1, ended.Data["messagesSent"])

	filter := svix.BulkReplayIn{
		Since: since, Until: to(time.Now()), EventTypes: []string{"order.created"},
		Status: to(models.MESSAGESTATUS_SUCCESS), StatusCodeClass: to(models.STATUSCODECLASS_CODE2XX),
	}
	bulk, err := b.Endpoint.BulkReplay(t.Context(), b.app, late.Id, filter, nil)
	require.NoError(t, err)
	require.Equal(t, models.BACKGROUNDTASKTYPE_ENDPOINT_BULK_REPLAY, bulk.Task)
	require.Len(t, received(t, name, 2), 2)
	require.EqualValues(t, 1, b.finished(bulk.Id).Data["messagesSent"])
	_, err = b.Endpoint.BulkReplay(t.Context(), b.app, late.Id, svix.BulkReplayIn{Since: time.Now().AddDate(0, 0, -30)}, nil)
	refused(t, http.StatusUnprocessableEntity, "since", err)
}
