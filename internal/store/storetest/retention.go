package storetest

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// remover is a method of store.Retention.
type remover func(ctx context.Context, before time.Time, from string) (store.Removed, error)

// removeAll goes on until nothing is left to remove, and returns how many items that were in how many calls.
func removeAll(t *testing.T, remove remover, before time.Time) (items, calls int) {
	t.Helper()
	for from := ""; ; calls++ {
		require.Less(t, calls, 10_000, "it doesn't come to an end")
		r, err := remove(t.Context(), before, from)
		require.NoError(t, err)
		items += r.Items
		if r.Done {
			return items, calls + 1
		}
		from = r.Next
	}
}

// requireRemoved removes what is older and demands that these were so many, and that nothing is left for a second time.
func requireRemoved(t *testing.T, want int, remove remover, before time.Time) {
	t.Helper()
	for _, want := range []int{want, 0} {
		items, _ := removeAll(t, remove, before)
		require.Equal(t, want, items)
	}
}

// attemptAt is an attempt made at noon plus so many minutes.
func attemptAt(m posthorn.Message, endpointID string, minute int) posthorn.Attempt {
	a := attempt(m, endpointID)
	a.ID = posthorn.AttemptID.Derive(at(minute), m.ID+endpointID)
	return a
}

// dispatched stores a message whose first round is over.
func dispatched(t *testing.T, s store.Store, m posthorn.Message, r store.Record) posthorn.Message {
	t.Helper()
	createMessage(t, s, m)
	r.Dispatched = true
	record(t, s, m, r)
	return m
}

func retentionTests() []test {
	return []test{
		{"an old message goes with everything that hangs on it, and a younger one stays with all of that", removedMessage},
		{"messages go oldest first, up to a moment", func(t *testing.T, s store.Store) {
			var ids []string
			for minute := range 5 {
				m := messageAt(numbered("app_", minute%2), minute)
				ids = append(ids, dispatched(t, s, m, store.Record{}).ID)
			}
			r, err := s.RemoveMessages(t.Context(), at(3), "")
			require.NoError(t, err)
			require.Equal(t, 3, r.Items)
			for i, id := range ids {
				_, err := s.MessageByID(t.Context(), id)
				require.Equal(t, i >= 3, err == nil)
			}
		}},
		{"a message stays until its first round has been recorded", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, messageAt("app_1", 0))
			requireRemoved(t, 0, s.RemoveMessages, at(9))
			waiting, err := s.Undispatched(t.Context(), "", at(9), 10)
			require.NoError(t, err)
			require.Equal(t, []string{m.ID}, idsOf(waiting))
			record(t, s, m, store.Record{Dispatched: true})
			requireRemoved(t, 1, s.RemoveMessages, at(9))
		}},
		{"a message that was sent by hand only needs no first round", func(t *testing.T, s store.Store) {
			m := messageAt("app_1", 0)
			require.NoError(t, s.CreateManualMessage(t.Context(), m))
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{manual(succeeded(attempt(m, "ep_1")))}})
			requireRemoved(t, 1, s.RemoveMessages, at(9))
		}},
		{"a message stays while one of its deliveries is open, with all its deliveries and attempts", func(t *testing.T, s store.Store) {
			for i, open := range []store.Record{
				{Pending: []string{"ep_2"}},
				{Attempts: []posthorn.Attempt{retried(attempt(messageAt("app_1", 1), "ep_2"))}},
				{Closed: []posthorn.Delivery{{MessageID: messageAt("app_1", 2).ID, EndpointID: "ep_2", State: posthorn.Held, Reason: "disabled"}}},
			} {
				m := messageAt("app_1", i)
				ended := succeeded(attempt(m, "ep_1"))
				open.Attempts = append(open.Attempts, ended)
				dispatched(t, s, m, open)
				requireRemoved(t, 0, s.RemoveMessages, at(9))
				ds, err := s.MessageDeliveries(t.Context(), m.ID)
				require.NoError(t, err)
				require.Len(t, ds, 2)
				_, err = s.Attempt(t.Context(), m.ID, ended.ID)
				require.NoError(t, err)
				for _, end := range []posthorn.DeliveryState{posthorn.Cancelled, posthorn.Failed} {
					record(t, s, m, store.Record{Closed: []posthorn.Delivery{{MessageID: m.ID, EndpointID: "ep_2", State: end}}})
				}
				requireRemoved(t, 1, s.RemoveMessages, at(9))
			}
		}},
		{"open messages don't keep those behind them from being removed", func(t *testing.T, s store.Store) {
			const each = 150
			for minute := range 2 * each {
				m := messageAt("app_1", minute)
				r := store.Record{}
				if minute < each {
					r.Pending = []string{"ep_1"}
				}
				dispatched(t, s, m, r)
			}
			requireRemoved(t, each, s.RemoveMessages, at(2*each))
		}},
		{"a message with a large fan-out goes a little at a time, its attempts first and itself last", wideMessage},
		{"large payloads and responses go a little at a time", func(t *testing.T, s store.Store) {
			for minute := range 4 {
				m := messageAt("app_1", minute)
				m.Payload = make([]byte, 3<<20)
				if minute == 0 {
					m.PayloadVersion, m.Variants = "2", map[string][]byte{"1": make([]byte, 3<<20)}
				}
				dispatched(t, s, m, store.Record{})
			}
			_, calls := removeAll(t, s.RemoveMessages, at(9))
			require.GreaterOrEqual(t, calls, 4)
			m := messageAt("app_1", 0)
			r := store.Record{}
			for i := range 200 {
				a := succeeded(attemptAt(m, numbered("ep_", i), 1))
				a.Body = make([]byte, posthorn.MaxRecordedBody)
				r.Attempts = append(r.Attempts, a)
			}
			dispatched(t, s, m, r)
			items, calls := removeAll(t, s.RemoveAttempts, at(9))
			require.Equal(t, 200, items)
			require.GreaterOrEqual(t, calls, 3)
		}},
		{"an event id is free again once its message is gone", func(t *testing.T, s store.Store) {
			m := messageAt("app_1", 0)
			m.EventID = "evt"
			dispatched(t, s, m, store.Record{})
			again := messageAt("app_1", 1)
			again.EventID = "evt"
			requireCode(t, posthorn.Conflict, s.CreateMessage(t.Context(), again))
			requireRemoved(t, 1, s.RemoveMessages, at(1))
			createMessage(t, s, again)
			got, err := s.Message(t.Context(), "app_1", "evt")
			require.NoError(t, err)
			require.Equal(t, again.ID, got.ID)
		}},
		{"nothing can be recorded about a message that is gone", func(t *testing.T, s store.Store) {
			m := dispatched(t, s, messageAt("app_1", 0), store.Record{})
			requireRemoved(t, 1, s.RemoveMessages, at(1))
			for _, r := range []store.Record{
				{Attempts: []posthorn.Attempt{succeeded(attempt(m, "ep_1"))}},
				{Pending: []string{"ep_1"}},
				{Closed: []posthorn.Delivery{{MessageID: m.ID, EndpointID: "ep_1", State: posthorn.Failed}}},
			} {
				r.MessageID, r.AppID = m.ID, m.AppID
				_, err := s.Record(t.Context(), r)
				requireCode(t, posthorn.NotFound, err)
			}
			requireNothing(t, s, m, "ep_1")
		}},
		{"old attempts go and younger ones stay, whatever became of the delivery", removedAttempts},
		{"an open delivery keeps its newest attempt and its newest scheduled one", func(t *testing.T, s store.Store) {
			m := dispatched(t, s, messageAt("app_1", 0), store.Record{})
			var made []posthorn.Attempt
			for minute, by := range []func(posthorn.Attempt) posthorn.Attempt{retried, retried, manual, manual} {
				a := by(attemptAt(m, "ep_1", minute))
				a.Number = minute + 1
				made = append(made, record(t, s, m, store.Record{Attempts: []posthorn.Attempt{a}})...)
			}
			before := delivery(t, s, m, "ep_1")
			requireRemoved(t, 2, s.RemoveAttempts, at(9))
			got, err := s.ListAttempts(t.Context(), store.AttemptFilter{MessageID: m.ID}, everything())
			require.NoError(t, err)
			require.Equal(t, []string{made[1].ID, made[3].ID}, attemptIDs(got.Items))
			last, err := s.LastAttempt(t.Context(), m.ID, "ep_1")
			require.NoError(t, err)
			require.Equal(t, made[1].ID, last.ID)
			require.Equal(t, before, delivery(t, s, m, "ep_1"))
			next := record(t, s, m, store.Record{Attempts: []posthorn.Attempt{succeeded(attemptAt(m, "ep_1", 5))}})
			require.Equal(t, 5, next[0].Number, "the numbers go on")
			requireRemoved(t, 3, s.RemoveAttempts, at(9))
		}},
		{"attempts that open deliveries keep don't hold up those behind them", func(t *testing.T, s store.Store) {
			m := dispatched(t, s, messageAt("app_1", 0), store.Record{})
			var r store.Record
			for i := range 700 {
				r.Attempts = append(r.Attempts, retried(attemptAt(m, numbered("open_", i), 0)))
			}
			for i := range 10 {
				r.Attempts = append(r.Attempts, succeeded(attemptAt(m, numbered("ended_", i), 1)))
			}
			record(t, s, m, r)
			requireRemoved(t, 10, s.RemoveAttempts, at(9))
		}},
		{"tasks go that ended long ago", func(t *testing.T, s store.Store) {
			for minute, end := range []struct {
				state posthorn.TaskState
				at    int
			}{{posthorn.TaskFinished, 1}, {posthorn.TaskFailed, 1}, {posthorn.TaskFinished, 8}, {posthorn.TaskRunning, 1}} {
				made := createTask(t, s, task(minute))
				made.State, made.UpdatedAt, made.Data = end.state, at(end.at), json.RawMessage(`{"sent":1}`)
				require.NoError(t, s.AdvanceTask(t.Context(), made, nil))
			}
			createTask(t, s, task(5)) // not begun
			createTask(t, s, task(9))
			requireRemoved(t, 2, s.RemoveTasks, at(7))
			left, err := s.ListTasks(t.Context(), posthorn.DefaultOrg, store.TaskFilter{}, everything())
			require.NoError(t, err)
			require.Equal(t, []string{task(2).ID, task(3).ID, task(5).ID, task(9).ID}, keysOf(left.Items, func(t posthorn.Task) string { return t.ID }))
		}},
		{"tasks with large results go a little at a time", func(t *testing.T, s store.Store) {
			for minute := range 4 {
				made := createTask(t, s, task(minute))
				made.State, made.Data = posthorn.TaskFinished, json.RawMessage(`"`+strings.Repeat("x", 2<<20)+`"`)
				require.NoError(t, s.AdvanceTask(t.Context(), made, nil))
			}
			items, calls := removeAll(t, s.RemoveTasks, at(9))
			require.Equal(t, 4, items)
			require.GreaterOrEqual(t, calls, 4)
		}},
		{"deleted endpoints and applications go when nothing refers to them any more", removedOwners},
	}
}

func attemptIDs(as []posthorn.Attempt) []string {
	return keysOf(as, func(a posthorn.Attempt) string { return a.ID })
}

func removedMessage(t *testing.T, s store.Store) {
	made := func(minute int) posthorn.Message {
		m := messageAt("app_1", minute)
		m.PayloadVersion, m.Variants = "2", map[string][]byte{"1": []byte(`{"old":1}`)}
		return dispatched(t, s, m, store.Record{
			Attempts: []posthorn.Attempt{retried(attempt(m, "ep_1")), succeeded(attempt(m, "ep_1")), attempt(m, "ep_2")},
			Closed:   []posthorn.Delivery{{MessageID: m.ID, EndpointID: "ep_3", State: posthorn.Cancelled, Reason: "because"}},
		})
	}
	old, young := made(0), made(1)
	requireRemoved(t, 1, s.RemoveMessages, at(1))
	requireNothing(t, s, old, "ep_1", "ep_2", "ep_3")

	got, err := s.Message(t.Context(), "app_1", young.ID)
	require.NoError(t, err)
	require.Equal(t, young, got)
	ds, err := s.MessageDeliveries(t.Context(), young.ID)
	require.NoError(t, err)
	require.Len(t, ds, 3)
	for _, f := range []store.AttemptFilter{{MessageID: young.ID}, {EndpointID: "ep_1"}, {EndpointID: "ep_1", Channel: "eu"}, {EndpointID: "ep_1", Tag: "batch/7"}} {
		as, err := s.ListAttempts(t.Context(), f, everything())
		require.NoError(t, err)
		want := 2
		if f.MessageID != "" {
			want = 3
		}
		require.Len(t, as.Items, want, "%+v", f)
	}
	// Whatever takes the old one's place in the database has nothing of it.
	m := messageAt("app_1", 2)
	m.Payload, m.Channels, m.Tags = nil, nil, nil
	dispatched(t, s, m, store.Record{})
	got, err = s.Message(t.Context(), "app_1", m.ID)
	require.NoError(t, err)
	require.Equal(t, m, got)
}

// requireNothing demands that no method shows anything of a message of app_1 that had deliveries to endpoints.
func requireNothing(t *testing.T, s store.Store, m posthorn.Message, endpoints ...string) {
	t.Helper()
	_, err := s.MessageByID(t.Context(), m.ID)
	requireCode(t, posthorn.NotFound, err)
	_, err = s.Message(t.Context(), m.AppID, m.ID)
	requireCode(t, posthorn.NotFound, err)
	ds, err := s.MessageDeliveries(t.Context(), m.ID)
	require.NoError(t, err)
	require.Empty(t, ds)
	as, err := s.ListAttempts(t.Context(), store.AttemptFilter{MessageID: m.ID}, everything())
	require.NoError(t, err)
	require.Empty(t, as.Items)
	for _, f := range []store.MessageFilter{{}, {Channel: "eu"}, {Tag: "batch/7"}, {Channel: "vip", Tag: "batch/7"}} {
		ms, err := s.ListMessages(t.Context(), m.AppID, f, everything())
		require.NoError(t, err)
		require.NotContains(t, idsOf(ms.Items), m.ID)
		for _, endpoint := range endpoints {
			ems, err := s.ListEndpointMessages(t.Context(), endpoint, store.EndpointMessageFilter{MessageFilter: f}, everything())
			require.NoError(t, err)
			for _, em := range ems.Items {
				require.NotEqual(t, m.ID, em.Delivery.MessageID)
			}
			eas, err := s.ListAttempts(t.Context(), store.AttemptFilter{EndpointID: endpoint, Channel: f.Channel, Tag: f.Tag}, everything())
			require.NoError(t, err)
			for _, a := range eas.Items {
				require.NotEqual(t, m.ID, a.MessageID)
			}
		}
	}
	part, err := s.Stream(t.Context(), m.AppID, store.Position{}, store.StreamFilter{}, 100)
	require.NoError(t, err)
	require.NotContains(t, idsOf(part.Messages), m.ID)
}

func wideMessage(t *testing.T, s store.Store) {
	m := messageAt("app_1", 0)
	var r store.Record
	for i := range 1200 {
		r.Attempts = append(r.Attempts, succeeded(attempt(m, numbered("ep_", i))))
	}
	dispatched(t, s, m, r)
	next := dispatched(t, s, messageAt("app_1", 1), store.Record{})
	var calls int
	for from := ""; ; calls++ {
		attempts, err := s.ListAttempts(t.Context(), store.AttemptFilter{MessageID: m.ID}, store.Page{Limit: 2000})
		require.NoError(t, err)
		ds, err := s.MessageDeliveries(t.Context(), m.ID)
		require.NoError(t, err)
		require.True(t, len(attempts.Items) == 0 || len(ds) == 1200, "attempts are gone before deliveries")
		_, err = s.MessageByID(t.Context(), m.ID)
		require.True(t, len(ds) == 0 || err == nil, "deliveries are gone before the message")
		removed, err := s.RemoveMessages(t.Context(), at(9), from)
		require.NoError(t, err)
		if removed.Done {
			require.Equal(t, 2, removed.Items)
			break
		}
		require.Zero(t, removed.Items)
		from = removed.Next
	}
	require.Greater(t, calls, 3)
	for _, m := range []posthorn.Message{m, next} {
		requireNothing(t, s, m, "ep_0", "ep_1199")
	}
}

func removedAttempts(t *testing.T, s store.Store) {
	m := dispatched(t, s, messageAt("app_1", 0), store.Record{})
	var old, young []string
	for i, by := range []func(posthorn.Attempt) posthorn.Attempt{
		succeeded, func(a posthorn.Attempt) posthorn.Attempt { return a }, func(a posthorn.Attempt) posthorn.Attempt { return manual(succeeded(a)) },
	} {
		endpoint := numbered("ep_", i)
		for minute, into := range []*[]string{&old, &young} {
			a := by(attemptAt(m, endpoint, minute))
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{a}})
			*into = append(*into, a.ID)
		}
	}
	before, err := s.MessageDeliveries(t.Context(), m.ID)
	require.NoError(t, err)
	requireRemoved(t, len(old), s.RemoveAttempts, at(1))
	got, err := s.ListAttempts(t.Context(), store.AttemptFilter{MessageID: m.ID}, everything())
	require.NoError(t, err)
	slices.Sort(young)
	require.Equal(t, young, attemptIDs(got.Items))
	after, err := s.MessageDeliveries(t.Context(), m.ID)
	require.NoError(t, err)
	require.Equal(t, before, after)
	for _, f := range []store.AttemptFilter{{}, {Channel: "vip"}, {Tag: "batch/7"}, {Channel: "eu", Tag: "batch/7"}} {
		f.EndpointID = "ep_0"
		got, err := s.ListAttempts(t.Context(), f, everything())
		require.NoError(t, err)
		require.Len(t, got.Items, 1)
		n, err := s.CountAttempts(t.Context(), f, 10)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}
	_, err = s.Attempt(t.Context(), m.ID, old[0])
	requireCode(t, posthorn.NotFound, err)
	_, err = s.LastAttempt(t.Context(), m.ID, "ep_2")
	requireCode(t, posthorn.NotFound, err)
}

func removedOwners(t *testing.T, s store.Store) {
	app, other := application("acme"), application("other")
	used, unused, kept := endpoint(app.ID, "used"), endpoint(app.ID, "unused"), endpoint(other.ID, "kept")
	for _, a := range []posthorn.Application{app, other} {
		require.NoError(t, s.CreateApplication(t.Context(), a))
	}
	for _, e := range []posthorn.Endpoint{used, unused, kept} {
		require.NoError(t, s.CreateEndpoint(t.Context(), e))
	}
	m := messageAt(app.ID, 0)
	dispatched(t, s, m, store.Record{Attempts: []posthorn.Attempt{succeeded(attemptAt(m, used.ID, 0))}})
	destinations := func() int {
		l, err := s.ListDestinations(t.Context(), m.ID, everything())
		require.NoError(t, err)
		return len(l.Items)
	}

	requireRemoved(t, 0, s.RemoveEndpoints, at(9))
	require.NoError(t, s.DeleteApplication(t.Context(), app.OrgID, app.ID, at(5)))
	for _, too := range []time.Time{at(5), at(4)} {
		requireRemoved(t, 0, s.RemoveEndpoints, too)
		requireRemoved(t, 0, s.RemoveApplications, too)
	}
	requireRemoved(t, 1, s.RemoveEndpoints, at(9)) // the unused one
	requireRemoved(t, 0, s.RemoveApplications, at(9))
	require.Equal(t, 1, destinations())
	requireRemoved(t, 1, s.RemoveAttempts, at(9))
	requireRemoved(t, 0, s.RemoveEndpoints, at(9))
	requireRemoved(t, 1, s.RemoveMessages, at(9))
	requireRemoved(t, 0, s.RemoveApplications, at(9)) // it has an endpoint
	requireRemoved(t, 1, s.RemoveEndpoints, at(9))
	requireRemoved(t, 1, s.RemoveApplications, at(9))

	apps, err := s.ListApplications(t.Context(), other.OrgID, everything())
	require.NoError(t, err)
	require.Len(t, apps.Items, 1)
	got, err := s.Endpoint(t.Context(), other.ID, "kept")
	require.NoError(t, err)
	require.Equal(t, kept.ID, got.ID)
}
