package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlstore"
)

func open(tb testing.TB, o Options) *Store {
	tb.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(tb.TempDir(), "posthorn.db")
	}
	s, err := Open(tb.Context(), o)
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

func newMessage(appID string) posthorn.Message {
	now := time.Now()
	return posthorn.Message{
		ID: posthorn.MessageID.New(), AppID: appID, EventType: "invoice.paid", Payload: make([]byte, 500),
		CreatedAt: now, ExpiresAt: now.Add(posthorn.DefaultRetention),
	}
}

// BenchmarkCreateMessage has many callers at once, as the API does: they share commits.
func BenchmarkCreateMessage(b *testing.B) {
	for _, durability := range []Durability{Normal, Full} {
		b.Run(string(durability), func(b *testing.B) {
			s := open(b, Options{Durability: durability})
			app := posthorn.ApplicationID.New()
			b.ReportAllocs()
			b.SetParallelism(64)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					m := newMessage(app)
					m.EventID = m.ID[4:]
					if err := s.CreateMessage(b.Context(), m); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// BenchmarkRecord records the first round of a message, all endpoints in one call.
func BenchmarkRecord(b *testing.B) {
	for _, endpoints := range []int{1, 100} {
		b.Run(fmt.Sprintf("%d attempts", endpoints), func(b *testing.B) {
			s := open(b, Options{Durability: Normal})
			app := posthorn.ApplicationID.New()
			eps := make([]string, endpoints)
			for i := range eps {
				eps[i] = posthorn.EndpointID.New()
			}
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				m := newMessage(app)
				require.NoError(b, s.CreateMessage(b.Context(), m))
				b.StartTimer()
				r := store.Record{MessageID: m.ID, AppID: app, Dispatched: true}
				for _, ep := range eps {
					r.Attempts = append(r.Attempts, posthorn.Attempt{
						ID: posthorn.AttemptID.New(), MessageID: r.MessageID, AppID: app, EndpointID: ep, EventType: "invoice.paid",
						Trigger: posthorn.Automatic, URL: "https://hooks.example.com/incoming", StartedAt: time.Now(),
						Duration: 12 * time.Millisecond, Success: true, Status: 200, Body: []byte(`{"ok":true}`),
						Sent: map[string]string{
							"webhook-id": r.MessageID, "webhook-timestamp": strconv.FormatInt(time.Now().Unix(), 10),
							"webhook-signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=",
							"Content-Type":      "application/json", "User-Agent": "Posthorn/1.0.0", "Accept": "*/*",
						},
						Header: map[string][]string{"Content-Type": {"application/json"}, "Date": {"Sun, 01 Mar 2026 12:00:00 GMT"}},
					})
				}
				if _, err := s.Record(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*endpoints)/b.Elapsed().Seconds(), "attempts/s")
		})
	}
}

// BenchmarkExpirePayloads is how long one step of the removal keeps other writes waiting.
func BenchmarkExpirePayloads(b *testing.B) {
	for _, size := range []int{500, 20_000} {
		b.Run(fmt.Sprintf("%d bytes each", size), func(b *testing.B) {
			s := open(b, Options{Durability: Normal})
			var longest, spent time.Duration
			removed := 0
			for b.Loop() {
				b.StopTimer()
				require.NoError(b, s.write(b.Context(), func(ctx context.Context, tx *sqlstore.Session) error {
					_, err := tx.Exec(ctx, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"+
						" INSERT INTO message_payload (expires_at, payload) SELECT i, randomblob(?) FROM n", 500, size)
					return err
				}))
				b.StartTimer()
				for {
					began := time.Now()
					n, err := s.ExpirePayloads(b.Context(), time.Now())
					require.NoError(b, err)
					spent += time.Since(began)
					longest = max(longest, time.Since(began))
					if n == 0 {
						break
					}
					removed += n
				}
			}
			b.ReportMetric(float64(longest.Microseconds())/1000, "ms/longest-step")
			b.ReportMetric(float64(removed)/spent.Seconds(), "payloads/s")
		})
	}
}
