package posthorn_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func TestDerivedIDs(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	id := posthorn.MessageID.Derive(at, "qtask_1", "app_1")

	t.Run("are the same for the same", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, id, posthorn.MessageID.Derive(at.Truncate(time.Millisecond), "qtask_1", "app_1"))
	})
	t.Run("differ by every part, by where one part ends, and by the moment", func(t *testing.T) {
		t.Parallel()
		ids := []string{
			id,
			posthorn.MessageID.Derive(at, "qtask_1", "app_2"),
			posthorn.MessageID.Derive(at, "qtask_2", "app_1"),
			posthorn.MessageID.Derive(at, "qtask_1a", "pp_1"),
			posthorn.MessageID.Derive(at, "qtask_1app_1"),
			posthorn.MessageID.Derive(at.Add(time.Millisecond), "qtask_1", "app_1"),
		}
		slices.Sort(ids)
		require.Len(t, slices.Compact(ids), 6)
	})
	t.Run("are valid and hold their moment", func(t *testing.T) {
		t.Parallel()
		require.True(t, posthorn.MessageID.Valid(id), id)
		require.Equal(t, at.Truncate(time.Millisecond), posthorn.MessageID.Time(id))
	})
	t.Run("sort by their moment, among those of New too", func(t *testing.T) {
		t.Parallel()
		now := time.Now()
		require.GreaterOrEqual(t, posthorn.MessageID.Derive(now, "x"), posthorn.MessageID.Floor(now))
		require.Less(t, posthorn.MessageID.Derive(now.Add(-time.Minute), "x"), posthorn.MessageID.New())
		require.Greater(t, posthorn.MessageID.Derive(now.Add(time.Minute), "x"), posthorn.MessageID.New())
	})
}
