package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func recordTests() []test {
	tests := []test{
		{"attempts are numbered within their delivery and come back with their numbers", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			a, b, c := retried(attempt(m, "ep_1")), retried(attempt(m, "ep_2")), manual(attempt(m, "ep_1"))
			b.Number = 77
			got := record(t, s, m, store.Record{Attempts: []posthorn.Attempt{a, b, c}})
			a.Number, b.Number, c.Number = 1, 1, 2
			require.Equal(t, []posthorn.Attempt{a, b, c}, got)
			d := succeeded(attempt(m, "ep_1"))
			got = record(t, s, m, store.Record{Attempts: []posthorn.Attempt{d}})
			require.Equal(t, 3, got[0].Number)
			requireDelivery(t, s, m, "ep_1", posthorn.Delivery{State: posthorn.Delivered, Attempts: 3, Scheduled: 2})
		}},
		{"the caller's attempts are left alone", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			mine := []posthorn.Attempt{attempt(m, "ep_1")}
			record(t, s, m, store.Record{Attempts: mine})
			require.Zero(t, mine[0].Number)
		}},
		{"to repeat a record changes nothing and returns the same numbers", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			first, second := retried(attempt(m, "ep_1")), retried(attempt(m, "ep_1"))
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{first}})
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{second}})
			before := delivery(t, s, m, "ep_1")

			changed := succeeded(first)
			changed.Body = []byte("another answer")
			got := record(t, s, m, store.Record{Attempts: []posthorn.Attempt{changed}, Pending: []string{"ep_1"}})
			require.Equal(t, 1, got[0].Number)
			require.Equal(t, before, delivery(t, s, m, "ep_1"))
			stored, err := s.Attempt(t.Context(), m.ID, first.ID)
			require.NoError(t, err)
			first.Number = 1
			require.Equal(t, first, stored)

			third := retried(attempt(m, "ep_1"))
			got = record(t, s, m, store.Record{Attempts: []posthorn.Attempt{second, third, second}})
			require.Equal(t, []int{2, 3, 2}, []int{got[0].Number, got[1].Number, got[2].Number})
			require.Equal(t, 3, delivery(t, s, m, "ep_1").Attempts)
		}},
		{"numbers have no gaps, whatever happens at once", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			const attempts = 40
			numbers := make([]int, attempts)
			for _, err := range together(attempts, func(i int) error {
				got, err := s.Record(t.Context(), store.Record{
					MessageID: m.ID, AppID: m.AppID, Attempts: []posthorn.Attempt{retried(attempt(m, numbered("ep_", i%2)))},
				})
				if err == nil {
					numbers[i] = got[0].Number
				}
				return err
			}) {
				require.NoError(t, err)
			}
			slices.Sort(numbers)
			for i, number := range numbers {
				require.Equal(t, i/2+1, number)
			}
			for _, d := range []posthorn.Delivery{delivery(t, s, m, "ep_0"), delivery(t, s, m, "ep_1")} {
				require.Equal(t, attempts/2, d.Attempts)
				require.Equal(t, attempts/2, d.Scheduled)
			}
		}},
		{"one attempt that is recorded many times at once is there once", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			a := retried(attempt(m, "ep_1"))
			for _, err := range together(20, func(int) error {
				_, err := s.Record(t.Context(), store.Record{MessageID: m.ID, AppID: m.AppID, Attempts: []posthorn.Attempt{a}})
				return err
			}) {
				require.NoError(t, err)
			}
			require.Equal(t, 1, delivery(t, s, m, "ep_1").Attempts)
			got, err := s.ListAttempts(t.Context(), store.AttemptFilter{MessageID: m.ID}, everything())
			require.NoError(t, err)
			require.Len(t, got.Items, 1)
		}},
		{"a delivery knows when it changed", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			before := time.Now().Truncate(time.Microsecond)
			record(t, s, m, store.Record{Pending: []string{"ep_1"}})
			pending := delivery(t, s, m, "ep_1").UpdatedAt
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{attempt(m, "ep_1")}})
			failed := delivery(t, s, m, "ep_1").UpdatedAt
			require.False(t, pending.Before(before))
			require.False(t, failed.Before(pending))
			require.False(t, failed.After(time.Now()))
		}},
		{"a record of a hundred endpoints is stored as a whole", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			r := store.Record{Dispatched: true}
			for i := range 100 {
				r.Attempts = append(r.Attempts, succeeded(attempt(m, numbered("ep_", i))))
				r.Pending = append(r.Pending, numbered("pending_", i))
			}
			got := record(t, s, m, r)
			require.Len(t, got, 100)
			ds, err := s.MessageDeliveries(t.Context(), m.ID)
			require.NoError(t, err)
			require.Len(t, ds, 200)
		}},
		{"an empty record is none", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			require.Empty(t, record(t, s, m, store.Record{}))
			ds, err := s.MessageDeliveries(t.Context(), m.ID)
			require.NoError(t, err)
			require.Empty(t, ds)
		}},
	}
	for _, c := range transitions() {
		tests = append(tests, test{c.name, func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			for _, step := range c.steps {
				record(t, s, m, step(m))
			}
			requireDelivery(t, s, m, "ep_1", c.want)
		}})
	}
	return tests
}

// step is one record about the delivery to ep_1.
type step func(m posthorn.Message) store.Record

type transition struct {
	name  string
	steps []step
	want  posthorn.Delivery
}

func transitions() []transition {
	pending := func(posthorn.Message) store.Record { return store.Record{Pending: []string{"ep_1", "ep_1"}} }
	ended := func(outcomes ...func(posthorn.Attempt) posthorn.Attempt) step {
		return func(m posthorn.Message) store.Record {
			a := attempt(m, "ep_1")
			for _, outcome := range outcomes {
				a = outcome(a)
			}
			return store.Record{Attempts: []posthorn.Attempt{a}}
		}
	}
	closed := func(state posthorn.DeliveryState) step {
		return func(m posthorn.Message) store.Record {
			return store.Record{Closed: []posthorn.Delivery{{
				MessageID: m.ID, EndpointID: "ep_1", State: state, Reason: "because", Attempts: 9, NextAt: noon(),
			}}}
		}
	}
	next := noon().Add(time.Hour)
	return []transition{
		{"a delivery that begins is pending", []step{pending}, posthorn.Delivery{State: posthorn.Pending}},
		{
			"a delivery that is there does not begin again", []step{ended(retried), pending},
			posthorn.Delivery{State: posthorn.Retrying, Attempts: 1, Scheduled: 1, NextAt: next},
		},
		{
			"success delivers", []step{pending, ended(succeeded)},
			posthorn.Delivery{State: posthorn.Delivered, Attempts: 1, Scheduled: 1},
		},
		{
			"success delivers without a beginning", []step{ended(succeeded)},
			posthorn.Delivery{State: posthorn.Delivered, Attempts: 1, Scheduled: 1},
		},
		{
			"a failure with a next attempt is retried", []step{pending, ended(retried)},
			posthorn.Delivery{State: posthorn.Retrying, Attempts: 1, Scheduled: 1, NextAt: next},
		},
		{
			"a failure without a next attempt fails", []step{ended(retried), ended()},
			posthorn.Delivery{State: posthorn.Failed, Attempts: 2, Scheduled: 2, Alarmed: true},
		},
		{
			"success after failures delivers and ends the waiting", []step{ended(retried), ended(succeeded)},
			posthorn.Delivery{State: posthorn.Delivered, Attempts: 2, Scheduled: 2},
		},
		{
			"delivered is for good", []step{ended(succeeded), ended(retried), ended(), closed(posthorn.Cancelled), pending},
			posthorn.Delivery{State: posthorn.Delivered, Attempts: 3, Scheduled: 3},
		},
		{
			"a manual success delivers and uses up nothing", []step{ended(retried), ended(manual, succeeded)},
			posthorn.Delivery{
				State: posthorn.Delivered, Attempts: 2, Scheduled: 1, NextAt: noon().Add(812345 * time.Microsecond), // unheard since then
			},
		},
		{
			"a manual failure leaves retrying as it is", []step{ended(retried), ended(manual)},
			posthorn.Delivery{State: posthorn.Retrying, Attempts: 2, Scheduled: 1, NextAt: next},
		},
		{
			"a manual failure leaves pending as it is", []step{pending, ended(manual, retried)},
			posthorn.Delivery{State: posthorn.Pending, Attempts: 1},
		},
		{
			"a manual failure leaves a closed delivery as it is", []step{closed(posthorn.Cancelled), ended(manual)},
			posthorn.Delivery{State: posthorn.Cancelled, Reason: "because", Attempts: 1},
		},
		{
			"a manual failure without a delivery fails", []step{ended(manual)},
			posthorn.Delivery{State: posthorn.Failed, Attempts: 1},
		},
		{
			"a manual failure without a delivery fails, even if it names a next attempt", []step{ended(manual, retried)},
			posthorn.Delivery{State: posthorn.Failed, Attempts: 1},
		},
		{
			"closing ends the waiting", []step{ended(retried), closed(posthorn.Cancelled)},
			posthorn.Delivery{State: posthorn.Cancelled, Reason: "because", Attempts: 1, Scheduled: 1},
		},
		{
			"closing may say that it is held", []step{pending, closed(posthorn.Held)},
			posthorn.Delivery{State: posthorn.Held, Reason: "because"},
		},
		{
			"closing needs no delivery before", []step{closed(posthorn.Failed)},
			posthorn.Delivery{State: posthorn.Failed, Reason: "because", Alarmed: true},
		},
		{
			"a held delivery goes on", []step{closed(posthorn.Held), ended(retried)},
			posthorn.Delivery{State: posthorn.Retrying, Attempts: 1, Scheduled: 1, NextAt: next},
		},
		{
			"a failed delivery can still be delivered", []step{closed(posthorn.Failed), ended(manual, succeeded)},
			posthorn.Delivery{State: posthorn.Delivered, Attempts: 1},
		},
		{
			"what happens to one delivery in a record happens in order", []step{func(m posthorn.Message) store.Record {
				return store.Record{
					Pending:  []string{"ep_1"},
					Attempts: []posthorn.Attempt{retried(attempt(m, "ep_1")), attempt(m, "ep_1")},
					Closed:   []posthorn.Delivery{{MessageID: m.ID, EndpointID: "ep_1", State: posthorn.Cancelled, Reason: "over"}},
				}
			}},
			posthorn.Delivery{State: posthorn.Cancelled, Reason: "over", Attempts: 2, Scheduled: 2, Alarmed: true},
		},
	}
}

func delivery(t *testing.T, s store.Store, m posthorn.Message, endpointID string) posthorn.Delivery {
	t.Helper()
	d, err := s.Delivery(t.Context(), m.ID, endpointID)
	require.NoError(t, err)
	return d
}

// requireDelivery compares all but the identity, which it fills in, and the time of the change, which has to be there.
func requireDelivery(t *testing.T, s store.Store, m posthorn.Message, endpointID string, want posthorn.Delivery) {
	t.Helper()
	got := delivery(t, s, m, endpointID)
	require.False(t, got.UpdatedAt.IsZero())
	want.MessageID, want.AppID, want.EndpointID, want.UpdatedAt = m.ID, m.AppID, endpointID, got.UpdatedAt
	require.Equal(t, want, got)
}
