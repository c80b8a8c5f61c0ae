package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/signing"
)

func noticeTests() []test {
	return []test{
		{"what is done to an endpoint is told", func(t *testing.T, s store.Store) {
			l := listen(t, s)
			ep := endpoint(l.app.ID, "main")
			subject := fmt.Sprintf(`"appId":%q,"appUid":"acme","endpointId":%q,"endpointUid":"main"`, l.app.ID, ep.ID)
			require.NoError(t, s.CreateEndpoint(t.Context(), ep))
			l.require(`{"type":"endpoint.created","data":{` + subject + `}}`)

			l.update(ep.ID, func(e *posthorn.Endpoint) { e.URL = "https://example.com/new" })
			l.require(`{"type":"endpoint.updated","data":{` + subject + `}}`)
			l.update(ep.ID, func(e *posthorn.Endpoint) { e.Headers["X-More"] = "in the same map" })
			l.require(`{"type":"endpoint.updated","data":{` + subject + `}}`)
			l.update(ep.ID, func(e *posthorn.Endpoint) {
				require.NoError(t, e.RotateSecret(signing.NewSymmetricKey(), time.Hour, noon()))
			})
			l.require(`{"type":"endpoint.updated","data":{` + subject + `}}`)

			l.update(ep.ID, func(e *posthorn.Endpoint) { e.SetDisabled(true, "") })
			l.require(`{"type":"endpoint.updated","data":{`+subject+`}}`, `{"type":"endpoint.disabled","data":{`+subject+`,"trigger":"manual"}}`)
			l.update(ep.ID, func(e *posthorn.Endpoint) { e.SetDisabled(false, "") })
			l.require(`{"type":"endpoint.updated","data":{`+subject+`}}`, `{"type":"endpoint.enabled","data":{`+subject+`}}`)
			l.update(ep.ID, func(e *posthorn.Endpoint) {
				e.SetDisabled(true, "it is gone")
				e.UpdatedAt = noon()
			})
			l.require(`{"type":"endpoint.updated","data":{`+subject+`}}`,
				`{"type":"endpoint.disabled","data":{`+subject+`,"trigger":"automatic","reason":"it is gone","failSince":"2026-03-01T12:00:00.123456Z"}}`)

			require.NoError(t, s.DeleteEndpoint(t.Context(), l.app.ID, "main", noon()))
			l.require(`{"type":"endpoint.deleted","data":{` + subject + `}}`)
		}},
		{"an endpoint whose content stays the same is not worth a notice", func(t *testing.T, s store.Store) {
			l := listen(t, s)
			ep := l.endpoint()
			l.update(ep.ID, func(e *posthorn.Endpoint) {
				e.Metadata = map[string]string{"team": "billing"}
				e.Headers["Authorization"] = "Bearer s3cret"
				e.PayloadVersions = map[string]string{"invoice.paid": "1"}
				e.UpdatedAt = noon().Add(time.Hour)
			})
			l.require()
		}},
		{"what is refused is not told", func(t *testing.T, s store.Store) {
			l := listen(t, s)
			ep, other := l.endpoint(), l.endpoint()
			l.update(ep.ID, func(e *posthorn.Endpoint) { e.UID = "taken" })
			l.require(l.aboutEndpoint("endpoint.updated", posthorn.Endpoint{ID: ep.ID, UID: "taken"}))

			requireCode(t, posthorn.Conflict, s.CreateEndpoint(t.Context(), endpoint(l.app.ID, "taken")))
			_, err := s.UpdateEndpoint(t.Context(), l.app.ID, other.ID, func(e *posthorn.Endpoint) error { e.UID = "taken"; return nil })
			requireCode(t, posthorn.Conflict, err)
			_, err = s.UpdateEndpoint(t.Context(), l.app.ID, other.ID, func(e *posthorn.Endpoint) error { e.URL = "x"; return errors.New("no") })
			require.Error(t, err)
			requireCode(t, posthorn.NotFound, s.DeleteEndpoint(t.Context(), l.app.ID, "nobody", noon()))
			l.require()
		}},
		{"the endpoints of a deleted application are told", func(t *testing.T, s store.Store) {
			l := listen(t, s)
			a, b, gone := l.endpoint(), l.endpoint(), l.endpoint()
			l.update(b.ID, func(e *posthorn.Endpoint) { e.SetDisabled(true, "") })
			require.NoError(t, s.DeleteEndpoint(t.Context(), l.app.ID, gone.ID, noon()))
			l.forget()
			require.NoError(t, s.DeleteApplication(t.Context(), l.app.OrgID, l.app.ID, noon()))
			l.require(l.aboutEndpoint("endpoint.deleted", a), l.aboutEndpoint("endpoint.deleted", b))
		}},
		{"a delivery that keeps failing is told once, and so is its recovery", func(t *testing.T, s store.Store) {
			l := listen(t, s)
			ep, m := l.endpoint(), createMessage(t, s, message(l.app.ID, "evt-7"))
			first, second, third := retried(attempt(m, ep.ID)), failing(attempt(m, ep.ID)), failing(attempt(m, ep.ID))
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{first}})
			l.require()
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{second}})
			l.require(l.aboutDelivery("message.attempt.failing", ep, m, `,"lastAttempt":`+lastAttempt(second)))
			require.True(t, delivery(t, s, m, ep.ID).Alarmed)
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{second, third, manual(attempt(m, ep.ID))}})
			l.require()
			done := succeeded(attempt(m, ep.ID))
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{done}})
			l.require(l.aboutDelivery("message.attempt.recovered", ep, m, `,"lastAttempt":`+lastAttempt(done)))
			require.False(t, delivery(t, s, m, ep.ID).Alarmed)
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{done, manual(succeeded(attempt(m, ep.ID))), manual(attempt(m, ep.ID))}})
			l.require()
		}},
		{"a delivery whose schedule is used up is told, and its recovery by hand", func(t *testing.T, s store.Store) {
			l := listen(t, s)
			ep, m := l.endpoint(), createMessage(t, s, message(l.app.ID, ""))
			end := attempt(m, ep.ID)
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{end}})
			l.require(l.aboutDelivery("message.attempt.exhausted", ep, m, `,"lastAttempt":`+lastAttempt(end)))
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{end, manual(attempt(m, ep.ID))}})
			l.require()
			done := manual(succeeded(attempt(m, ep.ID)))
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{done}})
			l.require(l.aboutDelivery("message.attempt.recovered", ep, m, `,"lastAttempt":`+lastAttempt(done)))
		}},
		{"a delivery whose time is over is told, with its last attempt if there was one", func(t *testing.T, s store.Store) {
			l := listen(t, s)
			ep, never, m := l.endpoint(), l.endpoint(), createMessage(t, s, message(l.app.ID, ""))
			tried := retried(attempt(m, ep.ID))
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{tried}, Pending: []string{never.ID}})
			closed := func(endpointID string, state posthorn.DeliveryState) store.Record {
				return store.Record{Closed: []posthorn.Delivery{{MessageID: m.ID, EndpointID: endpointID, State: state, Reason: "too late"}}}
			}
			record(t, s, m, closed(ep.ID, posthorn.Held))
			l.require()
			record(t, s, m, closed(ep.ID, posthorn.Failed))
			l.require(l.aboutDelivery("message.attempt.exhausted", ep, m, `,"reason":"too late","lastAttempt":`+lastAttempt(tried)))
			record(t, s, m, closed(ep.ID, posthorn.Failed))
			l.require()
			record(t, s, m, closed(never.ID, posthorn.Failed))
			l.require(l.aboutDelivery("message.attempt.exhausted", never, m, `,"reason":"too late"`))
		}},
		{"what is tried by hand, delivered at once or cancelled is no alarm", func(t *testing.T, s store.Store) {
			l := listen(t, s)
			ep, m := l.endpoint(), createMessage(t, s, message(l.app.ID, ""))
			record(t, s, m, store.Record{
				Attempts: []posthorn.Attempt{manual(attempt(m, ep.ID)), succeeded(attempt(m, "ep_2")), retried(attempt(m, "ep_3")), succeeded(attempt(m, "ep_3"))},
				Closed:   []posthorn.Delivery{{MessageID: m.ID, EndpointID: "ep_4", State: posthorn.Cancelled}},
			})
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{manual(succeeded(attempt(m, ep.ID)))}})
			l.require()
		}},
		{"one record can alarm about many endpoints", func(t *testing.T, s store.Store) {
			l := listen(t, s)
			m := createMessage(t, s, message(l.app.ID, ""))
			var r store.Record
			var want []string
			for range 20 {
				ep := l.endpoint()
				r.Attempts = append(r.Attempts, attempt(m, ep.ID))
				want = append(want, l.aboutDelivery("message.attempt.exhausted", ep, m, `,"lastAttempt":`+lastAttempt(r.Attempts[len(r.Attempts)-1])))
			}
			record(t, s, m, r)
			l.require(want...)
		}},
		{"the end of a task is told", func(t *testing.T, s store.Store) {
			l := listen(t, s)
			made := createTask(t, s, task(0))
			step := made
			step.Cursor = json.RawMessage(`{"After":"x"}`)
			require.NoError(t, s.AdvanceTask(t.Context(), step, nil))
			l.require()
			end := posthorn.Task{ID: made.ID, State: posthorn.TaskFailed, Reason: "the endpoint was deleted", Data: json.RawMessage(`{"sent":3}`)}
			requireCode(t, posthorn.Conflict, s.AdvanceTask(t.Context(), end, nil))
			l.require()
			require.NoError(t, s.AdvanceTask(t.Context(), end, step.Cursor))
			l.require(fmt.Sprintf(`{"type":"background_task.finished","data":{"taskId":%q,"task":%q,"status":"failed","reason":"the endpoint was deleted","data":{"sent":3}}}`,
				made.ID, made.Kind))
			requireCode(t, posthorn.Conflict, s.AdvanceTask(t.Context(), end, step.Cursor))
			l.require()

			large := createTask(t, s, task(1))
			large.State, large.Data = posthorn.TaskFinished, json.RawMessage(`"`+strings.Repeat("x", posthorn.MaxNoticeData)+`"`)
			require.NoError(t, s.AdvanceTask(t.Context(), large, nil))
			l.require(fmt.Sprintf(`{"type":"background_task.finished","data":{"taskId":%q,"task":%q,"status":"finished"}}`, large.ID, large.Kind))
		}},
		{"nothing is stored unless somebody listens", func(t *testing.T, s store.Store) {
			app := application("acme")
			require.NoError(t, s.CreateApplication(t.Context(), app))
			everything := func() {
				ep := endpoint(app.ID, "")
				require.NoError(t, s.CreateEndpoint(t.Context(), ep))
				m := message(app.ID, "")
				require.NoError(t, s.CreateManualMessage(t.Context(), m))
				record(t, s, m, store.Record{Attempts: []posthorn.Attempt{failing(attempt(m, ep.ID)), attempt(m, ep.ID), succeeded(attempt(m, ep.ID))}})
				_, err := s.UpdateEndpoint(t.Context(), app.ID, ep.ID, func(e *posthorn.Endpoint) error { e.SetDisabled(true, "x"); return nil })
				require.NoError(t, err)
				require.NoError(t, s.DeleteEndpoint(t.Context(), app.ID, ep.ID, noon()))
				ended := task(0)
				ended.ID = posthorn.TaskID.New()
				createTask(t, s, ended)
				ended.State = posthorn.TaskFinished
				require.NoError(t, s.AdvanceTask(t.Context(), ended, nil))
			}
			silence := func() {
				t.Helper()
				everything()
				require.Empty(t, undispatchedNotices(t, s))
			}
			silence()
			hidden := hiddenApplication(posthorn.DefaultOrg)
			require.NoError(t, s.CreateApplication(t.Context(), hidden))
			silence()
			ep := operationalEndpoint(hidden.ID, "endpoint.disabling-soon")
			require.NoError(t, s.CreateEndpoint(t.Context(), ep))
			silence()
			_, err := s.UpdateEndpoint(t.Context(), hidden.ID, ep.ID, func(e *posthorn.Endpoint) error { e.EventTypes = nil; return nil })
			require.NoError(t, err)
			everything()
			require.Len(t, undispatchedNotices(t, s), 8)
			require.NoError(t, s.DeleteEndpoint(t.Context(), hidden.ID, ep.ID, noon()))
			everything()
			require.Len(t, undispatchedNotices(t, s), 8)
		}},
		{"whoever subscribes to one event is told that one", func(t *testing.T, s store.Store) {
			l := listen(t, s, posthorn.EventAttemptRecovered)
			ep, m := l.endpoint(), createMessage(t, s, message(l.app.ID, ""))
			done := succeeded(attempt(m, ep.ID))
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{failing(attempt(m, ep.ID)), done}})
			l.require(l.aboutDelivery("message.attempt.recovered", ep, m, `,"lastAttempt":`+lastAttempt(done)))
		}},
		{"organisations hear of their own only", func(t *testing.T, s store.Store) {
			l := listen(t, s)
			foreign := application("acme")
			foreign.OrgID = "org_other"
			require.NoError(t, s.CreateApplication(t.Context(), foreign))
			require.NoError(t, s.CreateEndpoint(t.Context(), endpoint(foreign.ID, "")))
			require.NoError(t, s.DeleteApplication(t.Context(), foreign.OrgID, foreign.ID, noon()))
			l.require()
		}},
		{"operational endpoints and their messages are told to nobody", func(t *testing.T, s store.Store) {
			l := listen(t, s)
			// Even if somebody had made the application that would hear of it.
			beyond := hiddenApplication(l.hidden.OrgID)
			require.NoError(t, s.CreateApplication(t.Context(), beyond))
			require.NoError(t, s.CreateEndpoint(t.Context(), operationalEndpoint(beyond.ID)))

			ep := operationalEndpoint(l.hidden.ID)
			require.NoError(t, s.CreateEndpoint(t.Context(), ep))
			m := createMessage(t, s, message(l.hidden.ID, ""))
			record(t, s, m, store.Record{
				Dispatched: true, Attempts: []posthorn.Attempt{failing(attempt(m, ep.ID)), attempt(m, ep.ID), manual(succeeded(attempt(m, ep.ID)))},
			})
			_, err := s.UpdateEndpoint(t.Context(), l.hidden.ID, ep.ID, func(e *posthorn.Endpoint) error { e.SetDisabled(true, "it is gone"); return nil })
			require.NoError(t, err)
			require.NoError(t, s.DeleteEndpoint(t.Context(), l.hidden.ID, ep.ID, noon()))
			require.NoError(t, s.DeleteApplication(t.Context(), l.hidden.OrgID, l.hidden.ID, noon()))
			l.require()
			require.Empty(t, undispatchedNotices(t, s))
		}},
	}
}

// listener is an organisation with an application whose operational webhooks are heard.
type listener struct {
	t           *testing.T
	s           store.Store
	app, hidden posthorn.Application

	mu   sync.Mutex
	told []string
}

// listen subscribes to some operational events, to all if none are given.
func listen(t *testing.T, s store.Store, events ...string) *listener {
	t.Helper()
	l := &listener{t: t, s: s, app: application("acme"), hidden: hiddenApplication(posthorn.DefaultOrg)}
	s.OnNotice(func(m posthorn.Message) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.told = append(l.told, m.ID)
	})
	require.NoError(t, s.CreateApplication(t.Context(), l.app))
	require.NoError(t, s.CreateApplication(t.Context(), l.hidden))
	require.NoError(t, s.CreateEndpoint(t.Context(), operationalEndpoint(l.hidden.ID, events...)))
	return l
}

// endpoint makes one that is not told of.
func (l *listener) endpoint() posthorn.Endpoint {
	l.t.Helper()
	ep := endpoint(l.app.ID, "")
	require.NoError(l.t, l.s.CreateEndpoint(l.t.Context(), ep))
	l.forget()
	return ep
}

func (l *listener) update(id string, change func(*posthorn.Endpoint)) {
	l.t.Helper()
	_, err := l.s.UpdateEndpoint(l.t.Context(), l.app.ID, id, func(e *posthorn.Endpoint) error { change(e); return nil })
	require.NoError(l.t, err)
}

// require compares the notices since the last call, each of which is passed on once and stored like a message.
func (l *listener) require(want ...string) {
	l.t.Helper()
	ids := l.take()
	require.Len(l.t, ids, len(want))
	for i, id := range ids {
		m, err := l.s.MessageByID(l.t.Context(), id)
		require.NoError(l.t, err)
		require.JSONEq(l.t, want[i], string(m.Payload))
		require.Equal(l.t, l.hidden.ID, m.AppID)
		require.Contains(l.t, want[i], `"type":"`+m.EventType+`"`)
		require.Equal(l.t, posthorn.DefaultRetention, m.ExpiresAt.Sub(m.CreatedAt))
		waits, err := l.s.IsUndispatched(l.t.Context(), id)
		require.NoError(l.t, err)
		require.True(l.t, waits)
		record(l.t, l.s, m, store.Record{Dispatched: true})
	}
	require.Empty(l.t, undispatchedNotices(l.t, l.s), "none is stored without being passed on")
}

// forget is for notices that are not looked at.
func (l *listener) forget() {
	l.t.Helper()
	for _, id := range l.take() {
		record(l.t, l.s, posthorn.Message{ID: id, AppID: l.hidden.ID}, store.Record{Dispatched: true})
	}
}

// take returns the IDs of the notices that were passed on since the last call.
func (l *listener) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := l.told
	l.told = nil
	return ids
}

func (l *listener) aboutEndpoint(event string, ep posthorn.Endpoint) string {
	return fmt.Sprintf(`{"type":%q,"data":{"appId":%q,"appUid":"acme","endpointId":%q,"endpointUid":%s}}`, event, l.app.ID, ep.ID, orNull(ep.UID))
}

func (l *listener) aboutDelivery(event string, ep posthorn.Endpoint, m posthorn.Message, more string) string {
	return fmt.Sprintf(`{"type":%q,"data":{"appId":%q,"appUid":"acme","endpointId":%q,"endpointUid":%s,"msgId":%q,"msgEventId":%s%s}}`,
		event, l.app.ID, ep.ID, orNull(ep.UID), m.ID, orNull(m.EventID), more)
}

func orNull(name string) string {
	if name == "" {
		return "null"
	}
	return `"` + name + `"`
}

func lastAttempt(a posthorn.Attempt) string {
	return fmt.Sprintf(`{"id":%q,"responseStatusCode":%d,"timestamp":"2026-03-01T12:00:00.123456Z"}`, a.ID, a.Status)
}

func failing(a posthorn.Attempt) posthorn.Attempt {
	a = retried(a)
	a.Failing = true
	return a
}

func hiddenApplication(org string) posthorn.Application {
	app := application(posthorn.OperationalUID)
	app.OrgID = posthorn.OperationalOrg(org)
	return app
}

func operationalEndpoint(appID string, events ...string) posthorn.Endpoint {
	ep := endpoint(appID, "")
	ep.EventTypes, ep.Channels = events, nil
	return ep
}

// undispatchedNotices lists the notices that nobody has begun to send.
func undispatchedNotices(t *testing.T, s store.Store) []posthorn.Message {
	t.Helper()
	ms, err := s.Undispatched(t.Context(), "", time.Now().Add(time.Hour), 1000)
	require.NoError(t, err)
	var notices []posthorn.Message
	for _, m := range ms {
		if _, operational := posthorn.OperationalEvents()[m.EventType]; operational {
			notices = append(notices, m)
		}
	}
	return notices
}
