package sqlite

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// BenchmarkStream reads one stretch in the middle of a backlog: a full page, and one whose filter nothing matches.
func BenchmarkStream(b *testing.B) {
	s := open(b, Options{Durability: Normal})
	app := posthorn.ApplicationID.New()
	const writers = 64
	errs := make(chan error, writers)
	for range writers {
		go func() {
			for range 3 * store.StreamReach / writers {
				if err := s.CreateMessage(b.Context(), newMessage(app)); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range writers {
		require.NoError(b, <-errs)
	}
	middle, err := s.Stream(b.Context(), app, store.Position{}, store.StreamFilter{EventTypes: [][]string{{"none"}}}, 1)
	require.NoError(b, err)
	for name, f := range map[string]store.StreamFilter{
		"250 messages":      {},
		"10000 passed over": {EventTypes: [][]string{{"none"}}, Channels: [][]string{{"eu"}}},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Stream(b.Context(), app, middle.Next, f, 250); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
