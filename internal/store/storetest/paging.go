package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// pagingTests walk through random lists, narrowed by random filters, forth and back in pages of random sizes, and
// compare with what the filters mean when they are applied one item after the other.
func pagingTests() []test {
	return []test{
		{"messages come as their filters say, however they are paged", func(t *testing.T, s store.Store) {
			w := newWorld(t, s)
			w.walk(t, func(t *testing.T, f filters) {
				var want []string
				for _, m := range w.messages {
					if m.AppID == w.app && f.admits(m, m.ID) {
						want = append(want, m.ID)
					}
				}
				walkPages(t, w.random, want, messageID, func(p store.Page) (store.List[posthorn.Message], error) {
					return s.ListMessages(t.Context(), w.app, f.messages(), p)
				})
			})
		}},
		{"an endpoint's messages come as their filters say, however they are paged", func(t *testing.T, s store.Store) {
			w := newWorld(t, s)
			w.walk(t, func(t *testing.T, f filters) {
				var want []string
				for _, m := range w.messages {
					d, err := s.Delivery(t.Context(), m.ID, w.ep)
					if err == nil && f.admits(m, m.ID) && (len(f.states) == 0 || slices.Contains(f.states, d.State)) {
						want = append(want, m.ID)
					}
				}
				walkPages(t, w.random, want, endpointMessageID, func(p store.Page) (store.List[store.EndpointMessage], error) {
					return s.ListEndpointMessages(t.Context(), w.ep, store.EndpointMessageFilter{MessageFilter: f.messages(), States: f.states}, p)
				})
			})
		}},
		{"attempts come and are counted as their filters say, however they are paged", func(t *testing.T, s store.Store) {
			w := newWorld(t, s)
			w.walk(t, func(t *testing.T, f filters) {
				filter := f.attempts()
				filter.EndpointID = w.ep
				if w.random.IntN(4) == 0 {
					filter.MessageID = w.messages[w.random.IntN(len(w.messages))].ID
				}
				var want []string
				for _, a := range w.attempts {
					m := w.messages[slices.IndexFunc(w.messages, func(m posthorn.Message) bool { return m.ID == a.MessageID })]
					if a.EndpointID == w.ep && (filter.MessageID == "" || filter.MessageID == m.ID) && f.admits(m, a.ID) && f.admitsOutcome(a) {
						want = append(want, a.ID)
					}
				}
				slices.Sort(want)
				walkPages(t, w.random, want, attemptID, func(p store.Page) (store.List[posthorn.Attempt], error) {
					return s.ListAttempts(t.Context(), filter, p)
				})
				if filter.MessageID == "" {
					for _, limit := range []int{1, len(want), len(want) + 1} {
						n, err := s.CountAttempts(t.Context(), filter, limit)
						require.NoError(t, err)
						require.Equal(t, min(limit, len(want)), n)
					}
				}
			})
		}},
		{"only the attempts at an endpoint are counted", func(t *testing.T, s store.Store) {
			for _, f := range []store.AttemptFilter{{}, {MessageID: "msg_1"}, {MessageID: "msg_1", EndpointID: "ep_1"}} {
				_, err := s.CountAttempts(t.Context(), f, 10)
				require.Error(t, err)
			}
		}},
	}
}

// world is random data: two applications, two endpoints, and among all that varies something rare and something that
// is in every message.
type world struct {
	random   *rand.Rand
	app, ep  string
	messages []posthorn.Message // by ID
	attempts []posthorn.Attempt
}

const minutes = 300 // between the first and the last message of a world

func newWorld(t *testing.T, s store.Store) *world {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := &world{random: rand.New(rand.NewPCG(seed, 0)), app: "app_1", ep: "ep_1"}
	for i := range 250 {
		m := message(w.app, "")
		if w.random.IntN(5) == 0 {
			m.AppID = "app_2"
		}
		m.ID = posthorn.MessageID.Floor(at(w.random.IntN(minutes)).Add(time.Duration(i) * time.Millisecond))
		m.EventType = w.pick("a", "a", "a", "b", "b", "c")
		m.Channels = w.some("all", "eu", "us", "vip")
		m.Tags = w.some("all", "eu", "x/y", `#1\`)
		if i == 0 {
			m.EventType, m.Channels, m.Tags = "rare", []string{"rare"}, []string{"rare"}
		}
		w.messages = append(w.messages, createMessage(t, s, m))
		w.deliver(t, s, m)
	}
	slices.SortFunc(w.messages, func(a, b posthorn.Message) int { return strings.Compare(a.ID, b.ID) })
	return w
}

// deliver takes a message to some endpoints, and each some steps of the way.
func (w *world) deliver(t *testing.T, s store.Store, m posthorn.Message) {
	t.Helper()
	for _, ep := range []string{w.ep, "ep_2"} {
		if w.random.IntN(6) == 0 {
			continue
		}
		if w.random.IntN(3) == 0 {
			record(t, s, m, store.Record{Pending: []string{ep}})
		}
		for range w.random.IntN(4) {
			a := retried(attempt(m, ep))
			a.ID = posthorn.AttemptID.Floor(at(w.random.IntN(minutes)).Add(time.Duration(len(w.attempts)) * time.Millisecond))
			a.Status = []int{0, 99, 100, 200, 301, 404, 429, 500, 503, 600}[w.random.IntN(10)]
			if w.random.IntN(2) == 0 {
				a = succeeded(a)
			} else if w.random.IntN(2) == 0 {
				a.NextAt = time.Time{}
			}
			w.attempts = append(w.attempts, record(t, s, m, store.Record{Attempts: []posthorn.Attempt{a}})...)
		}
		if w.random.IntN(5) == 0 {
			state := []posthorn.DeliveryState{posthorn.Held, posthorn.Cancelled, posthorn.Failed}[w.random.IntN(3)]
			record(t, s, m, store.Record{Closed: []posthorn.Delivery{{MessageID: m.ID, EndpointID: ep, State: state}}})
		}
	}
}

func (w *world) pick(from ...string) string { return from[w.random.IntN(len(from))] }

// some picks the first always, unless it picks nothing, and each of the others now and then.
func (w *world) some(all string, others ...string) []string {
	if w.random.IntN(3) == 0 {
		return nil
	}
	picked := []string{all}
	for _, one := range others {
		if w.random.IntN(3) == 0 {
			picked = append(picked, one)
		}
	}
	return picked
}

// walk runs a check with many filters.
func (w *world) walk(t *testing.T, check func(t *testing.T, f filters)) {
	t.Helper()
	for range 120 {
		f := w.filters()
		if !t.Run(fmt.Sprintf("%+v", f), func(t *testing.T) { check(t, f) }) {
			return
		}
	}
}

// filters are all that lists can be narrowed by.
type filters struct {
	window     store.Window
	eventTypes []string
	channel    string
	tag        string
	states     []posthorn.DeliveryState
	success    *bool
	class      *int
}

func (w *world) filters() (f filters) {
	sometimes := func() bool { return w.random.IntN(3) == 0 }
	if sometimes() {
		f.window.After = at(w.random.IntN(minutes))
	}
	if sometimes() {
		f.window.Before = at(w.random.IntN(minutes))
	}
	if sometimes() {
		for range 1 + w.random.IntN(3) {
			f.eventTypes = append(f.eventTypes, w.pick("a", "b", "c", "rare", "none"))
		}
	}
	if sometimes() {
		f.channel = w.pick("all", "eu", "vip", "rare", "none", "x/y")
	}
	if sometimes() {
		f.tag = w.pick("all", "eu", `#1\`, "rare", "none", "vip")
	}
	if sometimes() {
		states := []posthorn.DeliveryState{
			posthorn.Pending, posthorn.Retrying, posthorn.Delivered, posthorn.Failed, posthorn.Held, posthorn.Cancelled,
		}
		for range 1 + w.random.IntN(3) {
			f.states = append(f.states, states[w.random.IntN(len(states))])
		}
	}
	if sometimes() {
		success := sometimes()
		f.success = &success
	}
	if sometimes() {
		class := w.random.IntN(6) * 100
		f.class = &class
	}
	return f
}

func (f filters) messages() store.MessageFilter {
	return store.MessageFilter{Window: f.window, Channel: f.channel, Tag: f.tag, EventTypes: f.eventTypes}
}

func (f filters) attempts() store.AttemptFilter {
	return store.AttemptFilter{
		Window: f.window, Channel: f.channel, Tag: f.tag, EventTypes: f.eventTypes, Success: f.success, StatusClass: f.class,
	}
}

// admits judges by the message and by the time in the item's ID.
func (f filters) admits(m posthorn.Message, id string) bool {
	made := posthorn.MessageID.Time(id)
	if posthorn.AttemptID.Has(id) {
		made = posthorn.AttemptID.Time(id)
	}
	return (len(f.eventTypes) == 0 || slices.Contains(f.eventTypes, m.EventType)) &&
		(f.channel == "" || slices.Contains(m.Channels, f.channel)) &&
		(f.tag == "" || slices.Contains(m.Tags, f.tag)) &&
		(f.window.After.IsZero() || made.After(f.window.After)) &&
		(f.window.Before.IsZero() || made.Before(f.window.Before))
}

func (f filters) admitsOutcome(a posthorn.Attempt) bool {
	return (f.success == nil || *f.success == a.Success) && (f.class == nil || *f.class == a.Status/100*100)
}

// walkPages goes from the list's beginning to its end and back again, in pages of random sizes.
func walkPages[T any](t *testing.T, random *rand.Rand, want []string, key func(T) string, list func(store.Page) (store.List[T], error)) {
	t.Helper()
	for _, descending := range []bool{false, true} {
		order := slices.Clone(want)
		if descending {
			slices.Reverse(order)
		}
		largest := 1 + random.IntN(len(want)+2)
		at := 0 // how many items are behind
		for _, backward := range []bool{false, true} {
			for {
				p := store.Page{Limit: 1 + random.IntN(largest), Descending: descending, Backward: backward}
				expected, more := order[at:], false
				switch {
				case backward && at == len(order):
					expected = order
				case backward:
					p.After, expected = order[at], order[:at]
				case at > 0:
					p.After = order[at-1]
				}
				if len(expected) > p.Limit {
					more = true
					if backward {
						expected = expected[len(expected)-p.Limit:]
					} else {
						expected = expected[:p.Limit]
					}
				}
				got, err := list(p)
				require.NoError(t, err)
				require.Equal(t, append([]string{}, expected...), keysOf(got.Items, key), describe(p))
				require.Equal(t, more, got.More, describe(p))
				if backward {
					at -= len(expected)
				} else {
					at += len(expected)
				}
				if !more {
					break
				}
			}
		}
	}
}
