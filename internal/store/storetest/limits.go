package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// limited stores an application and an endpoint with limits.
func limited(t *testing.T, s store.Store, appRate, rate, flights int) (posthorn.Application, posthorn.Endpoint) {
	t.Helper()
	app := application("")
	app.ThrottleRate = appRate
	require.NoError(t, s.CreateApplication(t.Context(), app))
	return app, limitedEndpoint(t, s, app.ID, rate, flights)
}

func limitedEndpoint(t *testing.T, s store.Store, appID string, rate, flights int) posthorn.Endpoint {
	t.Helper()
	ep := endpoint(appID, "")
	ep.ThrottleRate, ep.MaxInFlight = rate, flights
	require.NoError(t, s.CreateEndpoint(t.Context(), ep))
	return ep
}

// turn asks for the turn of a message at noon and a while.
func turn(t *testing.T, s store.Store, ep posthorn.Endpoint, m posthorn.Message, after, due time.Duration) (at time.Duration, granted bool) {
	t.Helper()
	asked := store.Turn{
		AppID: ep.AppID, EndpointID: ep.ID, Now: noon().Add(after), Delivery: posthorn.Delivery{MessageID: m.ID, Reason: "because"},
	}
	if due > 0 {
		asked.Due = noon().Add(due)
	}
	turned, err := s.TakeTurn(t.Context(), asked)
	require.NoError(t, err)
	return turned.At.Sub(noon()), turned.Granted
}

// board asks for one of an endpoint's requests, for a minute.
func board(t *testing.T, s store.Store, ep posthorn.Endpoint, m posthorn.Message, minute int) store.Boarded {
	t.Helper()
	boarded, err := s.Board(t.Context(), store.Boarding{
		AppID: ep.AppID, EndpointID: ep.ID, Holder: m.ID, Now: at(minute), Until: at(minute + 1),
		Delivery: posthorn.Delivery{MessageID: m.ID, Reason: "because"},
	})
	require.NoError(t, err)
	return boarded
}

func requireThrottled(t *testing.T, s store.Store, ep posthorn.Endpoint, after, want time.Duration) {
	t.Helper()
	since, err := s.Throttled(t.Context(), ep.AppID, ep.ID, noon().Add(after))
	require.NoError(t, err)
	if want < 0 {
		require.Zero(t, since)
		return
	}
	require.Equal(t, noon().Add(want), since)
}

func limitTests() []test {
	return []test{
		{"an endpoint's limits are kept and change", func(t *testing.T, s store.Store) {
			app, ep := limited(t, s, 0, 5, 3)
			got, err := s.Endpoint(t.Context(), app.ID, ep.ID)
			require.NoError(t, err)
			require.Equal(t, ep, got)
			setEndpoint(t, s, ep, func(e *posthorn.Endpoint) { e.MaxInFlight = 0 })
			got, err = s.Endpoint(t.Context(), app.ID, ep.ID)
			require.NoError(t, err)
			require.Zero(t, got.MaxInFlight)
		}},
		{"an application's limit is found, and is 0 if there is none", func(t *testing.T, s store.Store) {
			app, _ := limited(t, s, 9, 0, 0)
			rate, err := s.ThrottleRate(t.Context(), app.ID)
			require.NoError(t, err)
			require.Equal(t, 9, rate)
			rate, err = s.ThrottleRate(t.Context(), "app_unknown")
			require.NoError(t, err)
			require.Zero(t, rate)
		}},
		{"without a limit every turn is granted", func(t *testing.T, s store.Store) {
			_, ep := limited(t, s, 0, 0, 0)
			for range 100 {
				at, granted := turn(t, s, ep, posthorn.Message{}, 0, 0)
				require.True(t, granted)
				require.Zero(t, at)
			}
			requireThrottled(t, s, ep, 0, -1)
		}},
		{"turns are given out one after the other, and what has to wait for one waits", turnsAreGivenOut},
		{"an application's limit is one for all its endpoints", func(t *testing.T, s store.Store) {
			app, first := limited(t, s, 2, 0, 0)
			second := limitedEndpoint(t, s, app.ID, 1, 0)
			_, granted := turn(t, s, first, posthorn.Message{}, 0, 0)
			require.True(t, granted)
			_, granted = turn(t, s, second, posthorn.Message{}, 0, 0)
			require.True(t, granted)
			at, granted := turn(t, s, first, posthorn.Message{}, 0, 0)
			require.False(t, granted)
			require.Equal(t, time.Second/2, at)
			at, granted = turn(t, s, second, posthorn.Message{}, 0, 0)
			require.False(t, granted)
			require.Equal(t, time.Second, at)
			requireThrottled(t, s, second, time.Second/10, 0)
		}},
		{"many who ask at once get different turns", func(t *testing.T, s store.Store) {
			_, ep := limited(t, s, 0, 1, 0)
			turns := make([]store.Turned, 50)
			for _, err := range together(len(turns), func(i int) (err error) {
				turns[i], err = s.TakeTurn(t.Context(), store.Turn{AppID: ep.AppID, EndpointID: ep.ID, Now: noon()})
				return err
			}) {
				require.NoError(t, err)
			}
			seen := map[time.Duration]bool{}
			for _, turned := range turns {
				require.Equal(t, turned.At.Equal(noon()), turned.Granted)
				seen[turned.At.Sub(noon())] = true
			}
			require.Len(t, seen, len(turns))
			require.Contains(t, seen, 49*time.Second)
		}},
		{"a changed limit makes the turns of its endpoint void, and has it looked after", limitChanges},
		{"a changed limit of an application makes the turns of its endpoints void", applicationLimitChanges},
		{"no more is under way than the limit, and what has to wait for it waits", flightsAreCounted},
		{"without a limit anything may be under way", func(t *testing.T, s store.Store) {
			_, ep := limited(t, s, 0, 0, 0)
			for range 10 {
				require.True(t, board(t, s, ep, createMessage(t, s, message(ep.AppID, "")), 0).OK)
			}
			stranded, err := s.Stranded(t.Context(), at(100), 10)
			require.NoError(t, err)
			require.Empty(t, stranded)
		}},
		{"what is given back goes to the oldest that waits for it", flightsAreHandedOver},
		{"what expires is free again, and is found", flightsExpire},
		{"those far behind ask again later, but not much later", func(t *testing.T, s store.Store) {
			_, ep := limited(t, s, 0, 0, 1)
			require.True(t, board(t, s, ep, createMessage(t, s, message(ep.AppID, "")), 0).OK)
			for _, minute := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10} {
				require.Equal(t, at(minute), board(t, s, ep, createMessage(t, s, message(ep.AppID, "")), 0).Again)
			}
		}},
		{"a change of how much may be under way has the endpoint looked after", func(t *testing.T, s store.Store) {
			app, ep := limited(t, s, 0, 0, 1)
			setEndpoint(t, s, ep, func(e *posthorn.Endpoint) { e.MaxInFlight = 2 })
			requireAttention(t, s, posthorn.Attention{EndpointID: ep.ID, AppID: app.ID, Version: 1})
		}},
	}
}

func setEndpoint(t *testing.T, s store.Store, ep posthorn.Endpoint, change func(*posthorn.Endpoint)) {
	t.Helper()
	_, err := s.UpdateEndpoint(t.Context(), ep.AppID, ep.ID, func(e *posthorn.Endpoint) error { change(e); return nil })
	require.NoError(t, err)
}

func turnsAreGivenOut(t *testing.T, s store.Store) {
	_, ep := limited(t, s, 0, 2, 0)
	var ms []posthorn.Message
	for n, want := range []time.Duration{0, 0, time.Second / 2, time.Second, 3 * time.Second / 2} {
		m := createMessage(t, s, message(ep.AppID, ""))
		ms = append(ms, m)
		at, granted := turn(t, s, ep, m, 0, 0)
		require.Equal(t, want, at)
		require.Equal(t, n < 2, granted)
		if granted {
			_, err := s.Delivery(t.Context(), m.ID, ep.ID)
			requireCode(t, posthorn.NotFound, err)
			continue
		}
		requireDelivery(t, s, m, ep.ID, posthorn.Delivery{
			State: posthorn.Pending, Waits: posthorn.WaitThrottle, Reason: "because", NextAt: noon().Add(at),
		})
	}
	requireThrottled(t, s, ep, time.Second/10, 0)

	at, granted := turn(t, s, ep, ms[4], time.Second/10, 3*time.Second/2)
	require.False(t, granted, "it asks too early")
	require.Equal(t, 3*time.Second/2, at)
	at, granted = turn(t, s, ep, ms[2], time.Second/2, time.Second/2)
	require.True(t, granted)
	require.Equal(t, time.Second/2, at)
	// The others come late, all at once: a second's worth may go.
	for _, m := range ms[3:] {
		_, granted = turn(t, s, ep, m, 5*time.Second, time.Second)
		require.True(t, granted)
	}
	late := createMessage(t, s, message(ep.AppID, ""))
	at, granted = turn(t, s, ep, late, 5*time.Second, time.Second)
	require.False(t, granted, "its turn is over, and this moment is taken")
	require.Equal(t, 11*time.Second/2, at)
	requireThrottled(t, s, ep, time.Minute, -1)
}

func limitChanges(t *testing.T, s store.Store) {
	heard := make(chan string, 10)
	s.OnAttention(func(_, endpointID string) { heard <- endpointID })
	app, ep := limited(t, s, 0, 1, 0)
	other := limitedEndpoint(t, s, app.ID, 1, 0)
	var ms []posthorn.Message
	for i := range 6 {
		m := createMessage(t, s, message(app.ID, ""))
		at, _ := turn(t, s, ep, m, 0, 0)
		require.Equal(t, time.Duration(i)*time.Second, at)
		turn(t, s, other, m, 0, 0)
		ms = append(ms, m)
	}
	released := func(after string) []posthorn.Delivery {
		t.Helper()
		got, err := s.ReleaseMistimed(t.Context(), app.ID, ep.ID, after, at(60), 3)
		require.NoError(t, err)
		return got
	}
	require.Empty(t, released(""), "nothing has changed")
	setEndpoint(t, s, ep, func(e *posthorn.Endpoint) { e.ThrottleRate = 2 })
	<-time.After(time.Millisecond) // the store's clock says which turns are void
	before := delivery(t, s, ms[1], ep.ID)
	_, granted := turn(t, s, ep, ms[1], 0, time.Second)
	require.False(t, granted)
	require.Equal(t, before, delivery(t, s, ms[1], ep.ID), "to ask too early does not make a void turn a good one")
	require.Equal(t, ep.ID, <-heard)
	requireAttention(t, s, posthorn.Attention{EndpointID: ep.ID, AppID: app.ID, Version: 1})

	got := released("")
	require.Equal(t, []posthorn.Delivery{delivery(t, s, ms[1], ep.ID), delivery(t, s, ms[2], ep.ID), delivery(t, s, ms[3], ep.ID)}, got)
	requireDelivery(t, s, ms[1], ep.ID, posthorn.Delivery{State: posthorn.Pending, NextAt: at(60)})
	require.Len(t, released(ms[4].ID), 1)
	next, granted := turn(t, s, ep, ms[1], 0, 0)
	require.False(t, granted)
	require.Equal(t, time.Second/2, next, "the queue has begun anew, behind what was sent")
	got = released("")
	require.Len(t, got, 1)
	require.Equal(t, ms[4].ID, got[0].MessageID)
	require.Empty(t, released(""))
	counts, err := s.CountWaiting(t.Context(), other.ID)
	require.NoError(t, err)
	require.Equal(t, map[posthorn.Wait]int{posthorn.WaitThrottle: 5}, counts)
	requireThrottled(t, s, ep, time.Minute, -1)
}

func applicationLimitChanges(t *testing.T, s store.Store) {
	heard, changed := make(chan string, 10), make(chan string, 10)
	s.OnAttention(func(_, endpointID string) { heard <- endpointID })
	s.OnRouteChange(func(appID, _ string) { changed <- appID })
	app, first := limited(t, s, 1, 9, 0)
	<-changed
	second := limitedEndpoint(t, s, app.ID, 0, 0)
	<-changed
	limitedEndpoint(t, s, app.ID, 0, 0)
	<-changed
	for range 3 {
		turn(t, s, first, createMessage(t, s, message(app.ID, "")), 0, 0)
		turn(t, s, second, createMessage(t, s, message(app.ID, "")), 0, 0)
	}
	set := func(change func(*posthorn.Application)) {
		t.Helper()
		_, err := s.UpdateApplication(t.Context(), app.OrgID, app.ID, func(a *posthorn.Application) error { change(a); return nil })
		require.NoError(t, err)
	}
	set(func(a *posthorn.Application) { a.Name = "another" })
	requireAttention(t, s)
	set(func(a *posthorn.Application) { a.ThrottleRate = 0 })
	require.Equal(t, app.ID, <-changed)
	require.ElementsMatch(t, []string{first.ID, second.ID}, []string{<-heard, <-heard})
	requireAttention(t, s,
		posthorn.Attention{EndpointID: first.ID, AppID: app.ID, Version: 1},
		posthorn.Attention{EndpointID: second.ID, AppID: app.ID, Version: 1})
	for ep, n := range map[string]int{first.ID: 2, second.ID: 3} {
		got, err := s.ReleaseMistimed(t.Context(), app.ID, ep, "", at(60), 10)
		require.NoError(t, err)
		require.Len(t, got, n)
	}
	_, granted := turn(t, s, second, posthorn.Message{}, 0, 0)
	require.True(t, granted)
}

func flightsAreCounted(t *testing.T, s store.Store) {
	_, ep := limited(t, s, 0, 0, 2)
	other := limitedEndpoint(t, s, ep.AppID, 0, 2)
	var ms []posthorn.Message
	for n := range 4 {
		m := createMessage(t, s, message(ep.AppID, ""))
		ms = append(ms, m)
		require.Equal(t, n < 2, board(t, s, ep, m, 0).OK)
	}
	requireDelivery(t, s, ms[2], ep.ID, posthorn.Delivery{State: posthorn.Pending, Waits: posthorn.WaitFlight, Reason: "because", NextAt: at(1)})
	require.True(t, board(t, s, ep, ms[0], 0).OK, "it has one already")
	require.False(t, board(t, s, ep, ms[2], 0).OK)
	require.True(t, board(t, s, other, ms[2], 0).OK)
	require.True(t, board(t, s, ep, ms[2], 2).OK, "the others have expired")

	var granted [20]bool
	third := limitedEndpoint(t, s, ep.AppID, 0, 7)
	for _, err := range together(len(granted), func(i int) error {
		boarded, err := s.Board(t.Context(), store.Boarding{
			AppID: ep.AppID, EndpointID: third.ID, Holder: numbered("msg_", i), Now: at(0), Until: at(1),
		})
		granted[i] = boarded.OK
		return err
	}) {
		require.NoError(t, err)
	}
	n := 0
	for _, ok := range granted {
		if ok {
			n++
		}
	}
	require.Equal(t, 7, n)
}

func flightsAreHandedOver(t *testing.T, s store.Store) {
	_, ep := limited(t, s, 0, 0, 1)
	var ms []posthorn.Message
	for range 4 {
		ms = append(ms, createMessage(t, s, message(ep.AppID, "")))
	}
	land := func(holder string) []posthorn.Delivery {
		t.Helper()
		handed, err := s.Land(t.Context(), ep.ID, holder, at(0), at(1))
		require.NoError(t, err)
		return handed
	}
	for _, i := range []int{3, 2, 1, 0} { // the last one boards first
		board(t, s, ep, ms[i], 0)
	}
	require.Empty(t, land(ms[1].ID), "it had none")
	handed := land(ms[3].ID)
	require.Equal(t, []posthorn.Delivery{delivery(t, s, ms[0], ep.ID)}, handed)
	requireDelivery(t, s, ms[0], ep.ID, posthorn.Delivery{State: posthorn.Pending, Waits: posthorn.WaitFlight, Reason: "because", NextAt: at(0)})
	require.Empty(t, land(ms[3].ID), "it is handed over once")
	require.False(t, board(t, s, ep, ms[3], 0).OK)
	require.True(t, board(t, s, ep, ms[0], 0).OK)
	record(t, s, ms[0], store.Record{Attempts: []posthorn.Attempt{succeeded(attempt(ms[0], ep.ID))}})
	require.Equal(t, ms[1].ID, land(ms[0].ID)[0].MessageID)

	setEndpoint(t, s, ep, func(e *posthorn.Endpoint) { e.MaxInFlight = 3 })
	handed = land("")
	require.Len(t, handed, 2)
	setEndpoint(t, s, ep, func(e *posthorn.Endpoint) { e.MaxInFlight = 0 })
	require.Empty(t, land(""))
}

func flightsExpire(t *testing.T, s store.Store) {
	_, ep := limited(t, s, 0, 0, 1)
	other := limitedEndpoint(t, s, ep.AppID, 0, 1)
	first, second := createMessage(t, s, message(ep.AppID, "")), createMessage(t, s, message(ep.AppID, ""))
	require.True(t, board(t, s, ep, first, 0).OK)
	require.False(t, board(t, s, ep, second, 0).OK)
	require.True(t, board(t, s, other, first, 5).OK)
	stranded, err := s.Stranded(t.Context(), at(2), 10)
	require.NoError(t, err)
	require.Equal(t, []string{ep.ID}, stranded)
	handed, err := s.Land(t.Context(), ep.ID, "", at(2), at(3))
	require.NoError(t, err)
	require.Len(t, handed, 1)
	require.Equal(t, second.ID, handed[0].MessageID)
	stranded, err = s.Stranded(t.Context(), at(2), 10)
	require.NoError(t, err)
	require.Empty(t, stranded)
	stranded, err = s.Stranded(t.Context(), at(20), 10)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{ep.ID, other.ID}, stranded)
}
