package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/posthorn/posthorn/internal/store"
)

// stalledAfter is how long a task can go without a change before the sweep asks whether it still has a workflow. Most
// tasks change every few seconds and are never asked about.
const stalledAfter = 3 * time.Minute

// endStalledTasks ends tasks whose workflow has ended without telling the database: an operator has terminated it, or
// Temporal has lost it.
func (a *Activities) endStalledTasks(ctx context.Context) (ended int, err error) {
	for after := ""; ; {
		tasks, err := a.Store.StalledTasks(ctx, after, a.Now().Add(-stalledAfter), sweepBatch)
		if err != nil {
			return ended, storeError(fmt.Errorf("reading tasks that have not changed: %w", err))
		}
		for _, t := range tasks {
			reason, err := a.Starter.TaskEnded(ctx, t.ID)
			if err != nil {
				return ended, fmt.Errorf("asking after the workflow of task %s: %w", t.ID, err)
			}
			if reason == "" {
				continue
			}
			if err := store.FailTask(ctx, a.Store, t.ID, reason, a.Now()); err != nil {
				return ended, storeError(err)
			}
			ended++
		}
		if len(tasks) < sweepBatch {
			return ended, nil
		}
		after = tasks[len(tasks)-1].ID
	}
}
