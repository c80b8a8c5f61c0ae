package activities_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/activities"
)

func TestAccepted(t *testing.T) {
	t.Parallel()

	t.Run("hands a message over once", func(t *testing.T) {
		t.Parallel()
		a := activities.NewAccepted()
		a.Put(posthorn.Message{ID: "m", EventType: "x"})
		m, ok := a.Take("m")
		require.True(t, ok)
		require.Equal(t, "x", m.EventType)
		_, ok = a.Take("m")
		require.False(t, ok)
	})

	t.Run("hands nothing over that was withdrawn", func(t *testing.T) {
		t.Parallel()
		a := activities.NewAccepted()
		a.Put(posthorn.Message{ID: "m"})
		a.Drop("m")
		_, ok := a.Take("m")
		require.False(t, ok)
	})

	t.Run("hands nothing over that may have been sent meanwhile", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			a := activities.NewAccepted()
			a.Put(posthorn.Message{ID: "old"})
			<-time.After(4 * time.Second)
			a.Put(posthorn.Message{ID: "young"})
			<-time.After(time.Second)
			a.Put(posthorn.Message{ID: "new"})
			_, ok := a.Take("old")
			require.False(t, ok)
			_, ok = a.Take("young")
			require.True(t, ok)
		})
	})

	t.Run("counts the age from the last offer", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			a := activities.NewAccepted()
			a.Put(posthorn.Message{ID: "m"})
			<-time.After(4 * time.Second)
			a.Put(posthorn.Message{ID: "m"})
			<-time.After(2 * time.Second)
			a.Put(posthorn.Message{ID: "other"})
			_, ok := a.Take("m")
			require.True(t, ok)
		})
	})
}
