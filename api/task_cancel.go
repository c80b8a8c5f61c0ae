package api

import (
	"context"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// taskCancelled is the reason of a task that was cancelled, also if that was done in Temporal.
const taskCancelled = "cancelled"

type cancelTaskIn struct {
	TaskID string `path:"task_id" doc:"The task's id."`
}

// cancelTask has a task end between two steps. One that has no workflow, because it was never begun or was terminated in
// Temporal, ends here.
func (s *Server) cancelTask(ctx context.Context, in *cancelTaskIn) (*answer[backgroundTaskOut], error) {
	org := callerOf(ctx).org
	found, err := s.store.Task(ctx, org, in.TaskID)
	if err != nil {
		return nil, err
	}
	if found.State != posthorn.TaskRunning {
		return nil, posthorn.Errorf(posthorn.Conflict, "the background task has ended before: %s", found.State)
	}
	err = s.dispatcher.CancelTask(ctx, found.ID)
	if posthorn.CodeOf(err) == posthorn.NotFound {
		err = store.FailTask(ctx, s.store, found.ID, taskCancelled, s.clock())
	}
	if err != nil {
		return nil, err
	}
	if found, err = s.store.Task(ctx, org, in.TaskID); err != nil {
		return nil, err
	}
	return &answer[backgroundTaskOut]{Body: showTask(found)}, nil
}
