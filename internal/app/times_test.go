package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
	"go.temporal.io/api/enums/v1"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/app"
)

// timed is a message as the API shows it.
type timed struct {
	ID            string
	DeliverAt     *time.Time
	DeliverBefore *time.Time
	CancelledAt   *time.Time
}

// sendTimed posts an event with further fields.
func (b *bundle) sendTimed(fields string) timed {
	b.t.Helper()
	status, body := b.request(http.MethodPost, "/msg", `{"eventType":"a","payload":{},`+fields+`}`)
	require.Equal(b.t, http.StatusAccepted, status, "%s", body)
	var out timed
	require.NoError(b.t, json.Unmarshal(body, &out))
	return out
}

func (b *bundle) shown(messageID string) (out timed) {
	b.t.Helper()
	status, body := b.request(http.MethodGet, "/msg/"+messageID, "")
	require.Equal(b.t, http.StatusOK, status, "%s", body)
	require.NoError(b.t, json.Unmarshal(body, &out))
	return out
}

type cancelled struct {
	Cancelled, Ended int
	CancelledAt      *time.Time
}

// cancel cancels a message, or one delivery of it.
func (b *bundle) cancel(path string) (out cancelled) {
	b.t.Helper()
	status, body := b.request(http.MethodPost, "/msg/"+path+"/cancel", "")
	require.Equal(b.t, http.StatusOK, status, "%s", body)
	require.NoError(b.t, json.Unmarshal(body, &out))
	return out
}

func at(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// patient fails, and asks to be left in peace for an hour.
func patient(w http.ResponseWriter, _ *http.Request, _ int) {
	w.Header().Set("Retry-After", "3600")
	w.WriteHeader(http.StatusServiceUnavailable)
}

func TestScheduledMessages(t *testing.T) {
	t.Parallel()

	t.Run("are sent at their time, once, and can be listed until then", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, nil)
		ep := b.endpoint(svix.EndpointIn{Url: rec.URL})
		when := time.Now().Add(4 * time.Second)
		m := b.sendTimed(fmt.Sprintf(`"deliverAt":%q`, at(when)))
		require.WithinDuration(t, when, *m.DeliverAt, time.Millisecond)
		require.Equal(t, m, b.shown(m.ID))
		b.list(b.temporal(), `PosthornDeliveryState="scheduled" AND PosthornApplication="`+b.appID+`"`, 1)
		require.Equal(t, enums.WORKFLOW_EXECUTION_STATUS_RUNNING, b.workflowStatus(m.ID))

		got := rec.wait(t, 1)[0]
		require.False(t, got.at.Before(when), "%s too early", when.Sub(got.at))
		verify(t, b.secret(ep.Id), got)
		b.waitState(m.ID, posthorn.Delivered)
		b.waitCompleted(m.ID)
		b.list(b.temporal(), `PosthornDeliveryState="delivered" AND PosthornApplication="`+b.appID+`"`, 1)
		require.Len(t, rec.all(), 1)
	})

	t.Run("go at once if their time is past, and come in batches", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, nil)
		b.endpoint(svix.EndpointIn{Url: rec.URL})
		b.waitState(b.sendTimed(`"deliverAt":"2020-01-01T00:00:00Z"`).ID, posthorn.Delivered)
		status, body := b.request(http.MethodPost, "/msg/batch", fmt.Sprintf(
			`{"messages":[{"eventType":"a","payload":{},"deliverAt":%q},{"eventType":"a","payload":{},"deliverAt":"tomorrow"}]}`,
			at(time.Now().Add(2*time.Second))))
		require.Equal(t, http.StatusAccepted, status)
		require.Contains(t, string(body), `["body","messages","1","deliverAt"]`)
		rec.wait(t, 2)
	})

	t.Run("a failure at their time is retried like any other", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 1 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		b.endpoint(svix.EndpointIn{Url: rec.URL})
		m := b.sendTimed(fmt.Sprintf(`"deliverAt":%q`, at(time.Now().Add(2*time.Second))))
		b.waitState(m.ID, posthorn.Delivered)
		require.Len(t, rec.all(), 2)
		b.waitCompleted(m.ID)
	})

	t.Run("one that failed by hand before its time is sent at its time", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 1 {
				w.WriteHeader(http.StatusInternalServerError)
			}
		})
		ep := b.endpoint(svix.EndpointIn{Url: rec.URL})
		m := b.sendTimed(fmt.Sprintf(`"deliverAt":%q`, at(time.Now().Add(5*time.Second))))
		require.NoError(t, b.svix.MessageAttempt.Resend(b.ctx, b.appID, m.ID, ep.Id))
		b.waitState(m.ID, posthorn.Failed)
		b.waitState(m.ID, posthorn.Delivered)
		require.Len(t, rec.all(), 2)
	})

	t.Run("that are cancelled before their time go to nobody", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, nil)
		b.endpoint(svix.EndpointIn{Url: rec.URL})
		m := b.sendTimed(fmt.Sprintf(`"deliverAt":%q`, at(time.Now().Add(24*time.Hour))))
		done := b.cancel(m.ID)
		require.NotNil(t, done.CancelledAt)
		require.Zero(t, done.Cancelled+done.Ended)
		b.waitCompleted(m.ID)
		require.Equal(t, posthorn.MessageCancelled, b.waitState(m.ID, posthorn.Cancelled).Reason)
		require.Equal(t, done.CancelledAt, b.shown(m.ID).CancelledAt)
		require.Equal(t, 1, b.cancel(m.ID).Ended, "it has ended")
		require.Empty(t, rec.all())
	})

	t.Run("that are cancelled for one endpoint go to the others", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec, other := newReceiver(t, nil), newReceiver(t, nil)
		not := b.endpoint(svix.EndpointIn{Url: rec.URL})
		b.endpoint(svix.EndpointIn{Url: other.URL})
		m := b.sendTimed(fmt.Sprintf(`"deliverAt":%q`, at(time.Now().Add(3*time.Second))))
		require.Equal(t, cancelled{Cancelled: 1}, b.cancel(m.ID+"/endpoint/"+not.Id))
		other.wait(t, 1)
		b.waitCompleted(m.ID)
		require.Empty(t, rec.all())
	})

	t.Run("whose workflow is cancelled in Temporal are cancelled", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, nil)
		b.endpoint(svix.EndpointIn{Url: rec.URL})
		m := b.sendTimed(fmt.Sprintf(`"deliverAt":%q`, at(time.Now().Add(24*time.Hour))))
		require.NoError(t, b.temporal().CancelWorkflow(b.ctx, m.ID, ""))
		b.waitState(m.ID, posthorn.Cancelled)
		require.NotNil(t, b.shown(m.ID).CancelledAt)
		require.Empty(t, rec.all())
	})

	t.Run("wrong times name the field", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		in := func(d time.Duration) string { return at(time.Now().Add(d)) }
		for fields, field := range map[string]string{
			`"deliverAt":"soon"`: "deliverAt",
			`"deliverAt":5`:      "deliverAt",
			fmt.Sprintf(`"deliverAt":%q`, in(31*24*time.Hour)):                                             "deliverAt",
			fmt.Sprintf(`"deliverAt":%q,"payloadRetentionHours":1`, in(2*time.Hour)):                       "payloadRetentionHours",
			fmt.Sprintf(`"deliverAt":%q,"payloadRetentionPeriod":5`, in(6*24*time.Hour)):                   "payloadRetentionPeriod",
			fmt.Sprintf(`"deliverBefore":%q`, in(-time.Hour)):                                              "deliverBefore",
			fmt.Sprintf(`"deliverBefore":%q`, in(31*24*time.Hour)):                                         "deliverBefore",
			fmt.Sprintf(`"deliverAt":%q,"deliverBefore":%q`, in(2*time.Hour), in(time.Hour)):               "deliverBefore",
			fmt.Sprintf(`"deliverAt":%q,"deliverBefore":%q`, in(time.Hour), in(31*24*time.Hour+time.Hour)): "deliverBefore",
		} {
			status, body := b.request(http.MethodPost, "/msg", `{"eventType":"a","payload":{},`+fields+`}`)
			require.Equal(t, http.StatusUnprocessableEntity, status, "%s: %s", fields, body)
			require.Contains(t, string(body), `["body","`+field+`"]`, fields)
		}
	})
}

func TestScheduledMessagesSurviveARestart(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	first, err := app.New(cfg, "", quiet())
	require.NoError(t, err)
	require.NoError(t, first.Start(t.Context()))
	b := setupOn(t, first)
	rec := newReceiver(t, nil)
	b.endpoint(svix.EndpointIn{Url: rec.URL})
	when := time.Now().Add(6 * time.Second)
	sent := b.sendTimed(fmt.Sprintf(`"deliverAt":%q`, at(when)))
	not := b.sendTimed(fmt.Sprintf(`"deliverAt":%q`, at(when)))
	require.NotNil(t, b.cancel(not.ID).CancelledAt)
	require.NoError(t, first.Close())

	second, err := app.New(cfg, "", quiet())
	require.NoError(t, err)
	require.NoError(t, second.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, second.Close()) })
	b.app = second
	b.waitState(sent.ID, posthorn.Delivered)
	b.waitState(not.ID, posthorn.Cancelled)
	got := rec.all()
	require.Len(t, got, 1)
	require.Equal(t, sent.ID, got[0].header.Get("webhook-id"))
	require.False(t, got[0].at.Before(when))
}

func TestCancelling(t *testing.T) {
	t.Parallel()

	t.Run("what is retried is not tried again, and its workflow completes", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, patient)
		ep := b.endpoint(svix.EndpointIn{Url: rec.URL})
		whole, one := b.send("a", `{}`), b.send("a", `{}`)
		b.waitState(whole, posthorn.Retrying)
		b.waitState(one, posthorn.Retrying)
		done := b.cancel(whole)
		require.Equal(t, 1, done.Cancelled)
		require.NotNil(t, done.CancelledAt)
		require.Equal(t, cancelled{Cancelled: 1}, b.cancel(one+"/endpoint/"+ep.Id))
		require.Equal(t, posthorn.MessageCancelled, b.waitState(whole, posthorn.Cancelled).Reason)
		require.Equal(t, posthorn.DeliveryCancelled, b.waitState(one, posthorn.Cancelled).Reason)
		b.waitCompleted(whole)
		b.waitCompleted(one)
		require.Len(t, rec.all(), 2)
	})

	t.Run("what is held is not sent when the endpoint is resumed", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, nil)
		ep := b.endpoint(svix.EndpointIn{Url: rec.URL})
		b.change(http.MethodPost, ep.Id, "/pause", "")
		id := b.send("a", `{}`)
		b.waitState(id, posthorn.Held)
		require.Equal(t, 1, b.cancel(id).Cancelled)
		b.waitCompleted(id)
		b.change(http.MethodPost, ep.Id, "/resume", "")
		b.waitState(b.send("a", `{}`), posthorn.Delivered)
		b.waitState(id, posthorn.Cancelled)
		require.Len(t, rec.all(), 1)
	})

	t.Run("what was delivered stays so, and the answer says it", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		ep := b.endpoint(svix.EndpointIn{Url: newReceiver(t, nil).URL})
		id := b.send("a", `{}`)
		b.waitState(id, posthorn.Delivered)
		require.Equal(t, cancelled{Ended: 1}, b.cancel(id))
		require.Equal(t, cancelled{Ended: 1}, b.cancel(id+"/endpoint/"+ep.Id))
		b.waitState(id, posthorn.Delivered)
		later := b.endpoint(svix.EndpointIn{Url: "https://example.com"})
		status, _ := b.request(http.MethodPost, "/msg/"+id+"/endpoint/"+later.Id+"/cancel", "")
		require.Equal(t, http.StatusNotFound, status, "the message never went there")
	})

	t.Run("an attempt under way may still deliver; if it fails there is no other", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		answer := make(chan int)
		slow := func(w http.ResponseWriter, r *http.Request, _ int) {
			select {
			case status := <-answer:
				w.WriteHeader(status)
			case <-r.Context().Done():
			}
		}
		for status, want := range map[int]posthorn.DeliveryState{200: posthorn.Delivered, 500: posthorn.Cancelled} {
			rec := newReceiver(t, slow)
			ep := b.endpoint(svix.EndpointIn{Url: rec.URL})
			id := b.send("a", `{}`)
			rec.wait(t, 1)
			require.NotNil(t, b.cancel(id).CancelledAt)
			answer <- status
			b.waitState(id, want)
			b.waitCompleted(id)
			require.Nil(t, b.attempts(id)[0].NextAttempt)
			require.Len(t, rec.all(), 1)
			require.NoError(t, b.svix.Endpoint.Delete(b.ctx, b.appID, ep.Id))
		}
	})

	t.Run("an endpoint's messages from before a moment, whatever they wait for", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		good := make(chan struct{})
		rec := newReceiver(t, func(w http.ResponseWriter, r *http.Request, n int) {
			select {
			case <-good:
			default:
				patient(w, r, n)
			}
		})
		ep := b.endpoint(svix.EndpointIn{Url: rec.URL})
		retried := b.send("a", `{}`)
		b.waitState(retried, posthorn.Retrying)
		b.change(http.MethodPost, ep.Id, "/pause", "")
		const held = 300
		var many []string
		for i := range held {
			many = append(many, fmt.Sprintf(`{"eventType":"a","payload":{"n":%d}}`, i))
		}
		ids := b.sendBatch(many)
		b.waitHeld(ep.Id, held)
		scheduled := b.sendTimed(fmt.Sprintf(`"deliverAt":%q`, at(time.Now().Add(20*time.Second)))).ID
		close(good)

		status, body := b.request(http.MethodPost, "/endpoint/"+ep.Id+"/cancel-msgs", fmt.Sprintf(`{"createdBefore":%q}`, at(time.Now().Add(time.Hour))))
		require.Equal(t, http.StatusNoContent, status, "%s", body)
		<-time.After(2 * time.Millisecond) // IDs have the time to the millisecond
		later := b.send("a", `{}`)
		b.change(http.MethodPost, ep.Id, "/resume", "")
		for _, id := range append(ids, retried, scheduled) {
			require.Contains(t, b.waitState(id, posthorn.Cancelled).Reason, "the endpoint's messages from before")
			b.waitCompleted(id)
		}
		b.waitState(later, posthorn.Delivered)
		require.Len(t, rec.all(), 2, "the first attempt of what was retried, and what came later")
	})

	t.Run("needs a moment", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		ep := b.endpoint(svix.EndpointIn{Url: "https://example.com"})
		for _, body := range []string{`{}`, `{"createdBefore":"now"}`} {
			status, answer := b.request(http.MethodPost, "/endpoint/"+ep.Id+"/cancel-msgs", body)
			require.Equal(t, http.StatusUnprocessableEntity, status)
			require.Contains(t, string(answer), "createdBefore")
		}
	})
}

// sendBatch posts events together and returns their IDs.
func (b *bundle) sendBatch(messages []string) (ids []string) {
	b.t.Helper()
	var body []json.RawMessage
	for _, m := range messages {
		body = append(body, json.RawMessage(m))
	}
	text, err := json.Marshal(map[string]any{"messages": body})
	require.NoError(b.t, err)
	status, answer := b.request(http.MethodPost, "/msg/batch", string(text))
	require.Equal(b.t, http.StatusAccepted, status, "%s", answer)
	var out struct {
		Data []struct{ Message struct{ ID string } }
	}
	require.NoError(b.t, json.Unmarshal(answer, &out))
	for _, item := range out.Data {
		ids = append(ids, item.Message.ID)
	}
	return ids
}

func TestDeliverBefore(t *testing.T) {
	t.Parallel()
	const reason = "it was not delivered before"

	t.Run("passes while the endpoint is paused or disabled", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, nil)
		paused := b.endpoint(svix.EndpointIn{Url: rec.URL})
		b.change(http.MethodPost, paused.Id, "/pause", "")
		m := b.sendTimed(fmt.Sprintf(`"deliverBefore":%q`, at(time.Now().Add(3*time.Second))))
		require.Nil(t, b.waitState(m.ID, posthorn.Held).NextAttempt, "there is none unless somebody resumes the endpoint")
		failed := b.waitState(m.ID, posthorn.Failed)
		require.Contains(t, failed.Reason, reason)
		require.Zero(t, failed.Attempts)
		b.change(http.MethodPost, paused.Id, "/resume", "")

		b.change(http.MethodPatch, paused.Id, "", `{"disabled":true}`)
		end := time.Now().Add(2 * time.Second)
		m = b.sendTimed(fmt.Sprintf(`"deliverBefore":%q`, at(end)))
		b.waitState(m.ID, posthorn.Held)
		<-time.After(time.Until(end))
		b.change(http.MethodPatch, paused.Id, "", `{"disabled":false}`)
		require.Contains(t, b.waitState(m.ID, posthorn.Failed).Reason, reason)
		require.Empty(t, rec.all())
	})

	t.Run("leaves no room for another attempt", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, patient)
		b.endpoint(svix.EndpointIn{Url: rec.URL})
		m := b.sendTimed(fmt.Sprintf(`"deliverBefore":%q`, at(time.Now().Add(time.Minute))))
		failed := b.waitState(m.ID, posthorn.Failed)
		require.Contains(t, failed.Reason, reason)
		require.Nil(t, failed.NextAttempt)
		require.Nil(t, b.attempts(m.ID)[0].NextAttempt)
		require.Len(t, rec.all(), 1)
		require.Eventually(t, func() bool { return b.workflowStatus(m.ID) == enums.WORKFLOW_EXECUTION_STATUS_FAILED }, patience, 20*time.Millisecond)
	})

	t.Run("lets a later attempt be the last one", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		rec := newReceiver(t, always(http.StatusInternalServerError))
		b.endpoint(svix.EndpointIn{Url: rec.URL})
		m := b.sendTimed(fmt.Sprintf(`"deliverBefore":%q`, at(time.Now().Add(1200*time.Millisecond))))
		require.Contains(t, b.waitState(m.ID, posthorn.Failed).Reason, reason)
		require.Less(t, len(rec.all()), 4)
	})
}
