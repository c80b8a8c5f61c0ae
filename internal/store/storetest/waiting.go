package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// wait has the delivery of a message to an endpoint wait.
func wait(t *testing.T, s store.Store, m posthorn.Message, ep string, w posthorn.Wait) {
	t.Helper()
	record(t, s, m, store.Record{Waiting: []posthorn.Delivery{{MessageID: m.ID, EndpointID: ep, Waits: w, Reason: "because", NextAt: at(50)}}})
}

func waitingTests() []test {
	return []test{
		{"what waits keeps its attempts, and is held where its endpoint is the reason", func(t *testing.T, s store.Store) {
			for _, w := range posthorn.Waits() {
				m := createMessage(t, s, message("app_1", ""))
				wait(t, s, m, "ep_1", w)
				record(t, s, m, store.Record{Attempts: []posthorn.Attempt{retried(attempt(m, "ep_2"))}})
				wait(t, s, m, "ep_2", w)
				fresh, tried := posthorn.Pending, posthorn.Retrying
				if w.Holds() {
					fresh, tried = posthorn.Held, posthorn.Held
				}
				requireDelivery(t, s, m, "ep_1", posthorn.Delivery{State: fresh, Reason: "because", Waits: w, NextAt: at(50)})
				requireDelivery(t, s, m, "ep_2", posthorn.Delivery{
					State: tried, Reason: "because", Waits: w, NextAt: at(50), Attempts: 1, Scheduled: 1,
				})
			}
		}},
		{"what has ended does not wait", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{succeeded(attempt(m, "ep_1")), failed(attempt(m, "ep_2"))}})
			for _, ep := range []string{"ep_1", "ep_2"} {
				before := delivery(t, s, m, ep)
				wait(t, s, m, ep, posthorn.WaitPaused)
				require.Equal(t, before, delivery(t, s, m, ep))
			}
		}},
		{"what only somebody tried by hand can still wait", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{manual(failed(attempt(m, "ep_1")))}})
			require.Equal(t, posthorn.Failed, delivery(t, s, m, "ep_1").State)
			wait(t, s, m, "ep_1", posthorn.WaitThrottle)
			requireDelivery(t, s, m, "ep_1", posthorn.Delivery{
				State: posthorn.Pending, Reason: "because", Waits: posthorn.WaitThrottle, NextAt: at(50), Attempts: 1,
			})
		}},
		{"an attempt or an end is the end of waiting", func(t *testing.T, s store.Store) {
			for _, r := range []func(posthorn.Message) store.Record{
				func(m posthorn.Message) store.Record {
					return store.Record{Attempts: []posthorn.Attempt{succeeded(attempt(m, "ep_1"))}}
				},
				func(m posthorn.Message) store.Record {
					return store.Record{Attempts: []posthorn.Attempt{retried(attempt(m, "ep_1"))}}
				},
				func(m posthorn.Message) store.Record {
					return store.Record{Closed: []posthorn.Delivery{{MessageID: m.ID, EndpointID: "ep_1", State: posthorn.Cancelled}}}
				},
			} {
				m := createMessage(t, s, message("app_1", ""))
				wait(t, s, m, "ep_1", posthorn.WaitThrottle)
				record(t, s, m, r(m))
				require.Empty(t, delivery(t, s, m, "ep_1").Waits)
			}
			counts, err := s.CountWaiting(t.Context(), "ep_1")
			require.NoError(t, err)
			require.Empty(t, counts)
		}},
		{"what waits is counted and let go, the oldest first, up to a limit", func(t *testing.T, s store.Store) {
			var ms []posthorn.Message
			for i := range 6 {
				m := createMessage(t, s, message("app_1", ""))
				ms = append(ms, m)
				wait(t, s, m, "ep_1", []posthorn.Wait{posthorn.WaitPaused, posthorn.WaitDisabled, posthorn.WaitThrottle}[i%3])
				wait(t, s, m, "ep_2", posthorn.WaitPaused)
			}
			counts, err := s.CountWaiting(t.Context(), "ep_1")
			require.NoError(t, err)
			require.Equal(t, map[posthorn.Wait]int{posthorn.WaitPaused: 2, posthorn.WaitDisabled: 2, posthorn.WaitThrottle: 2}, counts)

			held := []posthorn.Wait{posthorn.WaitDisabled, posthorn.WaitPaused}
			got, err := s.Release(t.Context(), "ep_1", held, at(60), 3)
			require.NoError(t, err)
			require.Equal(t, []posthorn.Delivery{
				delivery(t, s, ms[0], "ep_1"), delivery(t, s, ms[1], "ep_1"), delivery(t, s, ms[3], "ep_1"),
			}, got)
			requireDelivery(t, s, ms[0], "ep_1", posthorn.Delivery{State: posthorn.Pending, NextAt: at(60), ReleasedAt: at(60)})

			got, err = s.CancelWaiting(t.Context(), "ep_1", held, time.Now().Add(-time.Hour), "gone", 3)
			require.NoError(t, err)
			require.Empty(t, got, "it was not made before that")
			got, err = s.CancelWaiting(t.Context(), "ep_1", held, time.Time{}, "gone", 3)
			require.NoError(t, err)
			require.Len(t, got, 1)
			requireDelivery(t, s, ms[4], "ep_1", posthorn.Delivery{
				State: posthorn.Cancelled, Reason: "gone", NextAt: delivery(t, s, ms[4], "ep_1").UpdatedAt, // unheard since then
			})
			got, err = s.Release(t.Context(), "ep_1", held, at(60), 3)
			require.NoError(t, err)
			require.Empty(t, got)
			counts, err = s.CountWaiting(t.Context(), "ep_2")
			require.NoError(t, err)
			require.Equal(t, map[posthorn.Wait]int{posthorn.WaitPaused: 6}, counts)
		}},
		{"what waits can wait for something else instead, up to a limit", func(t *testing.T, s store.Store) {
			var ms []posthorn.Message
			for i := range 3 {
				m := createMessage(t, s, message("app_1", ""))
				ms = append(ms, m)
				wait(t, s, m, "ep_1", []posthorn.Wait{posthorn.WaitCircuit, posthorn.WaitOrder, posthorn.WaitCircuit}[i])
			}
			circuit := []posthorn.Wait{posthorn.WaitCircuit}
			for _, want := range []int{1, 1, 0} {
				got, err := s.HoldWaiting(t.Context(), "ep_1", circuit, posthorn.WaitPaused, "paused", 1)
				require.NoError(t, err)
				require.Len(t, got, want)
			}
			for i, state := range []posthorn.DeliveryState{posthorn.Held, posthorn.Pending, posthorn.Held} {
				want := posthorn.Delivery{State: state, Waits: posthorn.WaitPaused, Reason: "paused"}
				if i == 1 {
					want.Waits, want.Reason, want.NextAt = posthorn.WaitOrder, "because", at(50)
				}
				requireDelivery(t, s, ms[i], "ep_1", want)
			}
		}},
		{"what is held for a circuit instead keeps its time", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			wait(t, s, m, "ep_1", posthorn.WaitFlight)
			got, err := s.HoldWaiting(t.Context(), "ep_1", []posthorn.Wait{posthorn.WaitFlight}, posthorn.WaitCircuit, "it fails", 5)
			require.NoError(t, err)
			require.Equal(t, []posthorn.Delivery{delivery(t, s, m, "ep_1")}, got)
			requireDelivery(t, s, m, "ep_1", posthorn.Delivery{State: posthorn.Held, Waits: posthorn.WaitCircuit, Reason: "it fails", NextAt: at(50)})
		}},
		{"what is parked keeps its time whatever it is held for", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			park(t, s, m, "ep_1")
			got, err := s.HoldWaiting(t.Context(), "ep_1", posthorn.HeldWaits(), posthorn.WaitDisabled, "disabled", 5)
			require.NoError(t, err)
			require.Len(t, got, 1)
			requireDelivery(t, s, m, "ep_1", posthorn.Delivery{
				State: posthorn.Held, Waits: posthorn.WaitDisabled, Reason: "disabled", NextAt: at(50), Parked: true,
			})
		}},
		{"what is parked is let go as such, and has a workflow once it was tried", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			park(t, s, m, "ep_1")
			requireDelivery(t, s, m, "ep_1", posthorn.Delivery{
				State: posthorn.Held, Waits: posthorn.WaitPaused, Reason: "because", NextAt: at(50), Parked: true,
			})
			got, err := s.Release(t.Context(), "ep_1", posthorn.HeldWaits(), at(60), 5)
			require.NoError(t, err)
			require.Len(t, got, 1)
			require.True(t, got[0].Parked)
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{manual(attempt(m, "ep_1"))}})
			require.True(t, delivery(t, s, m, "ep_1").Parked, "an attempt by hand needs none")
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{retried(attempt(m, "ep_1"))}})
			require.False(t, delivery(t, s, m, "ep_1").Parked)
			park(t, s, m, "ep_1")
			wait(t, s, m, "ep_1", posthorn.WaitThrottle)
			require.False(t, delivery(t, s, m, "ep_1").Parked)
		}},
		{"an end that its workflow has not heard of is overdue until it has", unheard},
		{"what moves between states moves on the lists, too", func(t *testing.T, s store.Store) {
			m := message("app_1", "")
			m.Channels = []string{"c"}
			createMessage(t, s, m)
			wait(t, s, m, "ep_1", posthorn.WaitPaused)
			_, err := s.Release(t.Context(), "ep_1", posthorn.HeldWaits(), at(60), 3)
			require.NoError(t, err)
			for state, n := range map[posthorn.DeliveryState]int{posthorn.Held: 0, posthorn.Pending: 1} {
				f := store.EndpointMessageFilter{States: []posthorn.DeliveryState{state}, MessageFilter: store.MessageFilter{Channel: "c"}}
				got, err := s.ListEndpointMessages(t.Context(), "ep_1", f, everything())
				require.NoError(t, err)
				require.Len(t, got.Items, n)
			}
		}},
		{"overdue is what was due before, the longest first", func(t *testing.T, s store.Store) {
			var ms []posthorn.Message
			for i := range 4 {
				m := createMessage(t, s, message("app_1", ""))
				ms = append(ms, m)
				a := retried(attempt(m, "ep_1"))
				a.NextAt = at(40 - 10*i)
				record(t, s, m, store.Record{Attempts: []posthorn.Attempt{a}})
			}
			record(t, s, ms[2], store.Record{Attempts: []posthorn.Attempt{succeeded(attempt(ms[2], "ep_1"))}})
			got, err := s.Overdue(t.Context(), at(35), 10)
			require.NoError(t, err)
			require.Equal(t, []posthorn.Delivery{delivery(t, s, ms[3], "ep_1"), delivery(t, s, ms[1], "ep_1")}, got)
			got, err = s.Overdue(t.Context(), at(35), 1)
			require.NoError(t, err)
			require.Len(t, got, 1)
		}},
		{"an endpoint that is let go needs attention, until it has had it for the newest reason", attentionIsKept},
		{"an endpoint is resumed whatever it was blocked by, and what was held is let go as wanted", resuming},
		{"a deleted endpoint needs attention, and so do all of a deleted application", func(t *testing.T, s store.Store) {
			app := application("")
			require.NoError(t, s.CreateApplication(t.Context(), app))
			first, second := endpoint(app.ID, ""), endpoint(app.ID, "")
			require.NoError(t, s.CreateEndpoint(t.Context(), first))
			require.NoError(t, s.CreateEndpoint(t.Context(), second))
			require.NoError(t, s.DeleteEndpoint(t.Context(), app.ID, first.ID, at(5)))
			requireAttention(t, s, posthorn.Attention{EndpointID: first.ID, AppID: app.ID, Version: 1})
			require.NoError(t, s.DeleteApplication(t.Context(), app.OrgID, app.ID, at(6)))
			requireAttention(t, s,
				posthorn.Attention{EndpointID: first.ID, AppID: app.ID, Version: 1},
				posthorn.Attention{EndpointID: second.ID, AppID: app.ID, Version: 1})
		}},
		{"what is held for an endpoint that was let go meanwhile has it looked after", func(t *testing.T, s store.Store) {
			ep := endpoint("app_1", "")
			ep.Disabled = true
			require.NoError(t, s.CreateEndpoint(t.Context(), ep))
			wait(t, s, createMessage(t, s, message("app_1", "")), ep.ID, posthorn.WaitDisabled)
			requireAttention(t, s)
			_, err := s.UpdateEndpoint(t.Context(), "app_1", ep.ID, func(e *posthorn.Endpoint) error { e.Disabled = false; return nil })
			require.NoError(t, err)
			removed, err := s.Attended(t.Context(), posthorn.Attention{EndpointID: ep.ID, Version: 1})
			require.NoError(t, err)
			require.True(t, removed)
			wait(t, s, createMessage(t, s, message("app_1", "")), ep.ID, posthorn.WaitDisabled)
			requireAttention(t, s, posthorn.Attention{EndpointID: ep.ID, AppID: "app_1", Version: 1})
		}},
	}
}

// park has the delivery of a message to an endpoint wait without a workflow.
func park(t *testing.T, s store.Store, m posthorn.Message, ep string) {
	t.Helper()
	record(t, s, m, store.Record{Waiting: []posthorn.Delivery{{
		MessageID: m.ID, EndpointID: ep, Waits: posthorn.WaitPaused, Reason: "because", NextAt: at(50), Parked: true,
	}}})
}

func unheard(t *testing.T, s store.Store) {
	later := time.Now().AddDate(1, 0, 0)
	require.WithinRange(t, at(60), time.Time{}, later)
	overdue := func() (endpoints []string) {
		t.Helper()
		ds, err := s.Overdue(t.Context(), later, 100)
		require.NoError(t, err)
		for _, d := range ds {
			endpoints = append(endpoints, d.EndpointID)
		}
		return endpoints
	}
	var ended []posthorn.Delivery
	end := func(ep string, by func(m posthorn.Message)) {
		t.Helper()
		m := createMessage(t, s, message("app_1", ""))
		wait(t, s, m, ep, posthorn.WaitPaused)
		by(m)
		d := delivery(t, s, m, ep)
		require.True(t, d.State.Ended())
		ended = append(ended, d)
	}
	end("message", func(m posthorn.Message) {
		_, err := s.CancelMessage(t.Context(), "app_1", m.ID, at(70))
		require.NoError(t, err)
	})
	end("delivery", func(m posthorn.Message) {
		_, _, err := s.CancelDelivery(t.Context(), m.ID, "delivery", at(70))
		require.NoError(t, err)
	})
	end("waiting", func(posthorn.Message) {
		_, err := s.CancelWaiting(t.Context(), "waiting", posthorn.HeldWaits(), time.Time{}, "dropped", 9)
		require.NoError(t, err)
	})
	end("older", func(posthorn.Message) {
		_, err := s.CancelOlder(t.Context(), "older", store.Before(posthorn.MessageID, time.Now().Add(time.Hour)), "old", 9)
		require.NoError(t, err)
	})
	end("by hand", func(m posthorn.Message) {
		record(t, s, m, store.Record{Attempts: []posthorn.Attempt{manual(succeeded(attempt(m, "by hand")))}})
	})
	all := []string{"message", "delivery", "waiting", "older", "by hand"}
	require.ElementsMatch(t, all, overdue())

	// These ends are known to whoever has to know.
	end("its own run", func(m posthorn.Message) {
		record(t, s, m, store.Record{Attempts: []posthorn.Attempt{succeeded(attempt(m, "its own run"))}})
	})
	end("closed", func(m posthorn.Message) {
		record(t, s, m, store.Record{Closed: []posthorn.Delivery{{MessageID: m.ID, EndpointID: "closed", State: posthorn.Failed}}})
	})
	end("parked", func(m posthorn.Message) {
		park(t, s, m, "parked")
		_, err := s.CancelMessage(t.Context(), "app_1", m.ID, at(70))
		require.NoError(t, err)
	})
	end("again", func(m posthorn.Message) {
		record(t, s, m, store.Record{Attempts: []posthorn.Attempt{attempt(m, "again")}})
		record(t, s, m, store.Record{Attempts: []posthorn.Attempt{manual(succeeded(attempt(m, "again")))}})
	})
	require.ElementsMatch(t, all, overdue())

	open := createMessage(t, s, message("app_1", ""))
	wait(t, s, open, "open", posthorn.WaitPaused)
	require.NoError(t, s.Heard(t.Context(), []posthorn.Delivery{ended[0], ended[2], delivery(t, s, open, "open")}))
	require.NoError(t, s.Heard(t.Context(), nil))
	require.ElementsMatch(t, []string{"delivery", "older", "by hand", "open"}, overdue(), "what is open is overdue as it was")
	require.Zero(t, delivery(t, s, posthorn.Message{ID: ended[0].MessageID}, "message").NextAt)
}

func requireAttention(t *testing.T, s store.Store, want ...posthorn.Attention) {
	t.Helper()
	got, err := s.Attention(t.Context(), "", 10)
	require.NoError(t, err)
	require.ElementsMatch(t, want, got)
}

func attentionIsKept(t *testing.T, s store.Store) {
	heard := make(chan string, 10)
	s.OnAttention(func(appID, endpointID string) { heard <- appID + " " + endpointID })
	ep := endpoint("app_1", "")
	require.NoError(t, s.CreateEndpoint(t.Context(), ep))
	set := func(change func(*posthorn.Endpoint)) {
		t.Helper()
		_, err := s.UpdateEndpoint(t.Context(), "app_1", ep.ID, func(e *posthorn.Endpoint) error { change(e); return nil })
		require.NoError(t, err)
	}
	_, err := s.AttentionFor(t.Context(), ep.ID)
	requireCode(t, posthorn.NotFound, err)
	set(func(e *posthorn.Endpoint) { e.PausedAt = at(1) })
	blocked := posthorn.Attention{EndpointID: ep.ID, AppID: "app_1", Version: 1}
	requireAttention(t, s, blocked)
	require.Equal(t, "app_1 "+ep.ID, <-heard)
	set(func(e *posthorn.Endpoint) { e.Disabled = true })
	set(func(e *posthorn.Endpoint) { e.Disabled = false })
	requireAttention(t, s, blocked)
	set(func(e *posthorn.Endpoint) { e.PausedAt = time.Time{} })
	first := posthorn.Attention{EndpointID: ep.ID, AppID: "app_1", Version: 2, Release: posthorn.Release{Rate: posthorn.DefaultReleaseRate}}
	requireAttention(t, s, first)
	require.Equal(t, "app_1 "+ep.ID, <-heard)

	require.NoError(t, s.Attend(t.Context(), posthorn.Attention{EndpointID: ep.ID, AppID: "app_1", Release: posthorn.Release{Rate: 7, Drop: true}}))
	require.NoError(t, s.Attend(t.Context(), posthorn.Attention{EndpointID: ep.ID, AppID: "app_1"}))
	removed, err := s.Attended(t.Context(), first)
	require.NoError(t, err)
	require.False(t, removed, "there were further reasons")
	got, err := s.AttentionFor(t.Context(), ep.ID)
	require.NoError(t, err)
	require.Equal(t, posthorn.Attention{EndpointID: ep.ID, AppID: "app_1", Version: 4, Release: posthorn.Release{Rate: 7, Drop: true}}, got)
	require.NoError(t, s.Released(t.Context(), first))
	requireAttention(t, s, got)
	require.NoError(t, s.Released(t.Context(), got))
	got.Release = posthorn.Release{}
	requireAttention(t, s, got)
	removed, err = s.Attended(t.Context(), got)
	require.NoError(t, err)
	require.True(t, removed)
	requireAttention(t, s)
}

func resuming(t *testing.T, s store.Store) {
	ep := endpoint("app_1", "uid")
	ep.PausedAt = at(1)
	ep.SetDisabled(true, "it answered 410 Gone")
	require.NoError(t, s.CreateEndpoint(t.Context(), ep))
	drop := posthorn.Release{Rate: 7, Drop: true}
	got, err := s.ResumeEndpoint(t.Context(), "app_1", "uid", drop, at(9))
	require.NoError(t, err)
	ep.PausedAt, ep.UpdatedAt = time.Time{}, at(9)
	ep.SetDisabled(false, "")
	require.Equal(t, ep, got)
	drop.At = at(9)
	requireAttention(t, s, posthorn.Attention{EndpointID: ep.ID, AppID: "app_1", Version: 1, Release: drop})

	slower := posthorn.Release{Rate: 3}
	_, err = s.ResumeEndpoint(t.Context(), "app_1", ep.ID, slower, at(9))
	require.NoError(t, err)
	slower.At = at(9)
	requireAttention(t, s, posthorn.Attention{EndpointID: ep.ID, AppID: "app_1", Version: 2, Release: slower})
	_, err = s.ResumeEndpoint(t.Context(), "app_2", ep.ID, slower, at(9))
	requireCode(t, posthorn.NotFound, err)
}
