package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
)

// A crash can come between accepting a message and its first attempt, and somebody can send it by hand meanwhile.
func TestAFailureByHandEndsNothingThatHasNotBegun(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Hour)
	url, count := receiver(t, func(n int32) int { return map[bool]int{true: 500, false: 200}[n <= 2] })
	ep, first, second := b.endpoint(url), b.message(), b.message()
	for _, m := range []posthorn.Message{first, second} {
		_, err := b.Resend(t.Context(), activities.ResendInput{
			MessageID: m.ID, AppID: b.appID, EndpointID: ep.ID, AttemptID: posthorn.AttemptID.New(),
		})
		require.NoError(t, err)
		require.Equal(t, posthorn.Failed, b.delivery(m, ep).State)
	}

	require.Equal(t, activities.SendToAllResult{Endpoints: 1, Delivered: 1}, b.fastLane(first))
	sent, err := b.durableLane(second, ep, 0)
	require.NoError(t, err)
	require.Equal(t, posthorn.Delivered, sent.State)
	require.EqualValues(t, 4, count.Load())
	for _, m := range []posthorn.Message{first, second} {
		require.Equal(t, 1, b.delivery(m, ep).Scheduled)
	}
}
