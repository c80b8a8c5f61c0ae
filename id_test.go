package posthorn_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func TestIDs(t *testing.T) {
	t.Parallel()

	t.Run("sort in the order they were made", func(t *testing.T) {
		t.Parallel()
		ids := make([]string, 10_000)
		for i := range ids {
			ids[i] = posthorn.MessageID.New()
		}
		require.True(t, slices.IsSorted(ids))
		require.Len(t, slices.Compact(ids), 10_000, "no two are the same")
	})

	t.Run("tell when they were made", func(t *testing.T) {
		t.Parallel()
		before := time.Now().Truncate(time.Millisecond)
		made := posthorn.EndpointID.Time(posthorn.EndpointID.New())
		require.False(t, made.Before(before))
		require.False(t, made.After(time.Now()))
	})

	t.Run("fall between the floors of their time and the next millisecond", func(t *testing.T) {
		t.Parallel()
		id := posthorn.AttemptID.New()
		at := posthorn.AttemptID.Time(id)
		require.LessOrEqual(t, posthorn.AttemptID.Floor(at), id)
		require.Less(t, id, posthorn.AttemptID.Floor(at.Add(time.Millisecond)))
		require.True(t, posthorn.AttemptID.Valid(posthorn.AttemptID.Floor(at)))
	})

	t.Run("have one spelling", func(t *testing.T) {
		t.Parallel()
		id := posthorn.MessageID.New()
		require.True(t, posthorn.MessageID.Valid(id))
		for _, wrong := range []string{
			"", "msg_", "msg_garbage", id[:len(id)-1], id + "0", posthorn.EndpointID.New(),
			id[:len(id)-1] + "z", // sets bits beyond the 128th
			"msg_" + "ABCDEFGHJKMNPQRSTVWXYZ0123", "msg_uuuuuuuuuuuuuuuuuuuuuuuuuu",
		} {
			require.False(t, posthorn.MessageID.Valid(wrong), wrong)
			require.True(t, posthorn.MessageID.Time(wrong).IsZero(), wrong)
		}
	})
}
