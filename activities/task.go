package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// taskSteps says what one step of each kind of task is. A new kind of task is a line here, its input and data in the
// vocabulary, and an operation that begins it.
func (a *Activities) taskSteps() map[posthorn.TaskKind]taskStep {
	return map[posthorn.TaskKind]taskStep{
		posthorn.RecoverEndpoint:     stepOf(a.replayStep),
		posthorn.ReplayMissing:       stepOf(a.replayStep),
		posthorn.BulkReplay:          stepOf(a.replayStep),
		posthorn.BroadcastMessage:    stepOf(a.broadcastStep),
		posthorn.PurgeContent:        stepOf(a.purgeStep),
		posthorn.ApplicationStats:    stepOf(a.statsStep),
		posthorn.AggregateEventTypes: stepOf(a.subscriptionStep),
		posthorn.ExportCatalogue:     stepOf(a.exportStep),
	}
}

// taskStep does the next part of a task and moves Cursor and Data on. A step can be repeated, when a process dies before
// its end is saved: it must then find what it has done, by identifiers that it derives from the task for instance. An
// error with one of the codes in endsTask ends the task, any other one has the step repeated. When ctx ends, a step fails,
// or ends early with what it has done.
type taskStep func(ctx context.Context, t *posthorn.Task) (done bool, err error)

// step is a taskStep in terms of its own types: what it is given, where it stands, and what it tells.
type step[Input, Cursor, Data any] func(ctx context.Context, s *stepping[Input, Cursor, Data]) (done bool, err error)

type stepping[Input, Cursor, Data any] struct {
	Task   posthorn.Task
	Input  Input
	Cursor Cursor // the zero value at the beginning
	Data   Data
}

func stepOf[Input, Cursor, Data any](run step[Input, Cursor, Data]) taskStep {
	return func(ctx context.Context, t *posthorn.Task) (done bool, err error) {
		s := &stepping[Input, Cursor, Data]{Task: *t}
		for _, part := range []struct {
			stored json.RawMessage
			into   any
		}{{t.Input, &s.Input}, {t.Cursor, &s.Cursor}, {t.Data, &s.Data}} {
			if part.stored == nil {
				continue
			}
			if err := json.Unmarshal(part.stored, part.into); err != nil {
				return false, fmt.Errorf("reading what task %s has stored: %w", t.ID, err)
			}
		}
		if done, err = run(ctx, s); err != nil {
			return false, err
		}
		if t.Cursor, err = json.Marshal(s.Cursor); err != nil {
			return false, fmt.Errorf("storing where task %s stands: %w", t.ID, err)
		}
		if t.Data, err = json.Marshal(s.Data); err != nil {
			return false, fmt.Errorf("storing what came of task %s: %w", t.ID, err)
		}
		return done, nil
	}
}

// endsTask reports whether an error is one that trying again can't mend.
func endsTask(err error) bool {
	switch posthorn.CodeOf(err) {
	case posthorn.Invalid, posthorn.NotFound, posthorn.Gone, posthorn.Forbidden, posthorn.LimitReached, posthorn.TooLarge:
		return true
	default:
		return false
	}
}

// RunTaskInput names a task. What it is to do stays in the database.
type RunTaskInput struct {
	TaskID string
}

// RunTaskResult is how a task ended.
type RunTaskResult struct {
	State  posthorn.TaskState
	Reason string `json:",omitempty"`
}

// RunTask does a task, step by step, until it has ended. Each step's end is saved before the next one begins, so a run
// that follows an interrupted one goes on with the step that was interrupted.
func (a *Activities) RunTask(ctx context.Context, in RunTaskInput) (RunTaskResult, error) {
	t, err := a.Store.TaskByID(ctx, in.TaskID)
	if err != nil {
		return RunTaskResult{}, taskError(fmt.Errorf("reading task %s: %w", in.TaskID, err))
	}
	run, known := a.taskSteps()[t.Kind]
	if !known {
		return RunTaskResult{}, temporal.NewApplicationError(fmt.Sprintf("this version knows no tasks of the kind %q", t.Kind), ErrorUnknownTask)
	}
	work, alive := workAlive(ctx)
	defer alive.stop()
	for t.State == posthorn.TaskRunning {
		from := t.Cursor
		done, err := run(work, &t)
		switch {
		case err != nil && work.Err() != nil:
			return RunTaskResult{}, interrupted(ctx)
		case endsTask(err):
			t.State, t.Reason = posthorn.TaskFailed, reasonOf(err)
		case err != nil:
			return RunTaskResult{}, taskError(fmt.Errorf("a step of task %s: %w", t.ID, err))
		case done:
			t.State = posthorn.TaskFinished
		}
		t.UpdatedAt = a.Now()
		saving := context.WithoutCancel(ctx) // what a step has done is not to be forgotten
		if err := a.Store.AdvanceTask(saving, t, from); err != nil {
			if posthorn.CodeOf(err) != posthorn.Conflict {
				return RunTaskResult{}, taskError(fmt.Errorf("saving a step of task %s: %w", t.ID, err))
			}
			// Somebody has ended it, or a run that Temporal has given up, its process having slept, is still alive.
			if t, err = a.Store.TaskByID(saving, t.ID); err != nil {
				return RunTaskResult{}, taskError(fmt.Errorf("reading task %s: %w", in.TaskID, err))
			}
		}
		if t.State == posthorn.TaskRunning && work.Err() != nil {
			return RunTaskResult{}, interrupted(ctx)
		}
		alive.beat(string(t.Cursor))
	}
	if t.State == posthorn.TaskFailed {
		return RunTaskResult{}, temporal.NewApplicationErrorWithOptions(t.Reason, ErrorTaskFailed, temporal.ApplicationErrorOptions{
			NonRetryable: true, Category: temporal.ApplicationErrorCategoryBenign, // the task's fault, not the worker's
		})
	}
	return RunTaskResult{t.State, t.Reason}, nil
}

// interrupted is the error of a run whose work ended before the task: the task was cancelled, or the process stops.
func interrupted(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return temporal.NewApplicationErrorWithOptions("the process is stopping; another one goes on", ErrorStopping,
		temporal.ApplicationErrorOptions{Category: temporal.ApplicationErrorCategoryBenign, NextRetryDelay: time.Millisecond})
}

// FailTaskInput says why a task ends that did not end by itself.
type FailTaskInput struct {
	TaskID string
	Reason string
}

// FailTask ends a task without a further step. One that has ended stays as it is.
func (a *Activities) FailTask(ctx context.Context, in FailTaskInput) error {
	if err := store.FailTask(ctx, a.Store, in.TaskID, in.Reason, a.Now()); err != nil {
		return taskError(fmt.Errorf("ending task %s: %w", in.TaskID, err))
	}
	return nil
}

// reasonOf is what a task that ended tells of an error.
func reasonOf(err error) string {
	if e, ok := errors.AsType[*posthorn.Error](err); ok {
		return e.Error()
	}
	return err.Error()
}

// taskError is storeError for a task: a missing one is an error of its own.
func taskError(err error) error {
	if posthorn.CodeOf(err) == posthorn.NotFound {
		return temporal.NewNonRetryableApplicationError(err.Error(), ErrorTaskMissing, nil)
	}
	return storeError(err)
}

// alive heartbeats while a task is done.
type alive struct {
	cursor  chan string
	cancel  context.CancelFunc
	stopped chan struct{}
}

// workAlive returns the context of a task's steps, which ends with ctx and when the worker stops, and what heartbeats
// until it is stopped. Each heartbeat carries where the task stands, for people who watch it.
func workAlive(ctx context.Context) (context.Context, *alive) {
	work, cancel := context.WithCancel(ctx)
	l := &alive{cursor: make(chan string, 1), cancel: cancel, stopped: make(chan struct{})}
	go func() {
		defer close(l.stopped)
		tick := time.NewTicker(HeartbeatTimeout / 3)
		defer tick.Stop()
		at := ""
		for {
			select {
			case at = <-l.cursor:
			case <-tick.C:
			case <-activity.GetWorkerStopChannel(ctx):
				cancel()
				return
			case <-work.Done():
				return
			}
			activity.RecordHeartbeat(ctx, at)
		}
	}()
	return work, l
}

// beat tells where the task stands. It does not wait: the next one tells it too.
func (l *alive) beat(cursor string) {
	select {
	case l.cursor <- cursor:
	default:
	}
}

func (l *alive) stop() {
	l.cancel()
	<-l.stopped
}
