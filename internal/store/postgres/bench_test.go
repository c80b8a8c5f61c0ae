package postgres

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/pgtest"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlstore"
)

// counted counts what is sent on a connection: each write is the beginning of a round trip.
type counted struct {
	net.Conn
	trips *atomic.Int64
}

func (c counted) Write(b []byte) (int, error) {
	c.trips.Add(1)
	return c.Conn.Write(b)
}

// BenchmarkDeliver stores messages and what came of each at its first attempt, for many callers at once, on a server that
// waits for its disk.
func BenchmarkDeliver(b *testing.B) {
	for _, callers := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(callers, " callers"), func(b *testing.B) {
			url := pgtest.Start(b).Database(b)
			require.NoError(b, Migrate(b.Context(), url, quiet))
			var trips atomic.Int64
			s := openCounted(b, url, &trips)
			ask(b, url, "SELECT pg_stat_reset()")
			trips.Store(0)
			b.SetParallelism(callers)
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					m := message("app_1")
					if err := s.CreateMessage(b.Context(), m); err != nil {
						b.Error(err)
						return
					}
					a := attempt(m, "ep_1", true)
					a.Trigger = posthorn.Automatic
					record := store.Record{MessageID: m.ID, AppID: m.AppID, Pending: []string{"ep_1"}, Attempts: []posthorn.Attempt{a}, Dispatched: true}
					if _, err := s.Record(b.Context(), record); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
			b.ReportMetric(float64(trips.Load())/float64(b.N), "round-trips/message")
		})
	}
}

func openCounted(b *testing.B, url string, trips *atomic.Int64) *sqlstore.Store {
	b.Helper()
	d, err := connectWith(b.Context(), Options{URL: url}.withDefaults(), func(config *pgx.ConnConfig) {
		dial := config.DialFunc
		config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			return counted{conn, trips}, err
		}
	})
	require.NoError(b, err)
	s, _, err := sqlstore.Open(b.Context(), d, sqlstore.Options{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	return s
}

// BenchmarkRemoveMessages removes old messages with their deliveries and attempts.
func BenchmarkRemoveMessages(b *testing.B) {
	url := pgtest.Start(b).Database(b)
	require.NoError(b, Migrate(b.Context(), url, quiet))
	s := open(b, url)
	const n = 3000
	var removed int
	for b.Loop() {
		b.StopTimer()
		atOnce(n, func(int) {
			m := message("app_1")
			require.NoError(b, s.CreateMessage(b.Context(), m))
			a := attempt(m, "ep_1", true)
			_, err := s.Record(b.Context(), store.Record{MessageID: m.ID, AppID: m.AppID, Attempts: []posthorn.Attempt{a}, Dispatched: true})
			require.NoError(b, err)
		})
		b.StartTimer()
		for r := (store.Removed{}); !r.Done; removed += r.Items {
			var err error
			r, err = s.RemoveMessages(b.Context(), time.Now().Add(time.Hour), r.Next)
			require.NoError(b, err)
		}
	}
	b.ReportMetric(float64(removed)/b.Elapsed().Seconds(), "messages/s")
}
