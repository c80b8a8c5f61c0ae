package storetest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func lifecycleTests() []test {
	return []test{
		{"a store answers until it is closed, and can be closed twice", func(t *testing.T, s store.Store) {
			require.NoError(t, s.Ping(t.Context()))
			require.NoError(t, s.Close())
			require.NoError(t, s.Close())
		}},
		{"after Close every method says that the store is unavailable", func(t *testing.T, s store.Store) {
			require.NoError(t, s.Close())
			for name, call := range everyMethod(s) {
				err := call(t.Context())
				require.Error(t, err, name)
				require.Equal(t, posthorn.Unavailable, posthorn.CodeOf(err), "%s: %v", name, err)
			}
		}},
		{"a call whose context has ended fails with that, and writes nothing", func(t *testing.T, s store.Store) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			for name, call := range everyMethod(s) {
				require.ErrorIs(t, call(ctx), context.Canceled, name)
			}
			apps, err := s.ListApplications(t.Context(), posthorn.DefaultOrg, everything())
			require.NoError(t, err)
			require.Empty(t, apps.Items)
			messages, err := s.ListMessages(t.Context(), "app_1", store.MessageFilter{}, everything())
			require.NoError(t, err)
			require.Empty(t, messages.Items)
		}},
		{"a call that is cancelled while it runs has either happened or not", func(t *testing.T, s store.Store) {
			const calls = 100
			created := make([]posthorn.Message, calls)
			errs := together(calls, func(i int) error {
				created[i] = message("app_1", "")
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() {
					cancel()
					close(done)
				}()
				err := s.CreateMessage(ctx, created[i])
				<-done
				return err
			})
			for i, err := range errs {
				_, found := s.MessageByID(t.Context(), created[i].ID)
				if err == nil {
					require.NoError(t, found)
				} else {
					require.ErrorIs(t, err, context.Canceled)
					requireCode(t, posthorn.NotFound, found)
				}
			}
		}},
		{"writes under way when the store is closed are either done or refused", func(t *testing.T, s store.Store) {
			const calls = 100
			errs := together(calls, func(i int) error {
				if i == calls/2 {
					return s.Close()
				}
				return s.CreateMessage(t.Context(), message("app_1", ""))
			})
			for _, err := range errs {
				if err != nil {
					requireCode(t, posthorn.Unavailable, err)
				}
			}
		}},
	}
}

// everyMethod calls each method that takes a context, with arguments that would be good on a store that has nothing.
func everyMethod(s store.Store) map[string]func(ctx context.Context) error {
	m := message("app_1", "evt")
	return map[string]func(ctx context.Context) error{
		"Ping":              s.Ping,
		"CreateApplication": func(ctx context.Context) error { return s.CreateApplication(ctx, application("acme")) },
		"Application":       func(ctx context.Context) error { return last(s.Application(ctx, "org", "acme")) },
		"UpdateApplication": func(ctx context.Context) error {
			return last(s.UpdateApplication(ctx, "org", "acme", func(*posthorn.Application) error { return nil }))
		},
		"DeleteApplication": func(ctx context.Context) error { return s.DeleteApplication(ctx, "org", "acme", noon()) },
		"ListApplications":  func(ctx context.Context) error { return last(s.ListApplications(ctx, "org", everything())) },
		"CreateEndpoint":    func(ctx context.Context) error { return s.CreateEndpoint(ctx, endpoint("app_1", "main")) },
		"Endpoint":          func(ctx context.Context) error { return last(s.Endpoint(ctx, "app_1", "main")) },
		"UpdateEndpoint": func(ctx context.Context) error {
			return last(s.UpdateEndpoint(ctx, "app_1", "main", func(*posthorn.Endpoint) error { return nil }))
		},
		"DeleteEndpoint":  func(ctx context.Context) error { return s.DeleteEndpoint(ctx, "app_1", "main", noon()) },
		"ListEndpoints":   func(ctx context.Context) error { return last(s.ListEndpoints(ctx, "app_1", everything())) },
		"Routes":          func(ctx context.Context) error { return last(s.Routes(ctx, "app_1")) },
		"CreateEventType": func(ctx context.Context) error { return s.CreateEventType(ctx, eventType("a")) },
		"EventType":       func(ctx context.Context) error { return last(s.EventType(ctx, "org", "a")) },
		"UpdateEventType": func(ctx context.Context) error {
			return last(s.UpdateEventType(ctx, "org", "a", func(*posthorn.EventType) error { return nil }))
		},
		"DeleteEventType": func(ctx context.Context) error { return s.DeleteEventType(ctx, "org", "a") },
		"ListEventTypes": func(ctx context.Context) error {
			return last(s.ListEventTypes(ctx, "org", store.EventTypeFilter{}, everything()))
		},
		"MissingEventTypes": func(ctx context.Context) error { return last(s.MissingEventTypes(ctx, "org", []string{"a"})) },
		"CreateMessage":     func(ctx context.Context) error { return s.CreateMessage(ctx, m) },
		"Message":           func(ctx context.Context) error { return last(s.Message(ctx, "app_1", "evt")) },
		"MessageByID":       func(ctx context.Context) error { return last(s.MessageByID(ctx, m.ID)) },
		"ListMessages": func(ctx context.Context) error {
			return last(s.ListMessages(ctx, "app_1", store.MessageFilter{}, everything()))
		},
		"Undispatched":   func(ctx context.Context) error { return last(s.Undispatched(ctx, "", noon(), 1)) },
		"IsUndispatched": func(ctx context.Context) error { return last(s.IsUndispatched(ctx, m.ID)) },
		"ExpungePayload": func(ctx context.Context) error { return s.ExpungePayload(ctx, "app_1", "evt") },
		"Record": func(ctx context.Context) error {
			return last(s.Record(ctx, store.Record{MessageID: m.ID, AppID: m.AppID, Pending: []string{"ep_1"}}))
		},
		"MarkScheduled": func(ctx context.Context) error { return s.MarkScheduled(ctx, m.ID) },
		"CancelMessage": func(ctx context.Context) error { return last(s.CancelMessage(ctx, "app_1", m.ID, noon())) },
		"CancelDelivery": func(ctx context.Context) error {
			_, _, err := s.CancelDelivery(ctx, m.ID, "ep_1", noon())
			return err
		},
		"CancelOlder": func(ctx context.Context) error { return last(s.CancelOlder(ctx, "ep_1", "msg_1", "", 1)) },

		"RemoveMessages":     func(ctx context.Context) error { return last(s.RemoveMessages(ctx, noon(), "")) },
		"RemoveAttempts":     func(ctx context.Context) error { return last(s.RemoveAttempts(ctx, noon(), "")) },
		"MakeRoom":           func(ctx context.Context) error { return s.MakeRoom(ctx, noon()) },
		"RemoveTasks":        func(ctx context.Context) error { return last(s.RemoveTasks(ctx, noon(), "")) },
		"RemoveEndpoints":    func(ctx context.Context) error { return last(s.RemoveEndpoints(ctx, noon(), "")) },
		"RemoveApplications": func(ctx context.Context) error { return last(s.RemoveApplications(ctx, noon(), "")) },

		"Delivery":          func(ctx context.Context) error { return last(s.Delivery(ctx, m.ID, "ep_1")) },
		"MessageDeliveries": func(ctx context.Context) error { return last(s.MessageDeliveries(ctx, m.ID)) },
		"DeliveriesBetween": func(ctx context.Context) error { return last(s.DeliveriesBetween(ctx, m.ID, "", "")) },
		"CountDeliveries":   func(ctx context.Context) error { return last(s.CountDeliveries(ctx, m.ID)) },
		"LastAttempt":       func(ctx context.Context) error { return last(s.LastAttempt(ctx, m.ID, "ep_1")) },
		"ListDestinations":  func(ctx context.Context) error { return last(s.ListDestinations(ctx, m.ID, everything())) },
		"ListEndpointMessages": func(ctx context.Context) error {
			return last(s.ListEndpointMessages(ctx, "ep_1", store.EndpointMessageFilter{}, everything()))
		},
		"ThrottleRate": func(ctx context.Context) error { return last(s.ThrottleRate(ctx, "app_1")) },
		"TakeTurn":     func(ctx context.Context) error { return last(s.TakeTurn(ctx, store.Turn{Now: noon()})) },
		"Throttled":    func(ctx context.Context) error { return last(s.Throttled(ctx, "app_1", "ep_1", noon())) },
		"ReleaseMistimed": func(ctx context.Context) error {
			return last(s.ReleaseMistimed(ctx, "app_1", "ep_1", "", noon(), 1))
		},
		"Board":             func(ctx context.Context) error { return last(s.Board(ctx, store.Boarding{Now: noon(), Until: at(1)})) },
		"Land":              func(ctx context.Context) error { return last(s.Land(ctx, "ep_1", m.ID, noon(), at(1))) },
		"Stranded":          func(ctx context.Context) error { return last(s.Stranded(ctx, noon(), 1)) },
		"Attempt":           func(ctx context.Context) error { return last(s.Attempt(ctx, m.ID, "atmpt_1")) },
		"NeverSent":         func(ctx context.Context) error { return last(s.NeverSent(ctx, "ep_1", []string{m.ID})) },
		"LastStatusClasses": func(ctx context.Context) error { return last(s.LastStatusClasses(ctx, "ep_1", []string{m.ID})) },
		"StalledTasks":      func(ctx context.Context) error { return last(s.StalledTasks(ctx, "", noon(), 1)) },
		"ListAttempts": func(ctx context.Context) error {
			return last(s.ListAttempts(ctx, store.AttemptFilter{MessageID: m.ID}, everything()))
		},
	}
}

// last drops a result that does not matter.
func last[T any](_ T, err error) error { return err }
