package sqlite

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlstore"
)

// What is told and its notice are there together or not at all: where the notice can't be stored, neither is.
func TestNoticesAreAtomic(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, table := range []string{"message", "message_payload", "undispatched"} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			s := open(t, Options{Durability: Normal})
			ctx := t.Context()
			var told []posthorn.Message
			s.OnNotice(func(m posthorn.Message) { told = append(told, m) })
			app := posthorn.Application{ID: posthorn.ApplicationID.New(), OrgID: "org"}
			hidden := posthorn.Application{ID: posthorn.ApplicationID.New(), OrgID: posthorn.OperationalOrg("org"), UID: posthorn.OperationalUID}
			ep := posthorn.Endpoint{ID: posthorn.EndpointID.New(), AppID: app.ID, UID: "before"}
			m := newMessage(app.ID)
			task := posthorn.Task{ID: posthorn.TaskID.New(), OrgID: "org", State: posthorn.TaskRunning}
			require.NoError(t, s.CreateApplication(ctx, app))
			require.NoError(t, s.CreateApplication(ctx, hidden))
			require.NoError(t, s.CreateEndpoint(ctx, ep))
			require.NoError(t, s.CreateManualMessage(ctx, m))
			require.NoError(t, s.CreateTask(ctx, task))
			require.NoError(t, s.CreateEndpoint(ctx, posthorn.Endpoint{ID: posthorn.EndpointID.New(), AppID: hidden.ID}))
			deliveries, err := s.MessageDeliveries(ctx, m.ID)
			require.NoError(t, err)

			s.mustExec(t, "CREATE TRIGGER broken BEFORE INSERT ON "+table+" BEGIN SELECT RAISE(ABORT, 'disk full'); END")
			attempt := posthorn.Attempt{ID: posthorn.AttemptID.New(), MessageID: m.ID, AppID: app.ID, EndpointID: ep.ID, Trigger: posthorn.Automatic}
			ended := task
			ended.State = posthorn.TaskFinished
			writes := map[string]func() error{
				"CreateEndpoint": func() error {
					return s.CreateEndpoint(ctx, posthorn.Endpoint{ID: posthorn.EndpointID.New(), AppID: app.ID})
				},
				"UpdateEndpoint": func() error {
					_, err := s.UpdateEndpoint(ctx, app.ID, ep.ID, func(e *posthorn.Endpoint) error { e.UID = "after"; return nil })
					return err
				},
				"DeleteEndpoint":    func() error { return s.DeleteEndpoint(ctx, app.ID, ep.ID, now) },
				"DeleteApplication": func() error { return s.DeleteApplication(ctx, "org", app.ID, now) },
				"Record": func() error {
					_, err := s.Record(ctx, store.Record{MessageID: m.ID, AppID: app.ID, Attempts: []posthorn.Attempt{attempt}})
					return err
				},
				"AdvanceTask": func() error { return s.AdvanceTask(ctx, ended, nil) },
			}
			for name, write := range writes {
				require.ErrorContains(t, write(), "disk full", name)
			}
			require.Empty(t, told)
			endpoints, err := s.ListEndpoints(ctx, app.ID, store.Page{Limit: 10})
			require.NoError(t, err)
			require.Len(t, endpoints.Items, 1)
			require.Equal(t, "before", endpoints.Items[0].UID)
			after, err := s.MessageDeliveries(ctx, m.ID)
			require.NoError(t, err)
			require.Equal(t, deliveries, after)
			unchanged, err := s.TaskByID(ctx, task.ID)
			require.NoError(t, err)
			require.Equal(t, posthorn.TaskRunning, unchanged.State)

			s.mustExec(t, "DROP TRIGGER broken")
			for _, name := range []string{"CreateEndpoint", "UpdateEndpoint", "Record", "AdvanceTask", "DeleteEndpoint", "DeleteApplication"} {
				require.NoError(t, writes[name](), name)
			}
			var events []string
			for _, m := range told {
				events = append(events, m.EventType)
			}
			require.Equal(t, []string{
				posthorn.EventEndpointCreated, posthorn.EventEndpointUpdated, posthorn.EventAttemptExhausted, posthorn.EventTaskFinished,
				posthorn.EventEndpointDeleted, posthorn.EventEndpointDeleted,
			}, events)
		})
	}
}

func (s *Store) mustExec(t *testing.T, text string) {
	t.Helper()
	require.NoError(t, s.write(t.Context(), func(ctx context.Context, tx *sqlstore.Session) error {
		_, err := tx.Exec(ctx, text)
		return err
	}))
}
