package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
)

func TestBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newReceiver(t, nil)
	secret := b.secret(b.endpoint(svix.EndpointIn{Url: r.URL}).Id)
	const n = 60
	messages := make([]string, n)
	for i := range messages {
		messages[i] = fmt.Sprintf(`{"eventType":"a","payload":{"n": %d}}`, i)
	}
	messages[7] = `{"eventType":"a","payload":[]}`
	status, body := b.request(http.MethodPost, "/msg/batch", `{"messages":[`+strings.Join(messages, ",")+`]}`)
	require.Equal(t, http.StatusAccepted, status, "%s", body)
	var out struct {
		Accepted int
		Data     []struct {
			Delayed bool
			Message *struct{ ID string }
		}
	}
	require.NoError(t, json.Unmarshal(body, &out))
	require.Equal(t, n-1, out.Accepted)

	got := map[string]string{}
	for _, request := range r.wait(t, n-1) {
		verify(t, secret, request)
		got[request.header.Get("webhook-id")] = string(request.body)
	}
	require.Len(t, got, n-1)
	for i, item := range out.Data {
		require.False(t, item.Delayed)
		if i != 7 {
			require.Equal(t, fmt.Sprintf(`{"n": %d}`, i), got[item.Message.ID])
		}
	}
}

func TestRawPayloadsArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newReceiver(t, nil)
	secret := b.secret(b.endpoint(svix.EndpointIn{Url: r.URL}).Id)
	const raw = " <note>é \u2028 \U0001F4EF</note>\n\x00"
	encoded, err := json.Marshal(raw)
	require.NoError(t, err)
	status, body := b.request(http.MethodPost, "/msg", `{"eventType":"a","payload":{},"transformationsParams":{"rawPayload":`+string(encoded)+`}}`)
	require.Equal(t, http.StatusAccepted, status, "%s", body)
	request := r.wait(t, 1)[0]
	require.Equal(t, raw, string(request.body))
	verify(t, secret, request)
}
