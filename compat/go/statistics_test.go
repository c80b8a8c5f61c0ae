package compat_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	svix "github.com/svix/svix-webhooks/go"
	"github.com/svix/svix-webhooks/go/models"
)

func TestStatistics(t *testing.T) {
	b := setup(t)
	ctx := t.Context()
	b.send(svix.MessageIn{})
	unknown := unique("unknown")
	usage, err := b.Statistics.AggregateAppStats(ctx, svix.AppUsageStatsIn{
		Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Minute), AppIds: []string{b.app, unknown},
	}, nil)
	require.NoError(t, err)
	require.Equal(t, models.BACKGROUNDTASKTYPE_APPLICATION_STATS, usage.Task)
	require.Equal(t, []string{unknown}, usage.UnresolvedAppIds)
	end := b.finished(usage.Id)
	require.Equal(t, models.BACKGROUNDTASKSTATUS_FINISHED, end.Status)
	require.NotEmpty(t, end.Data)
	tasks, err := b.BackgroundTask.List(ctx, &svix.BackgroundTaskListOptions{Task: to(models.BACKGROUNDTASKTYPE_APPLICATION_STATS), Limit: to(uint64(250))})
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(tasks.Data, func(task svix.BackgroundTaskOut) bool { return task.Id == usage.Id }))
	_, err = b.BackgroundTask.Get(ctx, "qtask_00000000000000000000000000")
	refused(t, http.StatusNotFound, "not_found", err)

	types, err := b.Statistics.AggregateEventTypes(ctx)
	require.NoError(t, err)
	require.Equal(t, models.BACKGROUNDTASKTYPE_EVENT_TYPE_AGGREGATE, types.Task)
	require.Equal(t, models.BACKGROUNDTASKSTATUS_FINISHED, b.finished(types.Id).Status)
}
