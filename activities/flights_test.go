package activities_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

// A delivery can have two activities: a wake that finds none just before the message's own workflow begins it starts
// another workflow. And Temporal may take a run for dead that is only slow.
func TestRunsOfOneDeliveryDoNotSendAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, time.Hour)
	url, count := receiver(t, func(int32) int {
		<-time.After(100 * time.Millisecond)
		return 200
	})
	ep, m := b.endpoint(url), b.message()
	var runs sync.WaitGroup
	for range 3 {
		runs.Go(func() {
			sent, err := b.durableLane(m, ep, 0)
			assert.NoError(t, err)
			assert.Equal(t, posthorn.Delivered, sent.State)
		})
	}
	runs.Wait()
	require.EqualValues(t, 1, count.Load())
	require.Equal(t, 1, b.delivery(m, ep).Attempts)
}
