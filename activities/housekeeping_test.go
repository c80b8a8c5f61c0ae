package activities_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/internal/store"
)

const day = 24 * time.Hour

// keepHouse runs the activity and returns what it did.
func (b *bundle) keepHouse() activities.HousekeepingResult {
	b.t.Helper()
	suite := testsuite.WorkflowTestSuite{}
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(b.KeepHouse)
	value, err := env.ExecuteActivity(b.KeepHouse)
	require.NoError(b.t, err)
	var result activities.HousekeepingResult
	require.NoError(b.t, value.Get(&result))
	return result
}

func TestKeepHouse(t *testing.T) {
	t.Parallel()
	begin := func(t *testing.T) (*bundle, posthorn.Endpoint) {
		t.Helper()
		b := setup(t)
		b.Retention = activities.Retention{Messages: 30 * day, Attempts: 10 * day}
		return b, b.endpoint("http://127.0.0.1:1")
	}
	send := func(b *bundle, ep posthorn.Endpoint) posthorn.Message {
		m := b.message()
		_, err := b.store.Record(b.t.Context(), store.Record{MessageID: m.ID, AppID: m.AppID, Dispatched: true, Attempts: []posthorn.Attempt{{
			ID: posthorn.AttemptID.New(), MessageID: m.ID, AppID: m.AppID, EndpointID: ep.ID, EventType: m.EventType, Trigger: posthorn.Automatic, Success: true, Status: 200,
		}}})
		require.NoError(b.t, err)
		return m
	}
	in := func(b *bundle, d time.Duration) { b.Now = func() time.Time { return time.Now().Add(d) } }

	t.Run("removes attempts and messages each in its time, once", func(t *testing.T) {
		t.Parallel()
		b, ep := begin(t)
		m := send(b, ep)
		for _, c := range []struct {
			after time.Duration
			want  activities.HousekeepingResult
		}{
			{10*day - time.Minute, activities.HousekeepingResult{}},
			{10*day + time.Minute, activities.HousekeepingResult{Attempts: 1}},
			{30*day - time.Minute, activities.HousekeepingResult{}},
			{30*day + time.Minute, activities.HousekeepingResult{Messages: 1}},
			{40 * day, activities.HousekeepingResult{}},
		} {
			in(b, c.after)
			require.Equal(t, c.want, b.keepHouse(), "after %s", c.after)
		}
		_, err := b.store.MessageByID(t.Context(), m.ID)
		require.Equal(t, posthorn.NotFound, posthorn.CodeOf(err))
	})
	t.Run("removes attempts with their messages, if they have no time of their own", func(t *testing.T) {
		t.Parallel()
		b, ep := begin(t)
		b.Retention.Attempts = 0
		m := send(b, ep)
		in(b, 20*day)
		require.Equal(t, activities.HousekeepingResult{}, b.keepHouse())
		in(b, 31*day)
		require.Equal(t, activities.HousekeepingResult{Messages: 1}, b.keepHouse())
		as, err := b.store.ListAttempts(t.Context(), store.AttemptFilter{MessageID: m.ID}, store.Page{Limit: 10})
		require.NoError(t, err)
		require.Empty(t, as.Items)
	})
	t.Run("keeps everything for ever, if it is told so", func(t *testing.T) {
		t.Parallel()
		b, ep := begin(t)
		b.Retention = activities.Retention{}
		send(b, ep)
		in(b, 1000*day)
		require.Equal(t, activities.HousekeepingResult{}, b.keepHouse())
	})
	t.Run("removes tasks that have ended, and what was deleted once nothing refers to it", func(t *testing.T) {
		t.Parallel()
		b, ep := begin(t)
		send(b, ep)
		ended, running := posthorn.Task{ID: posthorn.TaskID.New()}, posthorn.Task{ID: posthorn.TaskID.New()}
		for _, task := range []*posthorn.Task{&ended, &running} {
			task.OrgID, task.Kind, task.State, task.CreatedAt, task.UpdatedAt = posthorn.DefaultOrg, posthorn.PurgeContent, posthorn.TaskRunning, time.Now(), time.Now()
			require.NoError(t, b.store.CreateTask(t.Context(), *task))
		}
		ended.State, ended.Data = posthorn.TaskFinished, json.RawMessage(`{}`)
		require.NoError(t, b.store.AdvanceTask(t.Context(), ended, nil))
		require.NoError(t, b.store.DeleteApplication(t.Context(), posthorn.DefaultOrg, b.appID, time.Now()))
		in(b, 20*day)
		require.Equal(t, activities.HousekeepingResult{Attempts: 1}, b.keepHouse())
		in(b, 31*day)
		require.Equal(t, activities.HousekeepingResult{Messages: 1, Endpoints: 1, Applications: 1}, b.keepHouse())
		in(b, 91*day)
		require.Equal(t, activities.HousekeepingResult{Tasks: 1}, b.keepHouse())
	})
	t.Run("leaves what is being delivered alone, and a delivery whose message is gone ends quietly", func(t *testing.T) {
		t.Parallel()
		b, ep := begin(t)
		m := b.message()
		_, err := b.store.Record(t.Context(), store.Record{MessageID: m.ID, AppID: m.AppID, Dispatched: true, Pending: []string{ep.ID}})
		require.NoError(t, err)
		in(b, 31*day)
		require.Equal(t, activities.HousekeepingResult{}, b.keepHouse())

		_, err = b.store.Record(t.Context(), store.Record{MessageID: m.ID, AppID: m.AppID, Attempts: []posthorn.Attempt{{
			ID: posthorn.AttemptID.New(), MessageID: m.ID, AppID: m.AppID, EndpointID: ep.ID, Trigger: posthorn.Manual, Success: true, Status: 200,
		}}})
		require.NoError(t, err)
		require.Equal(t, 1, b.keepHouse().Messages)
		suite := testsuite.WorkflowTestSuite{}
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(b.SendToEndpoint)
		value, err := env.ExecuteActivity(b.SendToEndpoint, activities.SendToEndpointInput{MessageID: m.ID, AppID: m.AppID, EndpointID: ep.ID})
		require.NoError(t, err)
		var sent activities.SendToEndpointResult
		require.NoError(t, value.Get(&sent))
		require.Equal(t, activities.SendToEndpointResult{State: posthorn.Cancelled, Reason: "the message is not kept any more"}, sent)
	})
}
