package storetest

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func deliveryTests() []test {
	return []test{
		{"a delivery that never was is not found", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			record(t, s, m, store.Record{Pending: []string{"ep_1"}})
			_, err := s.Delivery(t.Context(), m.ID, "ep_2")
			requireCode(t, posthorn.NotFound, err)
			_, err = s.Delivery(t.Context(), "msg_other", "ep_1")
			requireCode(t, posthorn.NotFound, err)
		}},
		{"the deliveries of a message come by endpoint", func(t *testing.T, s store.Store) {
			m, other := createMessage(t, s, message("app_1", "")), createMessage(t, s, message("app_1", ""))
			record(t, s, m, store.Record{
				Pending:  []string{"ep_3", "ep_1"},
				Attempts: []posthorn.Attempt{retried(attempt(m, "ep_2"))},
			})
			record(t, s, other, store.Record{Pending: []string{"ep_4"}})
			got, err := s.MessageDeliveries(t.Context(), m.ID)
			require.NoError(t, err)
			require.Equal(t, []posthorn.Delivery{
				delivery(t, s, m, "ep_1"), delivery(t, s, m, "ep_2"), delivery(t, s, m, "ep_3"),
			}, got)
			got, err = s.MessageDeliveries(t.Context(), "msg_none")
			require.NoError(t, err)
			require.Empty(t, got)
		}},
		{"destinations have every page there can be", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			ids := endpoints(t, s, 5)
			record(t, s, m, store.Record{Pending: ids})
			record(t, s, createMessage(t, s, message("app_1", "")), store.Record{Pending: ids[:2]})
			requirePages(t, ids, func(d store.Destination) string { return d.Endpoint.ID },
				func(p store.Page) (store.List[store.Destination], error) {
					return s.ListDestinations(t.Context(), m.ID, p)
				})
		}},
		{"a destination stays when its endpoint is deleted, without its secrets", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", ""))
			kept, deleted := endpoint("app_1", "a"), endpoint("app_1", "b")
			require.NoError(t, s.CreateEndpoint(t.Context(), kept))
			require.NoError(t, s.CreateEndpoint(t.Context(), deleted))
			record(t, s, m, store.Record{Pending: []string{kept.ID, deleted.ID}})
			require.NoError(t, s.DeleteEndpoint(t.Context(), "app_1", "b", at(5)))

			got, err := s.ListDestinations(t.Context(), m.ID, everything())
			require.NoError(t, err)
			require.Len(t, got.Items, 2)
			require.Equal(t, store.Destination{Endpoint: kept, Delivery: delivery(t, s, m, kept.ID)}, got.Items[0])
			gone := got.Items[1]
			require.Equal(t, delivery(t, s, m, deleted.ID), gone.Delivery)
			require.Equal(t, deleted.URL, gone.Endpoint.URL)
			require.Equal(t, at(5), gone.Endpoint.DeletedAt)
			require.Empty(t, gone.Endpoint.Secrets)
			require.Empty(t, gone.Endpoint.Headers, "header values may be secrets too")
		}},
		{"a destination stays when its application is deleted, without its secrets", func(t *testing.T, s store.Store) {
			app := application("")
			require.NoError(t, s.CreateApplication(t.Context(), app))
			ep := endpoint(app.ID, "")
			require.NoError(t, s.CreateEndpoint(t.Context(), ep))
			m := createMessage(t, s, message(app.ID, ""))
			record(t, s, m, store.Record{Pending: []string{ep.ID}})
			require.NoError(t, s.DeleteApplication(t.Context(), app.OrgID, app.ID, at(5)))
			got, err := s.ListDestinations(t.Context(), m.ID, everything())
			require.NoError(t, err)
			require.Len(t, got.Items, 1)
			require.Equal(t, at(5), got.Items[0].Endpoint.DeletedAt)
			require.Empty(t, got.Items[0].Endpoint.Secrets)
			require.Empty(t, got.Items[0].Endpoint.Headers)
		}},
		{"an endpoint's messages have every page there can be, whatever their states", func(t *testing.T, s store.Store) {
			var ids, failed []string
			for i := range 7 {
				m := createMessage(t, s, message("app_1", ""))
				ids = append(ids, m.ID)
				if i%3 != 1 {
					failed = append(failed, m.ID)
				}
				record(t, s, m, inState(m, "ep_1", stateOf(i)))
				record(t, s, m, store.Record{Pending: []string{"ep_2"}})
			}
			list := func(f store.EndpointMessageFilter) func(p store.Page) (store.List[store.EndpointMessage], error) {
				return func(p store.Page) (store.List[store.EndpointMessage], error) {
					return s.ListEndpointMessages(t.Context(), "ep_1", f, p)
				}
			}
			requirePages(t, ids, endpointMessageID, list(store.EndpointMessageFilter{}))
			requirePages(t, failed, endpointMessageID, list(store.EndpointMessageFilter{
				States:        []posthorn.DeliveryState{posthorn.Failed, posthorn.Pending, posthorn.Failed},
				MessageFilter: store.MessageFilter{WithPayload: true},
			}))
		}},
		{"an endpoint's messages come with their deliveries, and payloads only if asked", func(t *testing.T, s store.Store) {
			m := createMessage(t, s, message("app_1", "evt"))
			record(t, s, m, store.Record{Attempts: []posthorn.Attempt{retried(attempt(m, "ep_1"))}})
			for _, with := range []bool{true, false} {
				if !with {
					m.Payload = nil
				}
				f := store.EndpointMessageFilter{MessageFilter: store.MessageFilter{WithPayload: with}}
				got, err := s.ListEndpointMessages(t.Context(), "ep_1", f, everything())
				require.NoError(t, err)
				require.Equal(t, []store.EndpointMessage{{Message: m, Delivery: delivery(t, s, m, "ep_1")}}, got.Items)
			}
		}},
		{"an endpoint's messages can be narrowed by message", func(t *testing.T, s store.Store) {
			for _, m := range filterMessages() {
				createMessage(t, s, m)
				record(t, s, m, store.Record{Pending: []string{"ep_1"}})
			}
			for _, c := range messageFilterCases() {
				got, err := s.ListEndpointMessages(t.Context(), "ep_1", store.EndpointMessageFilter{MessageFilter: c.filter}, everything())
				require.NoError(t, err)
				require.Equal(t, c.ids(), keysOf(got.Items, endpointMessageID), "%+v", c.filter)
			}
		}},
		{"an endpoint's messages can be narrowed by state", endpointMessageStates},
	}
}

func endpointMessageID(m store.EndpointMessage) string { return m.Message.ID }

// endpoints creates endpoints of app_1 and returns their IDs.
func endpoints(t *testing.T, s store.Store, n int) []string {
	t.Helper()
	ids := make([]string, n)
	for i := range ids {
		ep := endpoint("app_1", "")
		ids[i] = ep.ID
		require.NoError(t, s.CreateEndpoint(t.Context(), ep))
	}
	return ids
}

func stateOf(i int) posthorn.DeliveryState {
	return []posthorn.DeliveryState{posthorn.Pending, posthorn.Delivered, posthorn.Failed}[i%3]
}

// inState is a record that brings a delivery into a state.
func inState(m posthorn.Message, endpointID string, state posthorn.DeliveryState) store.Record {
	switch state {
	case posthorn.Pending:
		return store.Record{Pending: []string{endpointID}}
	case posthorn.Retrying:
		return store.Record{Attempts: []posthorn.Attempt{retried(attempt(m, endpointID))}}
	case posthorn.Delivered:
		return store.Record{Attempts: []posthorn.Attempt{succeeded(attempt(m, endpointID))}}
	default:
		return store.Record{Closed: []posthorn.Delivery{{MessageID: m.ID, EndpointID: endpointID, State: state, Reason: "test"}}}
	}
}

func endpointMessageStates(t *testing.T, s store.Store) {
	states := []posthorn.DeliveryState{
		posthorn.Pending, posthorn.Retrying, posthorn.Delivered, posthorn.Failed, posthorn.Held, posthorn.Cancelled,
	}
	var all []string
	byState := map[posthorn.DeliveryState][]string{}
	for range 2 {
		for _, state := range states {
			m := createMessage(t, s, message("app_1", ""))
			record(t, s, m, inState(m, "ep_1", state))
			all = append(all, m.ID)
			byState[state] = append(byState[state], m.ID)
		}
	}
	list := func(states ...posthorn.DeliveryState) []string {
		got, err := s.ListEndpointMessages(t.Context(), "ep_1", store.EndpointMessageFilter{States: states}, everything())
		require.NoError(t, err)
		return keysOf(got.Items, endpointMessageID)
	}
	require.Equal(t, all, list())
	for _, state := range states {
		require.Equal(t, byState[state], list(state))
		for _, other := range states {
			want := slices.Concat(byState[state], byState[other])
			slices.Sort(want)
			require.Equal(t, slices.Compact(want), list(state, other))
		}
	}
}
