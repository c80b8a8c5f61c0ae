package api

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

func TestCursor(t *testing.T) {
	t.Parallel()
	now := time.Now().UTC().Truncate(time.Millisecond)
	for _, p := range []store.Position{
		{}, {MessageID: posthorn.MessageID.New()}, {After: now}, {MessageID: posthorn.MessageID.New(), After: now},
		{After: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)}, {After: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
	} {
		read, err := parseCursor(cursorOf(p, 7).String())
		require.NoError(t, err)
		require.Equal(t, p, read.position(time.Time{}))
		require.Equal(t, 7, read.Epoch)
		later := p.After.Add(time.Hour)
		require.Equal(t, store.Position{MessageID: p.MessageID, After: later}, read.position(later))
		require.Equal(t, p, read.position(p.After.Add(-time.Hour)), "a moment never widens")
	}
	for _, wrong := range []string{`{"a":99999999999999999}`, `{"a":-99999999999999999}`, `{"e":-1}`, `{"m":"x"}`, `{} `, `{"m":""}`, `[]`, ``} {
		_, err := parseCursor(base64.RawURLEncoding.EncodeToString([]byte(wrong)))
		require.Equal(t, posthorn.Invalid, posthorn.CodeOf(err), wrong)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("e30")
	f.Add(cursorOf(store.Position{MessageID: posthorn.MessageID.New(), After: time.Now()}, 3).String())
	f.Add("eyJhIjoxZTMwMH0")
	f.Fuzz(func(t *testing.T, iterator string) {
		c, err := parseCursor(iterator)
		if err != nil {
			require.Equal(t, posthorn.Invalid, posthorn.CodeOf(err))
			return
		}
		require.Equal(t, iterator, c.String(), "there is one spelling")
		require.Equal(t, iterator, cursorOf(c.position(time.Time{}), c.Epoch).String())
	})
}
