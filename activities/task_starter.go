package activities

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/posthorn/posthorn"
)

// TaskStarter begins tasks, and knows what has become of their workflows.
type TaskStarter interface {
	// StartTask begins a task's workflow. Conflict: it has begun before.
	StartTask(ctx context.Context, t posthorn.Task) error
	// TaskEnded tells, for people, how a task's workflow has ended; empty while it is running.
	TaskEnded(ctx context.Context, id string) (how string, err error)
}

const (
	// taskPage is how many items a step of a task takes on.
	taskPage = 100
	// taskConcurrency bounds how much of that is on its way at once, which leaves room for messages that are posted
	// meanwhile.
	taskConcurrency = 32
)

// each does something with each of many items, some at once, and returns the first error.
func each[T any](ctx context.Context, items []T, do func(ctx context.Context, i int, item T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(taskConcurrency)
	for i, item := range items {
		group.Go(func() error { return do(ctx, i, item) })
	}
	return group.Wait()
}

// startTasks begins tasks that were stored before a moment and have no workflow: their process ended between the two.
func (a *Activities) startTasks(ctx context.Context, before time.Time) (started int, err error) {
	for after := ""; ; {
		tasks, err := a.Store.UnbegunTasks(ctx, after, before, sweepBatch)
		if err != nil {
			return started, storeError(fmt.Errorf("reading tasks that have not begun: %w", err))
		}
		for _, t := range tasks {
			err := a.Starter.StartTask(ctx, t)
			switch posthorn.CodeOf(err) {
			case "":
				started++
			case posthorn.Conflict:
			default:
				return started, fmt.Errorf("starting the workflow of task %s: %w", t.ID, err)
			}
			if err := a.Store.BeginTask(ctx, t.ID); err != nil {
				return started, storeError(err)
			}
		}
		if len(tasks) < sweepBatch {
			return started, nil
		}
		after = tasks[len(tasks)-1].ID
	}
}
