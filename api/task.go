package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// taskHistory is how far the list of background tasks looks back.
const taskHistory = 90 * 24 * time.Hour

// TaskFields are what every view of a background task shows. They are exported for huma, which finds embedded fields
// only then.
type TaskFields struct {
	ID        string             `json:"id" doc:"Asks for the task's progress and result."`
	Status    posthorn.TaskState `json:"status" enum:"running,finished,failed"`
	Task      posthorn.TaskKind  `json:"task" doc:"What it does."`
	UpdatedAt time.Time          `json:"updatedAt"`
}

func showTaskFields(t posthorn.Task) TaskFields {
	return TaskFields{ID: t.ID, Status: t.State, Task: t.Kind, UpdatedAt: timestamp(t.UpdatedAt)}
}

// startedTaskOut is the answer of an operation that begins a task.
type startedTaskOut struct{ TaskFields }

type backgroundTaskOut struct {
	TaskFields
	Data map[string]json.RawMessage `json:"data" doc:"What came of it, so far while it is running; why it failed, as error."`
}

func showTask(t posthorn.Task) backgroundTaskOut {
	out := backgroundTaskOut{TaskFields: showTaskFields(t), Data: map[string]json.RawMessage{}}
	if t.Data != nil && json.Unmarshal(t.Data, &out.Data) != nil {
		out.Data = map[string]json.RawMessage{"result": t.Data}
	}
	if t.Reason != "" {
		reason, err := json.Marshal(t.Reason)
		if err == nil {
			out.Data["error"] = reason
		}
	}
	return out
}

// begun stores a task and begins it. What is stored will be done: a task that can't be begun now is begun by the sweep,
// so the caller, who would only make a second one, is not asked to come again.
func (s *Server) begun(ctx context.Context, kind posthorn.TaskKind, appID string, input any) (*answer[startedTaskOut], error) {
	t, err := s.beginTask(ctx, kind, appID, input)
	if err != nil {
		return nil, err
	}
	return &answer[startedTaskOut]{Body: startedTaskOut{showTaskFields(t)}}, nil
}

func (s *Server) beginTask(ctx context.Context, kind posthorn.TaskKind, appID string, input any) (posthorn.Task, error) {
	encoded, err := json.Marshal(input)
	if err != nil {
		return posthorn.Task{}, fmt.Errorf("encoding the input of a task: %w", err)
	}
	now := s.clock()
	t := posthorn.Task{
		ID: posthorn.TaskID.New(), OrgID: callerOf(ctx).org, AppID: appID, Kind: kind, State: posthorn.TaskRunning,
		Input: encoded, CreatedAt: now, UpdatedAt: now,
	}
	if err := s.store.CreateTask(ctx, t); err != nil {
		return posthorn.Task{}, err
	}
	err = s.dispatcher.StartTask(context.WithoutCancel(ctx), t)
	if err != nil && posthorn.CodeOf(err) != posthorn.Conflict {
		s.log.LogAttrs(ctx, slog.LevelWarn, "a background task begins later", requestID(ctx), slog.String("task", t.ID), slog.Any("error", err))
	}
	return t, nil
}

type listTasksIn struct {
	PageParams
	OrderParam
	Status string `query:"status" enum:"running,finished,failed" doc:"Only tasks that stand like this."`
	Task   string `query:"task" enum:"endpoint.replay,endpoint.recover,application.stats,message.broadcast,sdk.generate,event-type.aggregate,application.purge_content,endpoint.bulk-replay" doc:"Only tasks of this kind."`
}

func (s *Server) listTasks(ctx context.Context, in *listTasksIn) (*answer[listResponse[backgroundTaskOut]], error) {
	page, err := in.page(in.descending(true), posthorn.TaskID.Valid)
	if err != nil {
		return nil, err
	}
	found, err := s.store.ListTasks(ctx, callerOf(ctx).org, store.TaskFilter{
		Window: store.Window{After: s.now().Add(-taskHistory)}, State: posthorn.TaskState(in.Status), Kind: posthorn.TaskKind(in.Task),
	}, page)
	if err != nil {
		return nil, err
	}
	return listed(found, func(t posthorn.Task) string { return t.ID }, showTask), nil
}

type getTaskIn struct {
	TaskID string `path:"task_id" doc:"The task's id."`
}

func (s *Server) getTask(ctx context.Context, in *getTaskIn) (*answer[backgroundTaskOut], error) {
	found, err := s.store.Task(ctx, callerOf(ctx).org, in.TaskID)
	if err != nil {
		return nil, err
	}
	return &answer[backgroundTaskOut]{Body: showTask(found)}, nil
}
