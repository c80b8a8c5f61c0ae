package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func taskTests() []test {
	return []test{
		{"a task comes back as it was stored, its input by its ID alone", func(t *testing.T, s store.Store) {
			made := createTask(t, s, task(0))
			got, err := s.TaskByID(t.Context(), made.ID)
			require.NoError(t, err)
			require.Equal(t, made, got)
			got, err = s.Task(t.Context(), made.OrgID, made.ID)
			require.NoError(t, err)
			made.Input = nil
			require.Equal(t, made, got)
		}},
		{"a task is unknown to other organisations", func(t *testing.T, s store.Store) {
			made := createTask(t, s, task(0))
			_, err := s.Task(t.Context(), "org_other", made.ID)
			requireCode(t, posthorn.NotFound, err)
			_, err = s.TaskByID(t.Context(), posthorn.TaskID.New())
			requireCode(t, posthorn.NotFound, err)
			requireCode(t, posthorn.NotFound, s.AdvanceTask(t.Context(), task(1), nil))
		}},
		{"a step changes what it may and nothing else", func(t *testing.T, s store.Store) {
			made := createTask(t, s, task(0))
			step := made
			step.Cursor, step.Data, step.UpdatedAt = json.RawMessage(`{"After":"x"}`), json.RawMessage(`{"sent":3}`), noon().Add(time.Hour)
			step.Kind, step.OrgID, step.Input = "other", "org_other", json.RawMessage(`{"changed":1}`)
			require.NoError(t, s.AdvanceTask(t.Context(), step, nil))
			got, err := s.TaskByID(t.Context(), made.ID)
			require.NoError(t, err)
			made.Cursor, made.Data, made.UpdatedAt = step.Cursor, step.Data, step.UpdatedAt
			require.Equal(t, made, got)
		}},
		{"a step that somebody else has done meanwhile changes nothing", func(t *testing.T, s store.Store) {
			made := createTask(t, s, task(0))
			first, second := made, made
			first.Cursor, second.Cursor = json.RawMessage(`{"After":"x"}`), json.RawMessage(`{"After":"y"}`)
			require.NoError(t, s.AdvanceTask(t.Context(), first, nil))
			requireCode(t, posthorn.Conflict, s.AdvanceTask(t.Context(), second, nil))
			got, err := s.TaskByID(t.Context(), made.ID)
			require.NoError(t, err)
			require.Equal(t, first, got)
			require.NoError(t, s.AdvanceTask(t.Context(), second, first.Cursor))
		}},
		{"a task that has ended has no input and never changes again", func(t *testing.T, s store.Store) {
			made := createTask(t, s, task(0))
			made.State, made.Reason, made.Data = posthorn.TaskFailed, "the endpoint was deleted", json.RawMessage(`{"sent":3}`)
			require.NoError(t, s.AdvanceTask(t.Context(), made, nil))
			again := made
			again.State, again.Reason = posthorn.TaskRunning, ""
			requireCode(t, posthorn.Conflict, s.AdvanceTask(t.Context(), again, nil))
			got, err := s.TaskByID(t.Context(), made.ID)
			require.NoError(t, err)
			made.Input = nil
			require.Equal(t, made, got)
		}},
		{"tasks that have not begun are known, oldest first", unbegunTasks},
		{"lists are by ID and narrowed by state, kind and time", listTasks},
	}
}

func task(minute int) posthorn.Task {
	return posthorn.Task{
		ID: posthorn.TaskID.Derive(at(minute), numbered("task", minute)), OrgID: posthorn.DefaultOrg, AppID: "app_1",
		Kind: posthorn.RecoverEndpoint, State: posthorn.TaskRunning, Input: json.RawMessage(`{ "EndpointID": "ep_1" }`),
		CreatedAt: at(minute), UpdatedAt: at(minute),
	}
}

func createTask(t *testing.T, s store.Store, task posthorn.Task) posthorn.Task {
	t.Helper()
	require.NoError(t, s.CreateTask(t.Context(), task))
	return task
}

func taskID(t posthorn.Task) string { return t.ID }

func unbegunTasks(t *testing.T, s store.Store) {
	var ids []string
	for minute := range 4 {
		ids = append(ids, createTask(t, s, task(minute)).ID)
	}
	left := func(after string, before time.Time, limit int) []string {
		got, err := s.UnbegunTasks(t.Context(), after, before, limit)
		require.NoError(t, err)
		for _, task := range got {
			require.Nil(t, task.Input)
		}
		return keysOf(got, taskID)
	}
	require.Equal(t, ids, left("", at(100), 10))
	require.Equal(t, ids[1:3], left(ids[0], at(100), 2))
	require.Equal(t, ids[:2], left("", at(2), 10))

	require.NoError(t, s.BeginTask(t.Context(), ids[0]))
	require.NoError(t, s.BeginTask(t.Context(), ids[0]))
	begun := task(2)
	require.NoError(t, s.AdvanceTask(t.Context(), begun, nil))
	require.Equal(t, []string{ids[1], ids[3]}, left("", at(100), 10))
	got, err := s.TaskByID(t.Context(), ids[0])
	require.NoError(t, err)
	require.Equal(t, task(0), got, "it has changed in no other way")
}

func listTasks(t *testing.T, s store.Store) {
	var ids []string
	for minute := range 5 {
		made := task(minute)
		if minute%2 == 1 {
			made.Kind = posthorn.BroadcastMessage
		}
		ids = append(ids, createTask(t, s, made).ID)
	}
	foreign := task(9)
	foreign.OrgID = "org_other"
	createTask(t, s, foreign)
	ended := task(2)
	ended.State = posthorn.TaskFinished
	require.NoError(t, s.AdvanceTask(t.Context(), ended, nil))

	for _, c := range []struct {
		filter store.TaskFilter
		page   store.Page
		want   []int
		more   bool
	}{
		{store.TaskFilter{}, store.Page{Limit: 10}, []int{0, 1, 2, 3, 4}, false},
		{store.TaskFilter{}, store.Page{Limit: 2, Descending: true}, []int{4, 3}, true},
		{store.TaskFilter{}, store.Page{Limit: 2, Descending: true, After: ids[3]}, []int{2, 1}, true},
		{store.TaskFilter{}, store.Page{Limit: 2, Descending: true, After: ids[1], Backward: true}, []int{3, 2}, true},
		{store.TaskFilter{State: posthorn.TaskFinished}, store.Page{Limit: 10}, []int{2}, false},
		{store.TaskFilter{State: posthorn.TaskRunning, Kind: posthorn.RecoverEndpoint}, store.Page{Limit: 10}, []int{0, 4}, false},
		{store.TaskFilter{Kind: posthorn.BroadcastMessage}, store.Page{Limit: 10, Descending: true}, []int{3, 1}, false},
		{store.TaskFilter{Window: store.Window{After: at(1), Before: at(4)}}, store.Page{Limit: 10}, []int{2, 3}, false},
	} {
		got, err := s.ListTasks(t.Context(), posthorn.DefaultOrg, c.filter, c.page)
		require.NoError(t, err)
		var want []string
		for _, i := range c.want {
			want = append(want, ids[i])
		}
		require.Equal(t, want, keysOf(got.Items, taskID), "%+v", c)
		require.Equal(t, c.more, got.More, "%+v", c)
		for _, task := range got.Items {
			require.Nil(t, task.Input)
		}
	}
}
