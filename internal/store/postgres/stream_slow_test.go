package postgres

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const (
	streamWriters  = 8
	streamMessages = 40 // of each writer
)

// TestStreamOfTransactionsThatCommitInAnyOrder writes from connections whose transactions stay open for different times,
// so that numbers become visible in another order than they are given in, and from two stores, as replicas do.
func TestStreamOfTransactionsThatCommitInAnyOrder(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	reader, other := open(t, url), open(t, url)
	appID := posthorn.ApplicationID.New()
	var writers errgroup.Group
	for i := range streamWriters {
		c := connection(t, url)
		writers.Go(func() error { return writeSlowly(t, c, appID) })
		s := []*Store{reader, other}[i%2]
		writers.Go(func() error {
			for range streamMessages {
				if err := s.CreateMessage(t.Context(), message(appID)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	written := make(chan error, 1)
	go func() { written <- writers.Wait() }()

	seen, from, over := map[string]int{}, store.Position{}, false
	for {
		part, err := reader.Stream(t.Context(), appID, from, store.StreamFilter{}, 7)
		require.NoError(t, err)
		for i := range part.Messages {
			seen[part.Messages[i].ID]++
		}
		from = part.Next
		if over && part.Done {
			break
		}
		select {
		case err := <-written:
			require.NoError(t, err)
			over = true // one more round to the end
		default:
		}
	}
	require.Equal(t, 2*streamWriters*streamMessages, len(seen), "none is missed") //nolint:testifylint // Len prints them all
	for id, times := range seen {
		require.Equal(t, 1, times, "%s comes once", id)
	}
}

// writeSlowly commits each message some time after it was numbered.
func writeSlowly(t *testing.T, c *pgx.Conn, appID string) error {
	for range streamMessages {
		err := pgx.BeginFunc(t.Context(), c, func(tx pgx.Tx) error {
			m := message(appID)
			if _, err := tx.Exec(t.Context(), "INSERT INTO message (seq, id, app_id, event_type, created_at, expires_at)"+
				" VALUES (numbers_now(), $1, $2, $3, $4, $5)", m.ID, appID, m.EventType, m.CreatedAt.UnixMicro(), m.ExpiresAt.UnixMicro()); err != nil {
				return err
			}
			<-time.After(rand.N(20 * time.Millisecond))
			return nil
		})
		if err != nil {
			return fmt.Errorf("writing slowly: %w", err)
		}
	}
	return nil
}
