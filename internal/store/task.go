package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/posthorn/posthorn"
)

// Tasks are the background tasks of organisations.
type Tasks interface {
	// CreateTask stores a new task and notes it as not begun.
	CreateTask(ctx context.Context, t posthorn.Task) error
	// Task finds an organisation's task. Its input is left out. NotFound.
	Task(ctx context.Context, org, id string) (posthorn.Task, error)
	// TaskByID finds one by its ID alone, input included. NotFound.
	TaskByID(ctx context.Context, id string) (posthorn.Task, error)
	// ListTasks lists an organisation's tasks by ID, without their input.
	ListTasks(ctx context.Context, org string, f TaskFilter, page Page) (List[posthorn.Task], error)
	// AdvanceTask writes what a step that began at the cursor from has changed: State, Reason, Cursor, Data and UpdatedAt;
	// only these and ID are read. The task has begun. If it ends, its input is erased. Conflict: it has ended before, or
	// stands elsewhere, because somebody else has done the step. NotFound.
	AdvanceTask(ctx context.Context, t posthorn.Task, from json.RawMessage) error
	// BeginTask notes that a task's workflow has been started. To repeat it is no error.
	BeginTask(ctx context.Context, id string) error
	// UnbegunTasks returns tasks, without their input, that were made before a moment and have not begun. Oldest first,
	// beginning behind the ID after.
	UnbegunTasks(ctx context.Context, after string, before time.Time, limit int) ([]posthorn.Task, error)
	// StalledTasks returns tasks, without their input, that have begun, have not ended, and have not changed since a
	// moment. Oldest first, beginning behind the ID after.
	StalledTasks(ctx context.Context, after string, since time.Time, limit int) ([]posthorn.Task, error)
}

// TaskFilter narrows a list of tasks. Zero fields don't.
type TaskFilter struct {
	Window
	State posthorn.TaskState
	Kind  posthorn.TaskKind
}

// FailTask ends a task that did not end by itself. One that has ended stays as it is. NotFound.
func FailTask(ctx context.Context, tasks Tasks, id, reason string, now time.Time) error {
	for {
		t, err := tasks.TaskByID(ctx, id)
		if err != nil {
			return err
		}
		if t.State != posthorn.TaskRunning {
			return nil
		}
		t.State, t.Reason, t.UpdatedAt = posthorn.TaskFailed, reason, now
		if err := tasks.AdvanceTask(ctx, t, t.Cursor); posthorn.CodeOf(err) != posthorn.Conflict {
			return err
		}
	}
}
