package workflows_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"

	"github.com/posthorn/posthorn/activities"
	"github.com/posthorn/posthorn/workflows"
)

func TestHousekeeping(t *testing.T) {
	t.Parallel()
	env := taskEnvironment(t)
	var a *activities.Activities
	env.RegisterActivityWithOptions(a.KeepHouse, activity.RegisterOptions{Name: "KeepHouse"})
	env.OnActivity("KeepHouse", mock.Anything).Return(activities.HousekeepingResult{}, errors.New("disk I/O error")).Once()
	env.OnActivity("KeepHouse", mock.Anything).Return(activities.HousekeepingResult{Messages: 3}, nil).Once()
	env.ExecuteWorkflow(workflows.Housekeeping)
	var result activities.HousekeepingResult
	require.NoError(t, env.GetWorkflowResult(&result))
	require.Equal(t, activities.HousekeepingResult{Messages: 3}, result)
}
