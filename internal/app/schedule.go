package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/posthorn/posthorn/workflows"
)

// schedule has Temporal run a workflow without input again and again, never two at once. One that is scheduled already
// stays as it is.
func schedule(ctx context.Context, engine client.Client, id, workflowType string, every time.Duration) error {
	_, err := engine.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID:      id,
		Spec:    client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: every}}},
		Overlap: enums.SCHEDULE_OVERLAP_POLICY_SKIP,
		Action:  &client.ScheduleWorkflowAction{ID: id, Workflow: workflowType, TaskQueue: workflows.TaskQueue},
	})
	if err != nil && !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return fmt.Errorf("scheduling %s: %w", workflowType, err)
	}
	return nil
}
