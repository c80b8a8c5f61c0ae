package sqlite

import (
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
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
				r := store.Record{MessageID: posthorn.MessageID.New(), AppID: app, Dispatched: true}
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
