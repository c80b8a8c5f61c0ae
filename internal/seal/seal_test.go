package seal_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/seal"
)

func box(t *testing.T, secret, purpose string) *seal.Box {
	t.Helper()
	b, err := seal.New([]byte(secret), purpose)
	require.NoError(t, err)
	return b
}

func TestBox(t *testing.T) {
	t.Parallel()
	const content, place = "whsec_the content!", "endpoint.secrets:ep_1"
	mine := box(t, "a main secret", "store")

	t.Run("opens what it sealed, after a restart too", func(t *testing.T) {
		t.Parallel()
		for _, content := range []string{content, "", "\x00\xff", strings.Repeat("x", 1<<20)} {
			opened, err := box(t, "a main secret", "store").OpenText(mine.SealText(content, place), place)
			require.NoError(t, err)
			require.Equal(t, content, opened)
			raw, err := mine.Open(mine.Seal([]byte(content), place), place)
			require.NoError(t, err)
			require.Equal(t, content, string(raw))
		}
	})
	t.Run("shows nothing of the content, and never the same twice", func(t *testing.T) {
		t.Parallel()
		first, second := mine.SealText(content, place), mine.SealText(content, place)
		require.NotEqual(t, first, second)
		require.NotContains(t, first, "whsec")
		require.False(t, bytes.Contains(mine.Seal([]byte(content), place), []byte("content")))
		require.True(t, seal.IsSealed(first))
		require.False(t, seal.IsSealed(content))
	})
	t.Run("opens nothing that was sealed for another place", func(t *testing.T) {
		t.Parallel()
		_, err := mine.OpenText(mine.SealText(content, place), "endpoint.secrets:ep_2")
		require.ErrorIs(t, err, seal.ErrDamaged)
	})
	t.Run("opens nothing that was sealed with another secret or for another purpose", func(t *testing.T) {
		t.Parallel()
		for _, other := range []*seal.Box{box(t, "another secret", "store"), box(t, "a main secret", "answers")} {
			_, err := other.OpenText(mine.SealText(content, place), place)
			require.ErrorIs(t, err, seal.ErrOtherKey)
			_, err = other.Open(mine.Seal([]byte(content), place), place)
			require.ErrorIs(t, err, seal.ErrDamaged)
		}
	})
	t.Run("notices any change", func(t *testing.T) {
		t.Parallel()
		sealed := mine.SealText(content, place)
		for i := range len(sealed) {
			changed := []byte(sealed)
			changed[i] ^= 1
			_, err := mine.OpenText(string(changed), place)
			require.Error(t, err, i)
			require.NotContains(t, err.Error(), content)
		}
		for _, damaged := range []string{"", content, "sealed:1:", "sealed:1:aabbccdd:", sealed[:len(sealed)-1], sealed[:12]} {
			_, err := mine.OpenText(damaged, place)
			require.Error(t, err, damaged)
		}
	})
}
