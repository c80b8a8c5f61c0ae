package compat_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
	"github.com/svix/svix-webhooks/go/models"
)

func TestMessageAttempts(t *testing.T) {
	b := setup(t)
	ctx := t.Context()
	name, up := b.subscribe("up", svix.EndpointIn{})
	_, down := b.subscribe("down", svix.EndpointIn{})
	message := b.send(svix.MessageIn{Channels: []string{"eu"}}).Id
	all := b.attempts(message, 4)
	require.Len(t, all, 4)
	taken := all[slices.IndexFunc(all, func(a svix.MessageAttemptOut) bool { return a.EndpointId == up.Id })]
	require.Equal(t, models.MESSAGESTATUS_SUCCESS, taken.Status)
	require.Equal(t, models.MESSAGESTATUSTEXT_SUCCESS, taken.StatusText)
	require.EqualValues(t, http.StatusOK, taken.ResponseStatusCode)
	require.Equal(t, "thank you", taken.Response)
	require.Equal(t, message, taken.MsgId)
	require.Equal(t, up.Url, taken.Url)
	got, err := b.MessageAttempt.Get(ctx, b.app, message, taken.Id, nil)
	require.NoError(t, err)
	require.Equal(t, taken.Id, got.Id)
	require.Equal(t, taken.Timestamp, got.Timestamp)
	_, err = b.MessageAttempt.Get(ctx, b.app, message, "atmpt_00000000000000000000000000", nil)
	refused(t, http.StatusNotFound, "not_found", err)

	byMessage, err := b.MessageAttempt.ListByMsg(ctx, b.app, message, &svix.MessageAttemptListByMsgOptions{
		Status: to(models.MESSAGESTATUS_FAIL), StatusCodeClass: to(models.STATUSCODECLASS_CODE5XX), EndpointId: &down.Id,
		Channel: to("eu"), EventTypes: &[]string{"order.created"}, After: to(time.Now().Add(-time.Hour)), WithContent: to(false),
	})
	require.NoError(t, err)
	require.Len(t, byMessage.Data, 3)
	require.Empty(t, byMessage.Data[0].Response)
	page, err := b.MessageAttempt.ListByEndpoint(ctx, b.app, down.Id, &svix.MessageAttemptListByEndpointOptions{Limit: to(uint64(2)), WithContent: to(true)})
	require.NoError(t, err)
	require.Len(t, page.Data, 2)
	require.Equal(t, "out of order", page.Data[0].Response)
	rest, err := b.MessageAttempt.ListByEndpoint(ctx, b.app, down.Id, &svix.MessageAttemptListByEndpointOptions{Limit: to(uint64(2)), Iterator: page.Iterator})
	require.NoError(t, err)
	require.Len(t, rest.Data, 1)
	require.True(t, rest.Done)

	destinations := eventually(t, "the end of the delivery", func() (map[string]svix.MessageEndpointOut, bool) {
		list, err := b.MessageAttempt.ListAttemptedDestinations(ctx, b.app, message, nil)
		require.NoError(t, err)
		byID, settled := map[string]svix.MessageEndpointOut{}, true
		for _, destination := range list.Data {
			byID[destination.Id] = destination
			settled = settled && destination.Status != models.MESSAGESTATUS_SENDING
		}
		return byID, settled
	})
	require.Equal(t, models.MESSAGESTATUS_SUCCESS, destinations[up.Id].Status)
	require.Equal(t, models.MESSAGESTATUS_FAIL, destinations[down.Id].Status)
	require.Nil(t, destinations[down.Id].NextAttempt)
	for endpoint, status := range map[string]models.MessageStatus{up.Id: models.MESSAGESTATUS_SUCCESS, down.Id: models.MESSAGESTATUS_FAIL} {
		messages, err := b.MessageAttempt.ListAttemptedMessages(ctx, b.app, endpoint, &svix.MessageAttemptListAttemptedMessagesOptions{Status: &status})
		require.NoError(t, err)
		require.Len(t, messages.Data, 1)
		require.Equal(t, message, messages.Data[0].Id)
		require.Equal(t, status, messages.Data[0].Status)
	}

	_, err = b.MessageAttempt.Resend(ctx, b.app, message, up.Id, nil)
	require.NoError(t, err)
	came := received(t, name, 2)
	require.Equal(t, came[0].Body, came[1].Body)
	require.Equal(t, message, came[1].Headers["webhook-id"])
	require.Equal(t, models.MESSAGESTATUS_SUCCESS, b.manual(message).Status)

	t.Run("content is expunged", func(t *testing.T) {
		require.NoError(t, b.MessageAttempt.ExpungeContent(t.Context(), b.app, message, taken.Id))
		got, err := b.MessageAttempt.Get(t.Context(), b.app, message, taken.Id, nil)
		require.NoError(t, err)
		require.Equal(t, "EXPUNGED", got.Response)
	})
}
