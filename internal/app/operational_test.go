package app_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/app"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlite"
)

// notice is an operational event as its receiver gets it, with all fields that any has.
type notice struct {
	Type string
	Data struct {
		AppID, AppUID, EndpointID, EndpointUID string
		Trigger, Reason                        string
		FailSince                              time.Time
		MsgID, MsgEventID                      string
		LastAttempt                            *struct {
			ID                 string
			ResponseStatusCode int
			Timestamp          time.Time
		}
		TaskID string
		Task   posthorn.TaskKind
		Status posthorn.TaskState
		Data   map[string]any
	}
}

// ops is a platform team's server, an operational-webhook endpoint.
type ops struct {
	*receiver
	t      *testing.T
	id     string
	secret string
}

// operational subscribes a server of the platform team to events; to all if none are given.
func (b *bundle) operational(answer func(http.ResponseWriter, *http.Request, int), events ...string) *ops {
	b.t.Helper()
	o := &ops{receiver: newReceiver(b.t, answer), t: b.t}
	body, err := json.Marshal(map[string]any{"url": o.URL, "eventTypes": events})
	require.NoError(b.t, err)
	if events == nil {
		body = []byte(`{"url":"` + o.URL + `"}`)
	}
	var made struct{ ID, Key string }
	require.NoError(b.t, json.Unmarshal(b.call("POST", "/operational-webhook/endpoint", string(body), http.StatusCreated), &made))
	o.id = made.ID
	require.NoError(b.t, json.Unmarshal(b.call("GET", "/operational-webhook/endpoint/"+made.ID+"/secret", "", http.StatusOK), &made))
	o.secret = made.Key
	return o
}

// heard returns the notices that have come, each once. Their signatures are good.
func (o *ops) heard() []notice {
	o.t.Helper()
	var all []notice
	seen := map[string]bool{}
	for _, r := range o.all() {
		verify(o.t, o.secret, r)
		id := r.header.Get("webhook-id")
		if seen[id] {
			continue
		}
		seen[id] = true
		var n notice
		require.NoError(o.t, json.Unmarshal(r.body, &n), "%s", r.body)
		require.NotContains(o.t, string(r.body), "whsec_")
		require.NotContains(o.t, string(r.body), "hunter2")
		all = append(all, n)
	}
	return all
}

// about returns the notices of an endpoint.
func (o *ops) about(endpointID string) []notice {
	o.t.Helper()
	return slices.DeleteFunc(o.heard(), func(n notice) bool { return n.Data.EndpointID != endpointID })
}

// await waits until exactly these events of an endpoint have been told, in any order, and returns the notices by type.
func (o *ops) await(endpointID string, events ...string) map[string]notice {
	o.t.Helper()
	slices.Sort(events)
	var got []string
	byType := map[string]notice{}
	require.Eventually(o.t, func() bool {
		got = nil
		for _, n := range o.about(endpointID) {
			got = append(got, n.Type)
			byType[n.Type] = n
		}
		slices.Sort(got)
		return slices.Equal(got, events)
	}, patience, 20*time.Millisecond, "waiting for %v", lazily(func() any { return [][]string{events, got} }))
	return byType
}

// lazily formats a value when a test has failed.
type lazily func() any

func (l lazily) String() string {
	text, _ := json.Marshal(l())
	return string(text)
}

// failFirst fails the first n requests.
func failFirst(n int) func(http.ResponseWriter, *http.Request, int) {
	var made atomic.Int32
	return func(w http.ResponseWriter, _ *http.Request, _ int) {
		if int(made.Add(1)) <= n {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}
}

func TestOperationalWebhooks(t *testing.T) {
	t.Parallel()
	cfg := testConfig(t.TempDir())
	cfg.RetrySchedule = slices.Repeat(posthorn.Schedule{200 * time.Millisecond}, 5)
	a, err := app.New(cfg, "", quiet())
	require.NoError(t, err)
	require.NoError(t, a.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	everybody := setupOn(t, a)
	all := everybody.operational(nil)
	exhaustedOnly := everybody.operational(nil, "message.attempt.exhausted")
	hears := func(t *testing.T, o *ops) *ops { c := *o; c.t = t; return &c }

	t.Run("changes of an endpoint", func(t *testing.T) {
		t.Parallel()
		b, all := setupOn(t, a), hears(t, all) // its own application: nothing is sent to its endpoint
		in := svix.EndpointIn{Url: "http://127.0.0.1:1/one"}
		in.SetUid("changing")
		ep := b.endpoint(in)
		told := all.await(ep.Id, "endpoint.created")["endpoint.created"].Data
		require.Equal(t, b.appID, told.AppID)
		require.Equal(t, "changing", told.EndpointUID)

		path := "/app/" + b.appID + "/endpoint/" + ep.Id
		b.call("PUT", path, `{"url":"http://127.0.0.1:1/two","uid":"changing"}`, http.StatusOK)
		all.await(ep.Id, "endpoint.created", "endpoint.updated")
		b.call("PATCH", path, `{"url":"http://127.0.0.1:1/two"}`, http.StatusOK) // changes nothing
		b.call("POST", path+"/secret/rotate", `{}`, http.StatusNoContent)
		all.await(ep.Id, "endpoint.created", "endpoint.updated", "endpoint.updated")
		b.call("PATCH", path+"/headers", `{"headers":{"Authorization":"hunter2"}}`, http.StatusNoContent)
		all.await(ep.Id, "endpoint.created", "endpoint.updated", "endpoint.updated", "endpoint.updated")
		b.call("PATCH", path, `{"disabled":true}`, http.StatusOK)
		got := all.await(ep.Id, "endpoint.created", "endpoint.updated", "endpoint.updated", "endpoint.updated", "endpoint.updated", "endpoint.disabled")
		require.Equal(t, "manual", got["endpoint.disabled"].Data.Trigger)
		require.Zero(t, got["endpoint.disabled"].Data.FailSince)
		b.call("PATCH", path, `{"disabled":false}`, http.StatusOK)
		b.call("DELETE", path, "", http.StatusNoContent)
		all.await(ep.Id, "endpoint.created", "endpoint.updated", "endpoint.updated", "endpoint.updated", "endpoint.updated", "endpoint.disabled",
			"endpoint.updated", "endpoint.enabled", "endpoint.deleted")
		require.Empty(t, hears(t, exhaustedOnly).about(ep.Id))
	})

	t.Run("an endpoint that is gone", func(t *testing.T) {
		t.Parallel()
		b, all := everybody.in(t), hears(t, all)
		began := time.Now().Truncate(time.Microsecond)
		rec := newReceiver(t, always(http.StatusGone))
		ep := b.targeted(rec, "gone")
		b.send("gone", `{}`)
		b.send("gone", `{}`)
		told := all.await(ep, "endpoint.created", "endpoint.updated", "endpoint.disabled")["endpoint.disabled"].Data
		require.Equal(t, "automatic", told.Trigger)
		require.Contains(t, told.Reason, "410")
		require.False(t, told.FailSince.Before(began))
	})

	t.Run("a delivery that fails for good", func(t *testing.T) {
		t.Parallel()
		b, all := everybody.in(t), hears(t, all)
		ep := b.targeted(newReceiver(t, always(http.StatusTeapot)), "hopeless")
		id := b.send("hopeless", `{}`)
		got := all.await(ep, "endpoint.created", "message.attempt.failing", "message.attempt.exhausted")
		attempts := b.attempts(id)
		require.Len(t, attempts, 6)
		for event, want := range map[string]attempt{"message.attempt.failing": attempts[3], "message.attempt.exhausted": attempts[5]} {
			told := got[event].Data
			require.Equal(t, id, told.MsgID)
			require.Equal(t, b.appID, told.AppID)
			require.Equal(t, want.ID, told.LastAttempt.ID, event)
			require.Equal(t, http.StatusTeapot, told.LastAttempt.ResponseStatusCode)
			require.WithinDuration(t, time.Now(), told.LastAttempt.Timestamp, time.Hour)
		}
		only := hears(t, exhaustedOnly)
		only.await(ep, "message.attempt.exhausted")

		// Somebody mends the receiver and sends again by hand.
		mended := newReceiver(t, nil)
		b.call("PATCH", "/app/"+b.appID+"/endpoint/"+ep, `{"url":"`+mended.URL+`"}`, http.StatusOK)
		b.call("POST", "/app/"+b.appID+"/msg/"+id+"/endpoint/"+ep+"/resend", `{}`, http.StatusAccepted)
		got = all.await(ep, "endpoint.created", "message.attempt.failing", "message.attempt.exhausted", "endpoint.updated", "message.attempt.recovered")
		require.Equal(t, http.StatusOK, got["message.attempt.recovered"].Data.LastAttempt.ResponseStatusCode)
	})

	t.Run("a delivery that recovers after it was failing", func(t *testing.T) {
		t.Parallel()
		b, all := everybody.in(t), hears(t, all)
		ep := b.targeted(newReceiver(t, failFirst(4)), "shaky")
		_, body := b.request(http.MethodPost, "/msg", `{"eventType":"shaky","eventId":"evt-1","payload":{}}`)
		var m struct{ ID string }
		require.NoError(t, json.Unmarshal(body, &m))
		got := all.await(ep, "endpoint.created", "message.attempt.failing", "message.attempt.recovered")
		require.Equal(t, b.attempts(m.ID)[4].ID, got["message.attempt.recovered"].Data.LastAttempt.ID)
		require.Equal(t, "evt-1", got["message.attempt.recovered"].Data.MsgEventID)
	})

	t.Run("a delivery that fails a little less is not worth a word", func(t *testing.T) {
		t.Parallel()
		b, all := everybody.in(t), hears(t, all)
		ep := b.targeted(newReceiver(t, failFirst(3)), "hiccup")
		b.waitState(b.send("hiccup", `{}`), posthorn.Delivered)
		b.call("DELETE", "/app/"+b.appID+"/endpoint/"+ep, "", http.StatusNoContent)
		all.await(ep, "endpoint.created", "endpoint.deleted")
	})

	t.Run("the end of a task", func(t *testing.T) {
		t.Parallel()
		b, all := setupOn(t, a), hears(t, all) // its own application: nobody else misses what it expunges
		id := b.began(b.call("POST", "/app/"+b.appID+"/msg/expunge-all-contents", "", http.StatusAccepted))
		var told notice
		require.Eventually(t, func() bool {
			for _, n := range all.heard() {
				if n.Data.TaskID == id {
					told = n
				}
			}
			return told.Type != ""
		}, patience, 20*time.Millisecond)
		require.Equal(t, "background_task.finished", told.Type)
		require.Equal(t, posthorn.PurgeContent, told.Data.Task)
		require.Equal(t, posthorn.TaskFinished, told.Data.Status)
		require.Contains(t, told.Data.Data, "expunged")
	})

	t.Run("the endpoints of an application that is deleted", func(t *testing.T) {
		t.Parallel()
		b, all := setupOn(t, a), hears(t, all)
		one, two := b.targeted(newReceiver(t, nil), "x"), b.targeted(newReceiver(t, nil), "x")
		b.call("DELETE", "/app/"+b.appID, "", http.StatusNoContent)
		all.await(one, "endpoint.created", "endpoint.deleted")
		all.await(two, "endpoint.created", "endpoint.deleted")
	})
}

// targeted makes an endpoint that gets one event type only, and returns its ID.
func (b *bundle) targeted(r *receiver, eventType string) string {
	b.t.Helper()
	_, err := b.svix.EventType.Create(b.ctx, &svix.EventTypeIn{Name: eventType, Description: "d"})
	if err != nil {
		require.ErrorContains(b.t, err, "409")
	}
	return b.endpoint(svix.EndpointIn{Url: r.URL, FilterTypes: []string{eventType}}).Id
}

// Short schedules are told of, too: three attempts have failed half-way after the second.
func TestOperationalWebhooksOfAShortSchedule(t *testing.T) {
	t.Parallel()
	b, _ := own(t) // four attempts
	o := b.operational(nil)
	ep := b.targeted(newReceiver(t, always(http.StatusTeapot)), "hopeless")
	id := b.send("hopeless", `{}`)
	got := o.await(ep, "endpoint.created", "message.attempt.failing", "message.attempt.exhausted")
	attempts := b.attempts(id)
	require.Equal(t, attempts[1].ID, got["message.attempt.failing"].Data.LastAttempt.ID)
	require.Equal(t, attempts[3].ID, got["message.attempt.exhausted"].Data.LastAttempt.ID)
}

// What happens to operational webhooks themselves is told to nobody, however badly they fare.
func TestOperationalWebhooksTellNothingOfThemselves(t *testing.T) {
	t.Parallel()
	b, dir := own(t)
	healthy := b.operational(nil)
	hopeless := b.operational(always(http.StatusTeapot))
	gone := b.operational(always(http.StatusGone))
	path := "/operational-webhook/endpoint/" + hopeless.id
	b.call("PUT", path+"/headers", `{"headers":{"X-A":"1"}}`, http.StatusNoContent)
	b.call("POST", path+"/secret/rotate", `{}`, http.StatusNoContent)

	ep := b.endpoint(svix.EndpointIn{Url: "http://127.0.0.1:1"})
	healthy.await(ep.Id, "endpoint.created")
	hopeless.receiver.wait(t, 4) // the schedule is used up
	require.Eventually(t, func() bool {
		var out struct{ Disabled bool }
		require.NoError(t, json.Unmarshal(b.call("GET", "/operational-webhook/endpoint/"+gone.id, "", http.StatusOK), &out))
		return out.Disabled
	}, patience, 20*time.Millisecond)
	b.call("DELETE", "/operational-webhook/endpoint/"+gone.id, "", http.StatusNoContent)

	// Something that is told, after all that.
	b.call("DELETE", "/app/"+b.appID+"/endpoint/"+ep.Id, "", http.StatusNoContent)
	healthy.await(ep.Id, "endpoint.created", "endpoint.deleted")
	hopeless.receiver.wait(t, 8)
	require.NoError(t, b.app.Close())
	require.Len(t, healthy.heard(), 2)
	require.Equal(t, []string{"endpoint.created", "endpoint.deleted"}, storedNotices(t, dir))
}

func TestOperationalWebhooksOfNobody(t *testing.T) {
	t.Parallel()
	b, dir := own(t)
	o := b.operational(nil, "endpoint.enabled", "endpoint.disabling-soon")
	ep := b.targeted(newReceiver(t, always(http.StatusTeapot)), "hopeless")
	b.waitState(b.send("hopeless", `{}`), posthorn.Failed)
	b.call("PATCH", "/app/"+b.appID+"/endpoint/"+ep, `{"disabled":true}`, http.StatusOK)
	b.ended(b.began(b.call("POST", "/app/"+b.appID+"/msg/expunge-all-contents", "", http.StatusAccepted)), posthorn.TaskFinished)
	b.call("PATCH", "/app/"+b.appID+"/endpoint/"+ep, `{"disabled":false}`, http.StatusOK)
	o.await(ep, "endpoint.enabled")
	b.call("DELETE", "/operational-webhook/endpoint/"+o.id, "", http.StatusNoContent)
	b.call("DELETE", "/app/"+b.appID+"/endpoint/"+ep, "", http.StatusNoContent)
	require.NoError(t, b.app.Close())
	require.Equal(t, []string{"endpoint.enabled"}, storedNotices(t, dir))
}

// A disabled operational endpoint is told later.
func TestNoticesAreHeld(t *testing.T) {
	t.Parallel()
	b, _ := own(t)
	o := b.operational(nil, "endpoint.created")
	path, body := "/operational-webhook/endpoint/"+o.id, `{"url":"`+o.URL+`","eventTypes":["endpoint.created"],"disabled":`
	b.call("PUT", path, body+`true}`, http.StatusOK)
	ep := b.endpoint(svix.EndpointIn{Url: "http://127.0.0.1:1"})
	b.call("PUT", path, body+`false}`, http.StatusOK)
	o.await(ep.Id, "endpoint.created")
}

// A process that dies between the commit and the start of the workflow leaves the notice to the next one.
func TestNoticesOfADeadProcess(t *testing.T) {
	t.Parallel()
	b, dir := own(t)
	o := b.operational(nil)
	ep := b.endpoint(svix.EndpointIn{Url: "http://127.0.0.1:1"})
	o.await(ep.Id, "endpoint.created")
	require.NoError(t, b.app.Close())

	s := storeOf(t, dir)
	_, err := s.UpdateEndpoint(t.Context(), b.appID, ep.Id, func(e *posthorn.Endpoint) error { e.URL += "/moved"; return nil })
	require.NoError(t, err)
	require.NoError(t, s.Close())

	a, err := app.New(testConfig(dir), "", quiet())
	require.NoError(t, err)
	require.NoError(t, a.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	o.await(ep.Id, "endpoint.created", "endpoint.updated")
}

// storeOf opens the database of a Posthorn that has ended.
func storeOf(t *testing.T, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(dir, "posthorn.db")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// storedNotices are the events of all notices that were ever stored, oldest first.
func storedNotices(t *testing.T, dir string) []string {
	t.Helper()
	s := storeOf(t, dir)
	hidden, err := s.Application(t.Context(), posthorn.OperationalOrg(posthorn.DefaultOrg), posthorn.OperationalUID)
	require.NoError(t, err)
	stored, err := s.ListMessages(t.Context(), hidden.ID, store.MessageFilter{}, store.Page{Limit: 100})
	require.NoError(t, err)
	var events []string
	for _, m := range stored.Items {
		events = append(events, m.EventType)
	}
	return events
}
