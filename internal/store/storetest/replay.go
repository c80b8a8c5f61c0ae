package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func replayTests() []test {
	return []test{
		{"a message was never sent to an endpoint if no delivery has begun and its first round is over", neverSent},
		{"what an endpoint answered last is the class of the newest attempt, by its number", lastStatusClasses},
		{"tasks that stall have begun, run, and have not changed for a while", stalledTasks},
		{"a task is ended once, whatever step is done meanwhile", func(t *testing.T, s store.Store) {
			made := createTask(t, s, task(0))
			step := made
			step.Cursor = []byte(`{"After":"x"}`)
			interleaved := stepBetween{s, func() { require.NoError(t, s.AdvanceTask(t.Context(), step, nil)) }}
			require.NoError(t, store.FailTask(t.Context(), &interleaved, made.ID, "cancelled", at(5)))
			require.NoError(t, store.FailTask(t.Context(), s, made.ID, "once more", at(6)))
			got, err := s.TaskByID(t.Context(), made.ID)
			require.NoError(t, err)
			step.State, step.Reason, step.UpdatedAt, step.Input = posthorn.TaskFailed, "cancelled", at(5), nil
			require.Equal(t, step, got)
			requireCode(t, posthorn.NotFound, store.FailTask(t.Context(), s, posthorn.TaskID.New(), "cancelled", at(5)))
		}},
	}
}

// stepBetween has something happen between the first reading of a task and what follows.
type stepBetween struct {
	store.Tasks
	step func()
}

func (s *stepBetween) TaskByID(ctx context.Context, id string) (posthorn.Task, error) {
	t, err := s.Tasks.TaskByID(ctx, id)
	if s.step != nil {
		s.step()
		s.step = nil
	}
	return t, err
}

func neverSent(t *testing.T, s store.Store) {
	var ids []string
	for range 6 {
		ids = append(ids, createMessage(t, s, message("app_1", "")).ID)
	}
	about := func(i int) posthorn.Message { return posthorn.Message{ID: ids[i], AppID: "app_1"} }
	for _, i := range []int{0, 1, 2, 3, 5} { // the first round of 4 is under way
		record(t, s, about(i), store.Record{Dispatched: true})
	}
	record(t, s, about(1), store.Record{Pending: []string{"ep_1"}})
	record(t, s, about(2), store.Record{Attempts: []posthorn.Attempt{attempt(about(2), "ep_1")}})
	record(t, s, about(3), store.Record{Pending: []string{"ep_2"}})

	got, err := s.NeverSent(t.Context(), "ep_1", []string{ids[5], ids[4], ids[3], ids[2], ids[1], ids[0]})
	require.NoError(t, err)
	require.Equal(t, []string{ids[5], ids[3], ids[0]}, got)
	got, err = s.NeverSent(t.Context(), "ep_2", ids[:4])
	require.NoError(t, err)
	require.Equal(t, ids[:3], got)
	got, err = s.NeverSent(t.Context(), "ep_1", nil)
	require.NoError(t, err)
	require.Empty(t, got)
}

func lastStatusClasses(t *testing.T, s store.Store) {
	answered := func(m posthorn.Message, ep string, minute, status int) posthorn.Attempt {
		a := attempt(m, ep)
		a.ID, a.Status = idAt(posthorn.AttemptID, minute), status
		return a
	}
	failed, refused, odd, fine, elsewhere, untried := message("app_1", ""), message("app_1", ""), message("app_1", ""), message("app_1", ""), message("app_1", ""), message("app_1", "")
	for _, m := range []posthorn.Message{failed, refused, odd, fine, elsewhere, untried} {
		createMessage(t, s, m)
	}
	// The ID of the second attempt was derived from an earlier moment than that of the first.
	record(t, s, failed, store.Record{Attempts: []posthorn.Attempt{answered(failed, "ep_1", 9, 404), answered(failed, "ep_1", 3, 503)}})
	record(t, s, failed, store.Record{Attempts: []posthorn.Attempt{answered(failed, "ep_2", 10, 301)}})
	record(t, s, refused, store.Record{Attempts: []posthorn.Attempt{answered(refused, "ep_1", 1, 0)}})
	record(t, s, odd, store.Record{Attempts: []posthorn.Attempt{answered(odd, "ep_1", 1, 611)}})
	record(t, s, fine, store.Record{Attempts: []posthorn.Attempt{answered(fine, "ep_1", 1, 500), succeeded(answered(fine, "ep_1", 2, 204))}})
	record(t, s, elsewhere, store.Record{Attempts: []posthorn.Attempt{answered(elsewhere, "ep_2", 1, 500)}})

	got, err := s.LastStatusClasses(t.Context(), "ep_1", []string{failed.ID, refused.ID, odd.ID, fine.ID, elsewhere.ID, untried.ID, "msg_x"})
	require.NoError(t, err)
	require.Equal(t, map[string]int{failed.ID: 500, refused.ID: 0, odd.ID: 600, fine.ID: 200}, got)
}

func stalledTasks(t *testing.T, s store.Store) {
	var ids []string
	for minute := range 6 {
		made := task(minute)
		ids = append(ids, createTask(t, s, made).ID)
		if minute != 1 { // which has not begun
			require.NoError(t, s.BeginTask(t.Context(), made.ID))
		}
	}
	moved, ended := task(2), task(3)
	moved.UpdatedAt, ended.State = at(30), posthorn.TaskFinished
	require.NoError(t, s.AdvanceTask(t.Context(), moved, nil))
	require.NoError(t, s.AdvanceTask(t.Context(), ended, nil))
	stalled := func(after string, since time.Time, limit int) []string {
		got, err := s.StalledTasks(t.Context(), after, since, limit)
		require.NoError(t, err)
		for _, task := range got {
			require.Nil(t, task.Input)
		}
		return keysOf(got, taskID)
	}
	require.Equal(t, []string{ids[0], ids[4], ids[5]}, stalled("", at(30), 10))
	require.Equal(t, []string{ids[0], ids[4]}, stalled("", at(5), 10))
	require.Equal(t, []string{ids[4]}, stalled(ids[0], at(30), 1))
	require.Equal(t, []string{ids[0], ids[2], ids[4], ids[5]}, stalled("", at(31), 10))
}
