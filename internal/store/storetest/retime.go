package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func retimeTests() []test {
	return []test{
		{"what waits for its next attempt and nothing else is listed by message", func(t *testing.T, s store.Store) {
			var want []posthorn.Delivery
			for i := range 4 {
				m := createMessage(t, s, message("app_1", ""))
				record(t, s, m, store.Record{Attempts: []posthorn.Attempt{retried(attempt(m, "ep_1")), retried(attempt(m, "ep_2"))}})
				if i != 1 {
					want = append(want, delivery(t, s, m, "ep_1"))
				} else {
					wait(t, s, m, "ep_1", posthorn.WaitThrottle)
				}
			}
			m := createMessage(t, s, message("app_1", ""))
			record(t, s, m, store.Record{Pending: []string{"ep_1"}})
			m = createMessage(t, s, message("app_1", ""))
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{failed(attempt(m, "ep_1"))}})
			for after, from := range map[string]int{"": 0, want[0].MessageID: 1, want[2].MessageID: 3} {
				got, err := s.Retrying(t.Context(), "ep_1", after, 10)
				require.NoError(t, err)
				require.ElementsMatch(t, want[from:], got)
			}
			got, err := s.Retrying(t.Context(), "ep_1", "", 2)
			require.NoError(t, err)
			require.Equal(t, want[:2], got)
		}},
		{"a delivery gets another time or fails, unless it has moved on", func(t *testing.T, s store.Store) {
			var rs []store.Retiming
			var ms []posthorn.Message
			for range 5 {
				m := createMessage(t, s, message("app_1", ""))
				record(t, s, m, store.Record{Attempts: []posthorn.Attempt{retried(attempt(m, "ep_1"))}})
				ms = append(ms, m)
				rs = append(rs, store.Retiming{Delivery: delivery(t, s, m, "ep_1"), NextAt: at(99)})
			}
			rs[1].NextAt, rs[1].Reason = rs[1].Delivery.NextAt.Add(0), "unused"
			rs[2] = store.Retiming{Delivery: rs[2].Delivery, Reason: "shortened"}
			again := retried(attempt(ms[3], "ep_1"))
			again.NextAt = at(70)
			record(t, s, ms[3], store.Record{Attempts: []posthorn.Attempt{again}})
			wait(t, s, ms[4], "ep_1", posthorn.WaitPaused)
			unknown := store.Retiming{Delivery: posthorn.Delivery{MessageID: posthorn.MessageID.New(), EndpointID: "ep_1"}, NextAt: at(1)}

			changed, err := s.Retime(t.Context(), append(rs, unknown))
			require.NoError(t, err)
			require.Equal(t, []posthorn.Delivery{delivery(t, s, ms[0], "ep_1"), delivery(t, s, ms[2], "ep_1")}, changed)
			requireDelivery(t, s, ms[0], "ep_1", posthorn.Delivery{State: posthorn.Retrying, Attempts: 1, Scheduled: 1, NextAt: at(99)})
			requireDelivery(t, s, ms[1], "ep_1", posthorn.Delivery{State: posthorn.Retrying, Attempts: 1, Scheduled: 1, NextAt: rs[1].NextAt})
			requireDelivery(t, s, ms[2], "ep_1", posthorn.Delivery{
				State: posthorn.Failed, Reason: "shortened", Attempts: 1, Scheduled: 1, NextAt: rs[2].Delivery.NextAt, // its workflow has to hear of it
			})
			requireDelivery(t, s, ms[3], "ep_1", posthorn.Delivery{State: posthorn.Retrying, Attempts: 2, Scheduled: 2, NextAt: at(70)})
			requireDelivery(t, s, ms[4], "ep_1", posthorn.Delivery{
				State: posthorn.Held, Waits: posthorn.WaitPaused, Reason: "because", Attempts: 1, Scheduled: 1, NextAt: at(50),
			})
			due, err := s.Overdue(t.Context(), at(100), 10)
			require.NoError(t, err)
			require.Len(t, due, 5, "those that go on, the one that waits, and the one whose end nobody has heard of")
		}},
		{"a change of an endpoint's schedule has it looked after, from the first message on", func(t *testing.T, s store.Store) {
			ep := endpoint("app_1", "")
			require.NoError(t, s.CreateEndpoint(t.Context(), ep))
			set := func(schedule *posthorn.Schedule) {
				t.Helper()
				_, err := s.UpdateEndpoint(t.Context(), "app_1", ep.ID, func(e *posthorn.Endpoint) error { e.RetrySchedule = schedule; return nil })
				require.NoError(t, err)
			}
			same := append(posthorn.Schedule{}, *ep.RetrySchedule...)
			set(&same)
			requireAttention(t, s)
			set(nil)
			a := posthorn.Attention{EndpointID: ep.ID, AppID: "app_1", Version: 1, Retime: new(string)}
			requireAttention(t, s, a)

			behind := "msg_5"
			require.NoError(t, s.Retimed(t.Context(), a, &behind))
			got, err := s.AttentionFor(t.Context(), ep.ID)
			require.NoError(t, err)
			require.Equal(t, &behind, got.Retime)
			require.NoError(t, s.Attend(t.Context(), posthorn.Attention{EndpointID: ep.ID, AppID: "app_1"}))
			require.NoError(t, s.Retimed(t.Context(), a, nil))
			a.Version, a.Retime = 2, &behind
			requireAttention(t, s, a)
			set(&posthorn.Schedule{})
			a.Version, a.Retime = 3, new(string)
			requireAttention(t, s, a)
			require.NoError(t, s.Retimed(t.Context(), a, nil))
			a.Retime = nil
			requireAttention(t, s, a)
		}},
		{"a change of an event type's schedule has those endpoints looked after where its messages wait", typeScheduleChanges},
	}
}

func typeScheduleChanges(t *testing.T, s store.Store) {
	var heard []string
	s.OnAttention(func(appID, endpointID string) { heard = append(heard, appID+" "+endpointID) })
	app, foreign := application(""), application("")
	foreign.OrgID = "org_other"
	require.NoError(t, s.CreateApplication(t.Context(), app))
	require.NoError(t, s.CreateApplication(t.Context(), foreign))
	// waits makes an endpoint with one delivery that waits for its next attempt.
	waits := func(app posthorn.Application, eventType string, change func(*posthorn.Endpoint)) posthorn.Endpoint {
		t.Helper()
		ep := endpoint(app.ID, "")
		ep.RetrySchedule = nil
		change(&ep)
		require.NoError(t, s.CreateEndpoint(t.Context(), ep))
		m := message(app.ID, "")
		m.EventType = eventType
		createMessage(t, s, m)
		record(t, s, m, store.Record{Attempts: []posthorn.Attempt{retried(attempt(m, ep.ID))}})
		return ep
	}
	plain := func(*posthorn.Endpoint) {}
	first, second := waits(app, "invoice.paid", plain), waits(app, "invoice.paid", plain)
	waits(app, "invoice.sent", plain)
	waits(app, "invoice.paid", func(ep *posthorn.Endpoint) { ep.RetrySchedule = &posthorn.Schedule{} })
	waits(foreign, "invoice.paid", plain)
	idle := endpoint(app.ID, "")
	require.NoError(t, s.CreateEndpoint(t.Context(), idle))

	version := 0
	expect := func(changed bool) {
		t.Helper()
		if changed {
			version++
			require.ElementsMatch(t, []string{app.ID + " " + first.ID, app.ID + " " + second.ID}, heard)
		} else {
			require.Empty(t, heard)
		}
		heard = nil
		if version > 0 {
			requireAttention(t, s,
				posthorn.Attention{EndpointID: first.ID, AppID: app.ID, Version: version, Retime: new(string)},
				posthorn.Attention{EndpointID: second.ID, AppID: app.ID, Version: version, Retime: new(string)})
		}
	}
	set := func(change func(*posthorn.EventType)) {
		t.Helper()
		_, err := s.UpdateEventType(t.Context(), posthorn.DefaultOrg, "invoice.paid", func(et *posthorn.EventType) error { change(et); return nil })
		require.NoError(t, err)
	}
	et := eventType("invoice.paid")
	require.NoError(t, s.CreateEventType(t.Context(), et))
	expect(false)
	set(func(et *posthorn.EventType) { et.Description = "other" })
	expect(false)
	set(func(et *posthorn.EventType) { et.RetrySchedule = &posthorn.Schedule{1} })
	expect(true)
	set(func(et *posthorn.EventType) { et.Archived = true })
	expect(false)
	require.NoError(t, s.CreateEventType(t.Context(), et), "in place of an archived one that had a schedule")
	expect(true)
	set(func(et *posthorn.EventType) { et.RetrySchedule = &posthorn.Schedule{} })
	expect(true)
	require.NoError(t, s.DeleteEventType(t.Context(), posthorn.DefaultOrg, "invoice.paid"))
	expect(true)
	et.RetrySchedule = &posthorn.Schedule{2}
	require.NoError(t, s.CreateEventType(t.Context(), et))
	expect(true)
}
