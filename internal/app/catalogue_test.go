package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/store/sqlite"
)

// must calls the API below the application, demands a status and returns the id in the answer.
func (b *bundle) must(status int, method, path, body string) string {
	b.t.Helper()
	got, answer := b.request(method, path, body)
	require.Equal(b.t, status, got, "%s", answer)
	var out struct{ ID string }
	require.NoError(b.t, json.Unmarshal(answer, &out))
	return out.ID
}

// delivered waits until a message has so many attempts on record, and returns their ids by endpoint.
func (b *bundle) delivered(messageID string, want int) map[string]string {
	b.t.Helper()
	ids := map[string]string{}
	require.Eventually(b.t, func() bool {
		for _, a := range b.attempts(messageID) {
			ids[a.EndpointID] = a.ID
		}
		return len(ids) == want
	}, patience, 20*time.Millisecond)
	return ids
}

func TestPayloadVersions(t *testing.T) {
	t.Parallel()

	t.Run("each endpoint gets the version that it pins, signed, and is told which", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		old, newer, plain := newReceiver(t, nil), newReceiver(t, nil), newReceiver(t, nil)
		pinned := b.must(http.StatusCreated, http.MethodPost, "/endpoint", fmt.Sprintf(`{"url":%q,"payloadVersion":"1"}`, old.URL))
		absent := b.must(http.StatusCreated, http.MethodPost, "/endpoint", fmt.Sprintf(`{"url":%q,"payloadVersion":"9"}`, newer.URL))
		free := b.endpoint(svix.EndpointIn{Url: plain.URL}).Id
		versioned := b.must(http.StatusAccepted, http.MethodPost, "/msg",
			`{"eventType":"order","payloadVersion":"2","payload":{"order": {"id":2}},"payloads":{"1":{"id":  1.0}}}`)
		for _, c := range []struct {
			receiver             *receiver
			endpoint, body, want string
		}{
			{old, pinned, `{"id":  1.0}`, "1"},
			{newer, absent, `{"order": {"id":2}}`, "2"},
			{plain, free, `{"order": {"id":2}}`, "2"},
		} {
			got := c.receiver.wait(t, 1)[0]
			require.Equal(t, c.body, string(got.body))
			require.Equal(t, c.want, got.header.Get("webhook-payload-version"))
			verify(t, b.secret(c.endpoint), got)
		}
		attempts := b.delivered(versioned, 3)
		for endpoint, want := range map[string]string{pinned: "1", absent: "2", free: "2"} {
			status, answer := b.request(http.MethodGet, "/msg/"+versioned+"/attempt/"+attempts[endpoint]+"/headers", "")
			require.Equal(t, http.StatusOK, status, "%s", answer)
			var headers struct{ SentHeaders map[string]string }
			require.NoError(t, json.Unmarshal(answer, &headers))
			sent := http.Header{}
			for name, value := range headers.SentHeaders {
				sent.Set(name, value)
			}
			require.Equal(t, want, sent.Get("webhook-payload-version"), "%s", answer)
		}

		id := b.send("order", `{"id":3}`)
		require.Empty(t, plain.wait(t, 2)[1].header.Values("webhook-payload-version"), "nobody knows the version of "+id)
	})

	t.Run("retries and resends send what the endpoint pins by then", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		pinned := make(chan struct{})
		pins := sync.OnceFunc(func() { close(pinned) })
		t.Cleanup(pins)
		r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 1 {
				<-pinned
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		})
		ep := b.endpoint(svix.EndpointIn{Url: r.URL}).Id
		id := b.must(http.StatusAccepted, http.MethodPost, "/msg",
			`{"eventType":"order","payloadVersion":"3","payload":{"n":3},"payloads":{"1":{"n":1},"2":{"n":2}}}`)
		r.wait(t, 1)
		b.must(http.StatusOK, http.MethodPatch, "/endpoint/"+ep, `{"payloadVersion":"1"}`)
		pins()
		b.waitState(id, posthorn.Delivered)
		b.must(http.StatusOK, http.MethodPatch, "/endpoint/"+ep, `{"payloadVersion":"2"}`)
		require.NoError(t, b.svix.MessageAttempt.Resend(b.ctx, b.appID, id, ep))
		for i, want := range []string{"3", "1", "2"} {
			got := r.wait(t, 3)[i]
			require.JSONEq(t, `{"n":`+want+`}`, string(got.body))
			require.Equal(t, want, got.header.Get("webhook-payload-version"))
			verify(t, b.secret(ep), got)
		}
	})
}

// example asks for an example and returns the message's id. The Go client of Svix has a method for that which forgets its
// argument.
func (b *bundle) example(endpointID, eventType string) string {
	b.t.Helper()
	return b.must(http.StatusOK, http.MethodPost, "/endpoint/"+endpointID+"/send-example", fmt.Sprintf(`{"eventType":%q}`, eventType))
}

func TestSendExample(t *testing.T) {
	t.Parallel()

	t.Run("the ping reaches that endpoint only, whatever it subscribes to, signed and on record", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		target, sibling := newReceiver(t, nil), newReceiver(t, nil)
		ep := b.endpoint(svix.EndpointIn{Url: target.URL, Channels: []string{"never"}})
		b.endpoint(svix.EndpointIn{Url: sibling.URL})
		id := b.example(ep.Id, "svix.ping")
		got := target.wait(t, 1)[0]
		require.Equal(t, `{"success":true}`, string(got.body))
		require.Equal(t, id, got.header.Get("webhook-id"))
		verify(t, b.secret(ep.Id), got)
		require.Equal(t, ep.Id, b.waitState(id, posthorn.Delivered).ID)
		require.Empty(t, sibling.all())
	})

	t.Run("an example of the catalogue is retried at that endpoint only", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		name := "example." + strings.ToLower(b.appID[4:])
		_, err := b.svix.EventType.Create(b.ctx, &svix.EventTypeIn{Name: name, Description: "d", Schemas: map[string]any{
			"1": map[string]any{"type": "object", "examples": []any{map[string]any{"id": "ord_1"}}},
		}})
		require.NoError(t, err)
		flaky := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n < 3 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		sibling := newReceiver(t, nil)
		ep := b.endpoint(svix.EndpointIn{Url: flaky.URL})
		b.endpoint(svix.EndpointIn{Url: sibling.URL})
		id := b.example(ep.Id, name)
		for _, got := range flaky.wait(t, 3) {
			require.JSONEq(t, `{"id":"ord_1"}`, string(got.body))
			require.Equal(t, "1", got.header.Get("webhook-payload-version"))
		}
		b.waitState(id, posthorn.Delivered)
		require.Empty(t, sibling.all())
	})
}

func TestAMessageForOneEndpointSurvivesACrash(t *testing.T) {
	t.Parallel()
	target, sibling := newReceiver(t, nil), newReceiver(t, nil)
	cfg := testConfig(t.TempDir())
	start := func() *app.App {
		a, err := app.New(cfg, "", quiet())
		require.NoError(t, err)
		require.NoError(t, a.Start(t.Context()))
		return a
	}
	before := start()
	b := setupOn(t, before)
	ep := b.endpoint(svix.EndpointIn{Url: target.URL, Channels: []string{"never"}})
	b.endpoint(svix.EndpointIn{Url: sibling.URL})
	require.NoError(t, before.Close())

	// What a process leaves behind that ends between storing the message and starting its workflow.
	db, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(cfg.DataDir, "posthorn.db")})
	require.NoError(t, err)
	m := posthorn.Message{
		ID: posthorn.MessageID.New(), AppID: b.appID, EventType: "svix.ping", Payload: []byte(`{"success":true}`), OnlyEndpoint: ep.Id,
		CreatedAt: time.Now(), ExpiresAt: time.Now().Add(posthorn.DefaultRetention),
	}
	require.NoError(t, db.CreateMessage(t.Context(), m))
	require.NoError(t, db.Close())

	after := start()
	defer func() { require.NoError(t, after.Close()) }()
	require.Equal(t, m.ID, target.wait(t, 1)[0].header.Get("webhook-id"))
	b.app = after
	require.Equal(t, ep.Id, b.waitState(m.ID, posthorn.Delivered).ID)
	require.Empty(t, sibling.all())
}

func TestTestAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	bad, sibling := newReceiver(t, always(http.StatusTeapot)), newReceiver(t, nil)
	disabled := true
	ep := b.endpoint(svix.EndpointIn{Url: bad.URL, Disabled: &disabled})
	b.endpoint(svix.EndpointIn{Url: sibling.URL})
	status, body := b.request(http.MethodPost, "/endpoint/"+ep.Id+"/msg/test-attempt", `{"eventType":"a","eventId":"test","payload":{"x": 1}}`)
	require.Equal(t, http.StatusCreated, status, "%s", body)
	var made attempt
	require.NoError(t, json.Unmarshal(body, &made))
	require.Equal(t, http.StatusTeapot, made.ResponseStatusCode)
	require.Equal(t, 1, made.TriggerType)
	require.Equal(t, ep.Id, made.EndpointID)
	require.Nil(t, made.NextAttempt)
	got := bad.all()
	require.Len(t, got, 1, "it had been sent when the answer came")
	require.Equal(t, `{"x": 1}`, string(got[0].body))
	verify(t, b.secret(ep.Id), got[0])

	require.Equal(t, posthorn.Failed, b.waitState("test", posthorn.Failed).State)
	// The longest wait of the schedule: a retry would have come by then.
	require.Never(t, func() bool { return len(bad.all()) > 1 || len(sibling.all()) > 0 }, 2*time.Second, 50*time.Millisecond)
	require.Len(t, b.attempts("test"), 1)
}
