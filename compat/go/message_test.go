package compat_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
	"github.com/svix/svix-webhooks/go/models"
)

var expired = map[string]any{"expired": true}

func TestMessage(t *testing.T) {
	b := setup(t)
	ctx := t.Context()
	name, endpoint := b.subscribe("up", svix.EndpointIn{})
	payload := map[string]any{"id": "ord_1", "total": 4200.0}
	made := b.send(svix.MessageIn{EventId: to("evt-1"), Channels: []string{"eu"}, Payload: payload})
	require.Regexp(t, "^msg_", made.Id)
	require.Equal(t, "evt-1", *made.EventId)
	require.Equal(t, []string{"eu"}, made.Channels)
	require.Equal(t, payload, made.Payload)
	require.Equal(t, payload, b.payload("evt-1"))
	_, err := b.Message.Create(ctx, b.app, svix.MessageIn{EventId: to("evt-1"), EventType: "order.created", Payload: payload}, nil)
	refused(t, http.StatusConflict, "conflict", err)
	_, err = b.Message.Create(ctx, b.app, svix.MessageIn{Payload: payload}, nil)
	refused(t, http.StatusUnprocessableEntity, "eventType", err)

	came := received(t, name, 1)[0]
	secret := b.secret(endpoint.Id)
	came.verify(t, secret)
	require.JSONEq(t, `{"id":"ord_1","total":4200}`, came.Body)
	verifier, err := svix.NewWebhook(secret)
	require.NoError(t, err)
	asSvix := http.Header{}
	for _, part := range []string{"id", "timestamp", "signature"} {
		asSvix.Set("svix-"+part, came.Headers["webhook-"+part])
	}
	require.NoError(t, verifier.Verify([]byte(came.Body), asSvix))
	require.Error(t, verifier.Verify([]byte(strings.Replace(came.Body, "4200", "1", 1)), came.header()))
	seconds, err := strconv.ParseInt(came.Headers["webhook-timestamp"], 10, 64)
	require.NoError(t, err)
	signature, err := verifier.Sign(made.Id, time.Unix(seconds, 0), []byte(came.Body))
	require.NoError(t, err)
	require.Contains(t, strings.Fields(came.Headers["webhook-signature"]), signature)
}

func TestMessageIsScheduled(t *testing.T) {
	b := setup(t)
	name, _ := b.subscribe("later", svix.EndpointIn{})
	when := time.Now().Add(2 * time.Second)
	made := b.send(svix.MessageIn{DeliverAt: &when})
	require.WithinDuration(t, when, *made.DeliverAt, time.Millisecond)
	received(t, name, 1)
	require.False(t, time.Now().Before(when))
}

func TestMessagesAreListed(t *testing.T) {
	b := setup(t)
	one := b.send(svix.MessageIn{Channels: []string{"eu"}}).Id
	two := b.send(svix.MessageIn{EventType: "order.paid"}).Id
	list := func(options svix.MessageListOptions) (ids []string) {
		page, err := b.Message.List(t.Context(), b.app, &options)
		require.NoError(t, err)
		for _, message := range page.Data {
			ids = append(ids, message.Id)
		}
		return ids
	}
	hourAgo := time.Now().Add(-time.Hour)
	require.Equal(t, []string{two, one}, list(svix.MessageListOptions{WithContent: to(false)}))
	require.Equal(t, []string{one}, list(svix.MessageListOptions{Channel: to("eu")}))
	require.Equal(t, []string{two}, list(svix.MessageListOptions{EventTypes: &[]string{"order.paid", "order.unknown"}}))
	require.Equal(t, []string{two, one}, list(svix.MessageListOptions{After: &hourAgo}))
	require.Empty(t, list(svix.MessageListOptions{Before: &hourAgo}))
}

func TestAMessageBringsItsApplicationAlong(t *testing.T) {
	b := setup(t)
	uid := unique("app")
	in := svix.MessageIn{EventType: "order.created", Payload: map[string]any{}, Application: &svix.ApplicationIn{Name: "Fresh", Uid: &uid}}
	_, err := b.Message.Create(t.Context(), uid, in, nil)
	require.NoError(t, err)
	app, err := b.Application.Get(t.Context(), uid)
	require.NoError(t, err)
	require.Equal(t, "Fresh", app.Name)
	_, err = b.Message.Create(t.Context(), unique("app"), in, nil)
	refused(t, http.StatusUnprocessableEntity, "application", err)
}

func TestARepeatedRequestMakesOneMessage(t *testing.T) {
	b := setup(t)
	options := &svix.MessageCreateOptions{IdempotencyKey: to(unique("key"))}
	in := svix.MessageIn{EventType: "order.created", Payload: map[string]any{}}
	first, err := b.Message.Create(t.Context(), b.app, in, options)
	require.NoError(t, err)
	second, err := b.Message.Create(t.Context(), b.app, in, options)
	require.NoError(t, err)
	require.Equal(t, first.Id, second.Id)
}

func TestMessagesAreFoundByTheirTags(t *testing.T) {
	b := setup(t)
	made := b.send(svix.MessageIn{Tags: []string{"red", "big"}})
	b.send(svix.MessageIn{})
	require.Equal(t, []string{"red", "big"}, made.Tags)
	page, err := b.Message.List(t.Context(), b.app, &svix.MessageListOptions{Tag: to("red")})
	require.NoError(t, err)
	require.Len(t, page.Data, 1)
	require.Equal(t, made.Id, page.Data[0].Id)
}

func TestARawPayloadArrivesByteForByte(t *testing.T) {
	b := setup(t)
	name, endpoint := b.subscribe("up", svix.EndpointIn{})
	raw := "{ \"a\":1.0,\n \"a\": 2 }"
	_, err := b.Message.Create(t.Context(), b.app, *svix.NewMessageInRaw("order.created", raw, nil), nil)
	require.NoError(t, err)
	came := received(t, name, 1)[0]
	require.Equal(t, raw, came.Body)
	came.verify(t, b.secret(endpoint.Id))
}

func TestMessagePrecheck(t *testing.T) {
	b := setup(t)
	b.subscribe("up", svix.EndpointIn{Channels: []string{"eu"}})
	for channel, active := range map[string]bool{"eu": true, "us": false} {
		checked, err := b.Message.Precheck(t.Context(), b.app, svix.MessagePrecheckIn{EventType: "order.created", Channels: []string{channel}}, nil)
		require.NoError(t, err)
		require.Equal(t, active, checked.Active, channel)
	}
}

func TestMessageContentIsExpunged(t *testing.T) {
	b := setup(t)
	message := b.send(svix.MessageIn{}).Id
	require.NoError(t, b.Message.ExpungeContent(t.Context(), b.app, message))
	require.Equal(t, expired, b.payload(message))
	refused(t, http.StatusNotFound, "not_found", b.Message.ExpungeContent(t.Context(), b.app, "unknown"))
}

func TestAllContentsAreExpunged(t *testing.T) {
	b := setup(t)
	message := b.send(svix.MessageIn{}).Id
	task, err := b.Message.ExpungeAllContents(t.Context(), b.app, nil)
	require.NoError(t, err)
	require.Equal(t, models.BACKGROUNDTASKTYPE_APPLICATION_PURGE_CONTENT, task.Task)
	require.Equal(t, models.BACKGROUNDTASKSTATUS_FINISHED, b.finished(task.Id).Status)
	require.Equal(t, expired, b.payload(message))
}

func TestPoller(t *testing.T) {
	b := setup(t)
	ctx := t.Context()
	sink := b.poller()
	minuteAgo := time.Now().Add(-time.Minute)
	one := b.send(svix.MessageIn{Channels: []string{"c1"}, Payload: map[string]any{"n": 1.0}}).Id
	two := b.send(svix.MessageIn{Channels: []string{"c2"}}).Id

	first, err := b.Message.Poller.Poll(ctx, b.app, sink, &svix.MessagePollerPollOptions{Limit: to(uint64(1))})
	require.NoError(t, err)
	require.Len(t, first.Data, 1)
	require.Equal(t, one, first.Data[0].Id)
	require.Equal(t, map[string]any{"n": 1.0}, first.Data[0].Payload)
	require.False(t, first.Done)
	rest, err := b.Message.Poller.Poll(ctx, b.app, sink, &svix.MessagePollerPollOptions{Iterator: &first.Iterator})
	require.NoError(t, err)
	require.Len(t, rest.Data, 1)
	require.Equal(t, two, rest.Data[0].Id)
	require.True(t, rest.Done)
	filtered, err := b.Message.Poller.Poll(ctx, b.app, sink, &svix.MessagePollerPollOptions{Channel: to("c2")})
	require.NoError(t, err)
	require.Len(t, filtered.Data, 1)

	polled, err := b.Message.Poller.ConsumerPoll(ctx, b.app, sink, "worker", nil)
	require.NoError(t, err)
	require.Len(t, polled.Data, 2)
	none, err := b.Message.Poller.ConsumerPoll(ctx, b.app, sink, "worker", &svix.MessagePollerConsumerPollOptions{Iterator: &polled.Iterator})
	require.NoError(t, err)
	require.Empty(t, none.Data)
	back, err := b.Message.Poller.ConsumerSeek(ctx, b.app, sink, "worker", svix.PollingEndpointConsumerSeekIn{After: minuteAgo}, nil)
	require.NoError(t, err)
	again, err := b.Message.Poller.ConsumerPoll(ctx, b.app, sink, "worker", &svix.MessagePollerConsumerPollOptions{Iterator: &back.Iterator})
	require.NoError(t, err)
	require.Len(t, again.Data, 2)
}
