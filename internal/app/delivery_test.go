package app_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/signing"
)

// verify checks a request with a library that is not ours.
func verify(t *testing.T, secret string, r received) {
	t.Helper()
	wh, err := standardwebhooks.NewWebhook(secret)
	require.NoError(t, err)
	require.NoError(t, wh.Verify(r.body, r.header))
}

func (b *bundle) secret(endpointID string) string {
	b.t.Helper()
	out, err := b.svix.Endpoint.GetSecret(b.ctx, b.appID, endpointID)
	require.NoError(b.t, err)
	return out.Key
}

func TestDelivery(t *testing.T) {
	t.Parallel()

	t.Run("an event posted with an SDK reaches every endpoint, signed for each", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		receivers := []*receiver{newReceiver(t, nil), newReceiver(t, nil), newReceiver(t, nil)}
		var secrets []string
		for _, r := range receivers {
			secrets = append(secrets, b.secret(b.endpoint(svix.EndpointIn{Url: r.URL}).Id))
		}
		message, err := b.svix.Message.Create(b.ctx, b.appID, &svix.MessageIn{
			EventType: "order.created", Payload: map[string]any{"id": "ord_1"},
		})
		require.NoError(t, err)
		for i, r := range receivers {
			got := r.wait(t, 1)[0]
			verify(t, secrets[i], got)
			require.Equal(t, message.Id, got.header.Get("webhook-id"))
			require.Equal(t, "application/json", got.header.Get("Content-Type"))
			require.JSONEq(t, `{"id":"ord_1"}`, string(got.body))
		}
		require.Eventually(t, func() bool { return len(b.attempts(message.Id)) == 3 }, patience, 10*time.Millisecond)
		for _, a := range b.attempts(message.Id) {
			require.Equal(t, 0, a.Status)
			require.Equal(t, 200, a.ResponseStatusCode)
			require.Equal(t, 1, a.AttemptNumber)
		}
	})

	t.Run("a message can be read right after it was posted", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		for range 20 {
			id := b.send("a", `{}`)
			status, body := b.request(http.MethodGet, "/msg/"+id, "")
			require.Equal(t, http.StatusOK, status, "%s", body)
		}
	})

	t.Run("payload bytes arrive as they were posted", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		r := newReceiver(t, nil)
		b.endpoint(svix.EndpointIn{Url: r.URL})
		payload := "{ \"z\":1,\n\t\"a\" : 1.50e+03, \"big\":123456789012345678901234567890, \"u\":\"\\u00e9é\\/\", \"z\":2 }"
		b.send("a", payload)
		require.Equal(t, payload, string(r.wait(t, 1)[0].body))
	})

	t.Run("custom headers are sent as they are spelled", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		r := newReceiver(t, nil)
		ep := b.endpoint(svix.EndpointIn{Url: r.URL})
		require.NoError(t, b.svix.Endpoint.UpdateHeaders(b.ctx, b.appID, ep.Id,
			&svix.EndpointHeadersIn{Headers: map[string]string{"X-Tenant": "acme", "Authorization": "Bearer s3cret"}}))
		b.send("a", `{}`)
		got := r.wait(t, 1)[0]
		require.Equal(t, "acme", got.header.Get("X-Tenant"))
		require.Equal(t, "Bearer s3cret", got.header.Get("Authorization"))
	})

	t.Run("event types and channels choose the endpoints", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		name := "chosen." + strings.ToLower(b.appID[4:])
		_, err := b.svix.EventType.Create(b.ctx, &svix.EventTypeIn{Name: name, Description: "d"})
		require.NoError(t, err)
		byType, byChannel, all := newReceiver(t, nil), newReceiver(t, nil), newReceiver(t, nil)
		b.endpoint(svix.EndpointIn{Url: byType.URL, FilterTypes: []string{name}})
		b.endpoint(svix.EndpointIn{Url: byChannel.URL, Channels: []string{"x"}})
		b.endpoint(svix.EndpointIn{Url: all.URL})

		_, err = b.svix.Message.Create(b.ctx, b.appID, &svix.MessageIn{EventType: name, Payload: map[string]any{"n": 1}})
		require.NoError(t, err)
		_, err = b.svix.Message.Create(b.ctx, b.appID, &svix.MessageIn{EventType: "other", Channels: []string{"x"}, Payload: map[string]any{"n": 2}})
		require.NoError(t, err)
		all.wait(t, 2)
		require.JSONEq(t, `{"n":1}`, string(byType.wait(t, 1)[0].body))
		require.JSONEq(t, `{"n":2}`, string(byChannel.wait(t, 1)[0].body))
		require.Len(t, byType.all(), 1)
		require.Len(t, byChannel.all(), 1)
	})

	t.Run("a disabled endpoint gets nothing, a deleted one neither", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		off, gone, on := newReceiver(t, nil), newReceiver(t, nil), newReceiver(t, nil)
		disabled := true
		b.endpoint(svix.EndpointIn{Url: off.URL, Disabled: &disabled})
		ep := b.endpoint(svix.EndpointIn{Url: gone.URL})
		b.endpoint(svix.EndpointIn{Url: on.URL})
		require.NoError(t, b.svix.Endpoint.Delete(b.ctx, b.appID, ep.Id))
		id := b.send("a", `{}`)
		on.wait(t, 1)
		require.Eventually(t, func() bool {
			states := map[posthorn.DeliveryState]int{}
			for _, d := range b.destinations(id) {
				states[d.State]++
			}
			return maps.Equal(states, map[posthorn.DeliveryState]int{posthorn.Delivered: 1, posthorn.Held: 1})
		}, patience, 20*time.Millisecond)
		require.Empty(t, off.all())
		require.Empty(t, gone.all())
	})

	t.Run("one message to 300 endpoints reaches each once", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		r := newReceiver(t, nil)
		for i := range 300 {
			b.endpoint(svix.EndpointIn{Url: fmt.Sprintf("%s/%d", r.URL, i)})
		}
		b.send("a", `{}`)
		paths := map[string]int{}
		for _, got := range r.wait(t, 300) {
			paths[got.path]++
		}
		require.Len(t, paths, 300)
	})
}

func TestSecretRotation(t *testing.T) {
	t.Parallel()

	t.Run("while a replaced secret is in its grace period, both sign", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		r := newReceiver(t, nil)
		ep := b.endpoint(svix.EndpointIn{Url: r.URL})
		secrets := []string{b.secret(ep.Id)}
		for range 2 {
			require.NoError(t, b.svix.Endpoint.RotateSecret(b.ctx, b.appID, ep.Id, &svix.EndpointSecretRotateIn{}))
			secrets = append(secrets, b.secret(ep.Id))
		}
		b.send("a", `{"x":1}`)
		got := r.wait(t, 1)[0]
		require.Len(t, strings.Fields(got.header.Get("webhook-signature")), 3)
		for _, secret := range secrets {
			verify(t, secret, got)
		}
	})

	t.Run("a symmetric and an asymmetric key sign side by side", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		r := newReceiver(t, nil)
		ep := b.endpoint(svix.EndpointIn{Url: r.URL})
		old := b.secret(ep.Id)
		status, body := b.request(http.MethodPost, "/endpoint/"+ep.Id+"/secret/rotate",
			fmt.Sprintf(`{"key":%q}`, signing.NewAsymmetricKey().Reveal()))
		require.Equal(t, http.StatusNoContent, status, "%s", body)
		public := b.secret(ep.Id)
		require.True(t, strings.HasPrefix(public, "whpk_"), "only the public half is shown")

		b.send("a", `{"x":1}`)
		got := r.wait(t, 1)[0]
		verify(t, old, got)
		verifyEd25519(t, public, got)
	})
}

// verifyEd25519 checks a v1a signature with nothing but the standard library.
func verifyEd25519(t *testing.T, public string, r received) {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(public, "whpk_"))
	require.NoError(t, err)
	content := r.header.Get("webhook-id") + "." + r.header.Get("webhook-timestamp") + "." + string(r.body)
	for signature := range strings.FieldsSeq(r.header.Get("webhook-signature")) {
		if encoded, ok := strings.CutPrefix(signature, "v1a,"); ok {
			raw, err := base64.StdEncoding.DecodeString(encoded)
			require.NoError(t, err)
			require.True(t, ed25519.Verify(key, []byte(content), raw))
			return
		}
	}
	require.Fail(t, "there is no v1a signature", r.header.Get("webhook-signature"))
}

func TestRetries(t *testing.T) {
	t.Parallel()

	t.Run("a failing endpoint is tried again until it takes the message, the others are left alone", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		good := newReceiver(t, nil)
		flaky := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n < 3 {
				w.Header().Set("X-Why", "busy")
				w.WriteHeader(http.StatusServiceUnavailable)
				fmt.Fprintf(w, "try %d", n)
			}
		})
		b.endpoint(svix.EndpointIn{Url: good.URL})
		failing := b.endpoint(svix.EndpointIn{Url: flaky.URL})
		secret := b.secret(failing.Id)
		id := b.send("a", `{"x":1}`)

		requests := flaky.wait(t, 3)
		var seconds []int64
		for _, r := range requests {
			verify(t, secret, r)
			require.Equal(t, id, r.header.Get("webhook-id"))
			s, err := strconv.ParseInt(r.header.Get("webhook-timestamp"), 10, 64)
			require.NoError(t, err)
			seconds = append(seconds, s)
		}
		require.Greater(t, seconds[2], seconds[0], "the timestamp is the attempt's")
		require.Eventually(t, func() bool { return len(b.attempts(id)) == 4 }, patience, 10*time.Millisecond)
		var numbers []int
		for _, a := range b.attempts(id) {
			if a.EndpointID != failing.Id {
				require.Equal(t, 0, a.Status)
				continue
			}
			numbers = append(numbers, a.AttemptNumber)
			if a.AttemptNumber < 3 {
				require.Equal(t, 2, a.Status)
				require.Equal(t, 503, a.ResponseStatusCode)
				require.Equal(t, "http_status", a.ErrorClass)
				require.Equal(t, fmt.Sprintf("try %d", a.AttemptNumber), a.Response)
				require.Regexp(t, `^503 Service Unavailable after (\d+|under 1) ms$`, a.Message)
				require.NotNil(t, a.NextAttempt)
				require.Contains(t, fmt.Sprint(a.ResponseHeaders), "busy")
			}
		}
		require.Equal(t, []int{1, 2, 3}, numbers)
		require.Len(t, good.all(), 1)
	})

	t.Run("there are as many attempts as the schedule has waits, and one", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		refused := newReceiver(t, nil)
		refused.Close()
		for name, url := range map[string]string{
			"http_status": newReceiver(t, always(403)).URL,
			"redirect":    newReceiver(t, always(308)).URL,
			"refused":     refused.URL,
		} {
			ep := b.endpoint(svix.EndpointIn{Url: url})
			id := b.send("a", `{}`)
			b.waitState(id, posthorn.Failed)
			made := b.attempts(id)
			require.Len(t, made, 4, name)
			for i, a := range made {
				require.Equal(t, i+1, a.AttemptNumber)
				require.Equal(t, name, a.ErrorClass)
				require.Equal(t, 2, a.Status)
			}
			require.Nil(t, made[3].NextAttempt)
			require.NoError(t, b.svix.Endpoint.Delete(b.ctx, b.appID, ep.Id))
		}
	})

	t.Run("an address that the network policy blocks is an attempt of its own class", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.endpoint(svix.EndpointIn{Url: "http://10.1.2.3/hook"})
		id := b.send("a", `{}`)
		b.waitState(id, posthorn.Retrying)
		a := b.attempts(id)[0]
		require.Equal(t, "blocked", a.ErrorClass)
		require.Equal(t, 0, a.ResponseStatusCode)
	})

	t.Run("a change of URL applies to what is waiting", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		bad, good := newReceiver(t, always(500)), newReceiver(t, nil)
		ep := b.endpoint(svix.EndpointIn{Url: bad.URL})
		id := b.send("a", `{}`)
		bad.wait(t, 1)
		status, body := b.request(http.MethodPatch, "/endpoint/"+ep.Id, fmt.Sprintf(`{"url":%q}`, good.URL))
		require.Equal(t, http.StatusOK, status, "%s", body)
		good.wait(t, 1)
		b.waitState(id, posthorn.Delivered)
	})

	t.Run("a delivery to an endpoint that is deleted meanwhile is cancelled, with the reason", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		bad := newReceiver(t, always(500))
		ep := b.endpoint(svix.EndpointIn{Url: bad.URL})
		id := b.send("a", `{}`)
		b.waitState(id, posthorn.Retrying)
		require.NoError(t, b.svix.Endpoint.Delete(b.ctx, b.appID, ep.Id))
		require.Equal(t, "the endpoint was deleted", b.waitState(id, posthorn.Cancelled).Reason)
	})
}

func TestSlowReceivers(t *testing.T) {
	t.Parallel()

	t.Run("a receiver that takes five seconds is sent to once, and nobody waits for it", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		slow := newReceiver(t, func(_ http.ResponseWriter, r *http.Request, _ int) {
			select {
			case <-time.After(5 * time.Second):
			case <-r.Context().Done():
			}
		})
		quick := newReceiver(t, nil)
		ep := b.endpoint(svix.EndpointIn{Url: slow.URL})
		b.endpoint(svix.EndpointIn{Url: quick.URL})

		first := b.send("a", `{"n":1}`)
		slow.wait(t, 1)
		began := time.Now()
		quick.wait(t, 1)
		require.Less(t, time.Since(began), 2*time.Second, "the sibling does not wait")
		require.Eventually(t, func() bool { return len(b.attempts(first)) == 1 }, 2*time.Second, 10*time.Millisecond,
			"and its attempt is on record before the slow one has answered")
		second := b.send("a", `{"n":2}`)
		quick.wait(t, 2)
		require.Less(t, time.Since(began), 4*time.Second, "nor does the next message")

		for _, id := range []string{first, second} {
			require.Eventually(t, func() bool { return len(b.attempts(id)) == 2 }, patience, 50*time.Millisecond)
			for _, a := range b.attempts(id) {
				require.Equal(t, 0, a.Status, "%+v", a)
			}
		}
		require.Len(t, slow.all(), 2, "one request for each message")
		_ = ep
	})

	t.Run("a body that never ends counts as a timeout", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		drip := newReceiver(t, func(w http.ResponseWriter, r *http.Request, _ int) {
			w.WriteHeader(http.StatusOK)
			for r.Context().Err() == nil {
				fmt.Fprint(w, ".")
				w.(http.Flusher).Flush()
				select {
				case <-time.After(100 * time.Millisecond):
				case <-r.Context().Done():
				}
			}
		})
		b.endpoint(svix.EndpointIn{Url: drip.URL})
		id := b.send("a", `{}`)
		require.Eventually(t, func() bool { return len(b.attempts(id)) == 1 }, patience, 50*time.Millisecond)
		require.Equal(t, "timeout", b.attempts(id)[0].ErrorClass)
		require.Equal(t, 2, b.attempts(id)[0].Status)
	})
}

func TestResend(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n <= 4 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	ep := b.endpoint(svix.EndpointIn{Url: r.URL})
	id := b.send("a", `{"x":1}`)
	b.waitState(id, posthorn.Failed)

	require.NoError(t, b.svix.MessageAttempt.Resend(b.ctx, b.appID, id, ep.Id))
	b.waitState(id, posthorn.Delivered)
	made := b.attempts(id)
	require.Len(t, made, 5)
	require.Equal(t, 5, made[4].AttemptNumber)
	require.Equal(t, 1, made[4].TriggerType, "manual")
	verify(t, b.secret(ep.Id), r.all()[4])
}

func TestEventID(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := newReceiver(t, nil)
	b.endpoint(svix.EndpointIn{Url: r.URL})
	const body = `{"eventType":"a","eventId":"evt-1","payload":{"x":1}}`
	status, first := b.request(http.MethodPost, "/msg", body)
	require.Equal(t, http.StatusAccepted, status)
	for range 5 {
		status, answer := b.request(http.MethodPost, "/msg", body)
		require.Equal(t, http.StatusConflict, status, "%s", answer)
	}
	var out struct{ ID string }
	require.NoError(t, json.Unmarshal(first, &out))
	b.waitState(out.ID, posthorn.Delivered)
	require.Len(t, r.all(), 1)
	status, _ = b.request(http.MethodGet, "/msg/evt-1", "")
	require.Equal(t, http.StatusOK, status, "the event id finds the message")
}
