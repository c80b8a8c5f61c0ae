package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// rules open a circuit after two messages and disable after ten minutes.
var rules = posthorn.HealthRules{Breaker: 2, ProbeInterval: time.Minute, DisableAfter: 10 * time.Minute}

// patient is a store with an endpoint whose health is looked at.
type patient struct {
	store.Store
	t     *testing.T
	ep    posthorn.Endpoint
	told  []posthorn.HealthChange
	asked []string // endpoints that need attention
}

func newPatient(t *testing.T, s store.Store) *patient {
	t.Helper()
	p := &patient{Store: s, t: t, ep: endpoint("app_1", "")}
	s.OnHealthChange(func(c posthorn.HealthChange) { p.told = append(p.told, c) })
	s.OnAttention(func(_, endpointID string) { p.asked = append(p.asked, endpointID) })
	require.NoError(t, s.CreateEndpoint(t.Context(), p.ep))
	return p
}

// try records an attempt of a message that ended at a minute; nil: of a new one.
func (p *patient) try(m *posthorn.Message, minute int, change ...func(posthorn.Attempt) posthorn.Attempt) posthorn.Message {
	p.t.Helper()
	if m == nil {
		made := createMessage(p.t, p, message("app_1", ""))
		m = &made
	}
	a := retried(attempt(*m, p.ep.ID))
	a.StartedAt, a.Duration = at(minute).Add(-time.Second), time.Second
	for _, f := range change {
		a = f(a)
	}
	record(p.t, p, *m, store.Record{Attempts: []posthorn.Attempt{a}, Rules: rules})
	return *m
}

func probe(a posthorn.Attempt) posthorn.Attempt {
	a.Trigger, a.NextAt = posthorn.Probe, time.Time{}
	return a
}

func gone(a posthorn.Attempt) posthorn.Attempt {
	a.Status = 410
	return a
}

func (p *patient) requireHealth(want posthorn.Health) {
	p.t.Helper()
	if !want.FailingSince.IsZero() {
		want.EndpointID, want.AppID = p.ep.ID, "app_1"
	}
	got, err := p.Health(p.t.Context(), p.ep.ID)
	require.NoError(p.t, err)
	require.Equal(p.t, want, got)
	open, err := p.OpenCircuits(p.t.Context())
	require.NoError(p.t, err)
	if want.Open() {
		require.Equal(p.t, []posthorn.Health{want}, open)
	} else {
		require.Empty(p.t, open)
	}
}

// requireTold demands what was told since the last time.
func (p *patient) requireTold(want ...posthorn.HealthEvent) {
	p.t.Helper()
	var events []posthorn.HealthEvent
	for _, c := range p.told {
		require.Equal(p.t, p.ep.ID, c.EndpointID)
		require.Equal(p.t, "app_1", c.AppID)
		events = append(events, c.Event)
	}
	p.told = nil
	require.Equal(p.t, want, events)
}

func (p *patient) endpoint() posthorn.Endpoint {
	p.t.Helper()
	got, err := p.Endpoint(p.t.Context(), "app_1", p.ep.ID)
	require.NoError(p.t, err)
	return got
}

func (p *patient) update(change func(*posthorn.Endpoint)) {
	p.t.Helper()
	_, err := p.UpdateEndpoint(p.t.Context(), "app_1", p.ep.ID, func(e *posthorn.Endpoint) error { change(e); return nil })
	require.NoError(p.t, err)
}

// open opens the circuit at minute 2.
func (p *patient) open() {
	p.t.Helper()
	p.try(nil, 1)
	p.try(nil, 2)
	p.requireTold(posthorn.CircuitOpened)
}

func healthTests() []test {
	return []test{
		{"messages whose first attempt fails open the circuit, a success closes it", func(t *testing.T, s store.Store) {
			p := newPatient(t, s)
			p.requireHealth(posthorn.Health{})
			p.try(nil, 0, succeeded)
			p.requireHealth(posthorn.Health{})
			m := p.try(nil, 1)
			p.requireHealth(posthorn.Health{Failures: 1, FailingSince: at(1)})
			p.try(nil, 2)
			p.requireHealth(posthorn.Health{Failures: 2, FailingSince: at(1), OpenedAt: at(2), NextProbeAt: at(3)})
			require.Equal(t, []posthorn.HealthChange{{
				Event: posthorn.CircuitOpened, EndpointID: p.ep.ID, AppID: "app_1", FailingSince: at(1), DisablesAt: at(11),
			}}, p.told)
			requireAttention(t, s, posthorn.Attention{EndpointID: p.ep.ID, AppID: "app_1", Version: 1})
			require.Equal(t, []string{p.ep.ID}, p.asked)
			p.requireTold(posthorn.CircuitOpened)
			p.try(nil, 3)
			p.requireHealth(posthorn.Health{Failures: 3, FailingSince: at(1), OpenedAt: at(2), NextProbeAt: at(3)})
			p.requireTold()
			p.try(&m, 4, succeeded)
			p.requireHealth(posthorn.Health{})
			p.requireTold(posthorn.CircuitClosed)
			requireAttention(t, s, posthorn.Attention{EndpointID: p.ep.ID, AppID: "app_1", Version: 2})
			require.Len(t, p.asked, 2)
			p.try(nil, 5)
			p.requireHealth(posthorn.Health{Failures: 1, FailingSince: at(5)})
		}},
		{"one message alone opens no circuit, nor does what somebody tries by hand", func(t *testing.T, s store.Store) {
			p := newPatient(t, s)
			m := p.try(nil, 0, manual)
			p.requireHealth(posthorn.Health{})
			for minute := range 5 {
				p.try(&m, minute)
				p.try(&m, minute, manual)
			}
			p.requireHealth(posthorn.Health{Failures: 1, FailingSince: at(0)})
			p.try(&m, 5, manual, succeeded)
			p.requireHealth(posthorn.Health{})
			p.requireTold()
		}},
		{"without rules, and for an endpoint that is not there, nothing follows", func(t *testing.T, s store.Store) {
			p := newPatient(t, s)
			for range 5 {
				m := createMessage(t, s, message("app_1", ""))
				record(t, s, m, store.Record{Attempts: []posthorn.Attempt{retried(attempt(m, p.ep.ID))}})
				record(t, s, m, store.Record{Attempts: []posthorn.Attempt{retried(attempt(m, "ep_1"))}, Rules: rules})
			}
			require.False(t, p.endpoint().Disabled)
			p.requireTold()
			h, err := s.Health(t.Context(), "ep_1")
			require.NoError(t, err)
			require.Zero(t, h)
		}},
		{"a repeated record counts once, and one that is refused not at all", func(t *testing.T, s store.Store) {
			p := newPatient(t, s)
			m := createMessage(t, s, message("app_1", ""))
			r := store.Record{Attempts: []posthorn.Attempt{retried(attempt(m, p.ep.ID))}, Rules: rules}
			record(t, s, m, r)
			record(t, s, m, r)
			h, err := s.Health(t.Context(), p.ep.ID)
			require.NoError(t, err)
			require.Equal(t, 1, h.Failures)
		}},
		{"many at once open and close it once", func(t *testing.T, s store.Store) {
			ep := endpoint("app_1", "")
			require.NoError(t, s.CreateEndpoint(t.Context(), ep))
			told := make(chan posthorn.HealthChange, 100)
			s.OnHealthChange(func(c posthorn.HealthChange) { told <- c })
			for _, outcome := range []func(posthorn.Attempt) posthorn.Attempt{retried, succeeded} {
				for _, err := range together(20, func(int) error {
					m := message("app_1", "")
					if err := s.CreateMessage(t.Context(), m); err != nil {
						return err
					}
					_, err := s.Record(t.Context(), store.Record{
						MessageID: m.ID, AppID: m.AppID, Attempts: []posthorn.Attempt{outcome(attempt(m, ep.ID))}, Rules: rules,
					})
					return err
				}) {
					require.NoError(t, err)
				}
			}
			require.Len(t, told, 2)
			require.Equal(t, posthorn.CircuitOpened, (<-told).Event)
			require.Equal(t, posthorn.CircuitClosed, (<-told).Event)
		}},
		{"an endpoint that only fails is disabled, after a warning at half of the time", func(t *testing.T, s store.Store) {
			p := newPatient(t, s)
			m := p.try(nil, 0)
			p.try(&m, 4)
			p.requireTold()
			p.try(&m, 5)
			require.Equal(t, []posthorn.HealthChange{{
				Event: posthorn.DisablingSoon, EndpointID: p.ep.ID, AppID: "app_1", FailingSince: at(0), DisablesAt: at(10),
			}}, p.told)
			p.requireTold(posthorn.DisablingSoon)
			p.try(&m, 9)
			require.False(t, p.endpoint().Disabled)
			var changed []string
			s.OnRouteChange(func(appID, _ string) { changed = append(changed, appID) })
			p.try(&m, 10)
			p.requireHealth(posthorn.Health{Failures: 1, FailingSince: at(0), WarnedAt: at(5)})
			got := p.endpoint()
			require.True(t, got.Disabled)
			require.Equal(t, "it has failed since 2026-03-01T12:00:00Z", got.DisabledReason)
			require.True(t, got.UpdatedAt.After(p.ep.UpdatedAt))
			require.Equal(t, []string{"app_1"}, changed)
			require.Equal(t, got.DisabledReason, p.told[0].Reason)
			p.requireTold(posthorn.EndpointDisabled)
			p.try(&m, 11)
			p.requireTold()
		}},
		{"a success prevents that, and one failure is not enough however long ago", func(t *testing.T, s store.Store) {
			p := newPatient(t, s)
			m := p.try(nil, 0)
			p.try(&m, 9, manual, succeeded)
			p.try(nil, 10)
			p.try(nil, 14)
			require.False(t, p.endpoint().Disabled)
			p.requireTold(posthorn.CircuitOpened)
			p.requireHealth(posthorn.Health{Failures: 2, FailingSince: at(10), OpenedAt: at(14), NextProbeAt: at(15)})
		}},
		{"probes that fail disable it, too", func(t *testing.T, s store.Store) {
			p := newPatient(t, s)
			p.open()
			m := createMessage(t, s, message("app_1", ""))
			wait(t, s, m, p.ep.ID, posthorn.WaitCircuit)
			p.try(&m, 12, probe)
			require.True(t, p.endpoint().Disabled)
			p.requireTold(posthorn.EndpointDisabled)
		}},
		{"an endpoint that is gone is disabled at once, by whatever attempt", func(t *testing.T, s store.Store) {
			p := newPatient(t, s)
			m := p.try(nil, 0, gone)
			require.Equal(t, "it answered 410 Gone", p.endpoint().DisabledReason)
			p.requireTold(posthorn.EndpointDisabled)
			p.update(func(e *posthorn.Endpoint) { e.SetDisabled(false, "") })
			p.try(&m, 1, manual, gone)
			require.True(t, p.endpoint().Disabled)
			p.update(func(e *posthorn.Endpoint) { e.SetDisabled(true, "") })
			p.try(&m, 2, manual, gone)
			require.Equal(t, "it answered 410 Gone", p.endpoint().DisabledReason)
			p.requireTold(posthorn.EndpointDisabled)
		}},
		{"a warning and the end are told in the transaction of the attempt", func(t *testing.T, s store.Store) {
			l := listen(t, s)
			ep, m := l.endpoint(), createMessage(t, s, message(l.app.ID, ""))
			for _, minute := range []int{0, 5, 6, 10, 11} {
				a := retried(attempt(m, ep.ID))
				a.StartedAt, a.Duration = at(minute), 0
				record(t, s, m, store.Record{Attempts: []posthorn.Attempt{a}, Rules: rules})
			}
			subject := fmt.Sprintf(`"appId":%q,"appUid":"acme","endpointId":%q,"endpointUid":`, l.app.ID, ep.ID)
			uid := "null"
			if ep.UID != "" {
				uid = fmt.Sprintf("%q", ep.UID)
			}
			subject += uid
			l.require(
				`{"type":"endpoint.disabling-soon","data":{`+subject+`,"failSince":"2026-03-01T12:00:00.123Z","disableAt":"2026-03-01T12:10:00.123Z"}}`,
				`{"type":"endpoint.updated","data":{`+subject+`}}`,
				`{"type":"endpoint.disabled","data":{`+subject+`,"trigger":"automatic","reason":"it has failed since 2026-03-01T12:00:00Z",`+
					`"failSince":"2026-03-01T12:00:00.123Z"}}`)
		}},
		{"an endpoint that takes messages again, or has another URL, starts afresh", func(t *testing.T, s store.Store) {
			p := newPatient(t, s)
			for name, change := range map[string]func(){
				"enabled": func() {
					p.update(func(e *posthorn.Endpoint) { e.SetDisabled(true, "") })
					p.requireTold()
					p.update(func(e *posthorn.Endpoint) { e.SetDisabled(false, "") })
				},
				"resumed": func() {
					_, err := s.ResumeEndpoint(t.Context(), "app_1", p.ep.ID, posthorn.Release{Rate: 1}, at(3))
					require.NoError(t, err)
				},
				"elsewhere": func() { p.update(func(e *posthorn.Endpoint) { e.URL += "x" }) },
			} {
				p.open()
				before, err := s.AttentionFor(t.Context(), p.ep.ID)
				require.NoError(t, err, name)
				change()
				p.requireHealth(posthorn.Health{})
				p.requireTold(posthorn.CircuitClosed)
				after, err := s.AttentionFor(t.Context(), p.ep.ID)
				require.NoError(t, err)
				require.Greater(t, after.Version, before.Version, name)
				p.update(func(e *posthorn.Endpoint) { e.Description += "x" })
			}
			p.open()
			p.update(func(e *posthorn.Endpoint) { e.Description += "x" })
			p.requireTold()
			require.NoError(t, s.DeleteEndpoint(t.Context(), "app_1", p.ep.ID, at(9)))
			p.requireHealth(posthorn.Health{})
		}},
		{"the endpoints of a deleted application have no health", func(t *testing.T, s store.Store) {
			app := application("")
			app.ID = "app_1"
			require.NoError(t, s.CreateApplication(t.Context(), app))
			p := newPatient(t, s)
			p.open()
			require.NoError(t, s.DeleteApplication(t.Context(), app.OrgID, app.ID, at(9)))
			p.requireHealth(posthorn.Health{})
		}},
		{"what waits for a circuit has it looked after, and is told of once", func(t *testing.T, s store.Store) {
			p := newPatient(t, s)
			for range 3 {
				wait(t, s, createMessage(t, s, message("app_1", "")), p.ep.ID, posthorn.WaitCircuit)
			}
			requireAttention(t, s, posthorn.Attention{EndpointID: p.ep.ID, AppID: "app_1", Version: 3})
			require.Equal(t, []string{p.ep.ID}, p.asked)
		}},
		{"probes are taken by one at a time, from what waits in turn", probing},
	}
}

func probing(t *testing.T, s store.Store) {
	p := newPatient(t, s)
	take := func(now, until int) (string, error) {
		d, err := s.TakeProbe(t.Context(), p.ep.ID, at(now), at(until))
		return d.MessageID, err
	}
	p.try(nil, 1)
	_, err := take(5, 6)
	requireCode(t, posthorn.Conflict, err)
	p.try(nil, 2)
	_, err = take(2, 6)
	requireCode(t, posthorn.Conflict, err)
	_, err = take(3, 6)
	requireCode(t, posthorn.NotFound, err)
	var ms []posthorn.Message
	for i, w := range []posthorn.Wait{posthorn.WaitCircuit, posthorn.WaitPaused, posthorn.WaitCircuit} {
		m := message("app_1", "")
		m.ID = idAt(posthorn.MessageID, i)
		ms = append(ms, createMessage(t, s, m))
		wait(t, s, m, p.ep.ID, w)
	}
	taken := make(chan posthorn.Delivery, 10)
	for _, err := range together(10, func(int) error {
		d, err := s.TakeProbe(t.Context(), p.ep.ID, at(3), at(6))
		if err == nil {
			taken <- d
		}
		return err
	}) {
		if err != nil {
			requireCode(t, posthorn.Conflict, err)
		}
	}
	require.Len(t, taken, 1)
	require.Equal(t, delivery(t, s, ms[0], p.ep.ID), <-taken)
	want := posthorn.Health{
		Failures: 2, FailingSince: at(1), OpenedAt: at(2), NextProbeAt: at(6), Probing: true, Probed: ms[0].ID,
	}
	p.requireHealth(want)

	p.try(&ms[0], 4, probe)
	want.Probing, want.NextProbeAt = false, at(5)
	p.requireHealth(want)
	requireDelivery(t, s, ms[0], p.ep.ID, posthorn.Delivery{
		State: posthorn.Held, Waits: posthorn.WaitCircuit, Reason: "because", NextAt: at(50), Attempts: 1,
	})
	for i, next := range []posthorn.Message{ms[2], ms[0]} {
		id, err := take(6+2*i, 7+2*i)
		require.NoError(t, err)
		require.Equal(t, next.ID, id, "the last process died, and the next goes on")
	}
	p.try(&ms[0], 9, probe, succeeded)
	p.requireHealth(posthorn.Health{})
	requireDelivery(t, s, ms[0], p.ep.ID, posthorn.Delivery{
		State: posthorn.Delivered, Attempts: 2, NextAt: at(9), // its workflow has to hear of it
	})
	_, err = take(20, 21)
	requireCode(t, posthorn.Conflict, err)
}
