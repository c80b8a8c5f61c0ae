package sqlite

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlstore"
)

// BenchmarkStatistics counts a million attempts of 28 days: at one endpoint, and over 100 endpoints with 10 event types.
func BenchmarkStatistics(b *testing.B) {
	const million = 1_000_000
	end := time.Now().Truncate(24 * time.Hour)
	start := end.AddDate(0, 0, -28)
	for _, endpoints := range []int{1, 100} {
		b.Run(fmt.Sprintf("endpoints=%d", endpoints), func(b *testing.B) { benchmarkStatistics(b, endpoints, start, end, million) })
	}
}

func benchmarkStatistics(b *testing.B, endpoints int, start, end time.Time, attempts int) {
	s := open(b, Options{Durability: Normal})
	app := posthorn.ApplicationID.New()
	var ids []string
	for range endpoints {
		ep := posthorn.Endpoint{ID: posthorn.EndpointID.New(), AppID: app, URL: "https://a.example", CreatedAt: start, UpdatedAt: start}
		require.NoError(b, s.CreateEndpoint(b.Context(), ep))
		ids = append(ids, ep.ID)
	}
	for made := 0; made < attempts; {
		require.NoError(b, s.write(b.Context(), func(ctx context.Context, tx *sqlstore.Session) error {
			for range 10_000 {
				at := start.Add(end.Sub(start) / time.Duration(attempts) * time.Duration(made))
				status := 200
				if made%7 == 0 {
					status = 500 - made%2*100
				}
				made++
				if _, err := tx.Exec(ctx, "INSERT INTO attempt (id, message_id, endpoint_id, app_id, event_type, trigger, url, started_at,"+
					" duration, success, status, truncated, error_class, message, number) VALUES (?, ?, ?, ?, ?, 'automatic', '', ?, 1, ?, ?, 0, '', '', 1)",
					posthorn.AttemptID.Derive(at, fmt.Sprint(made)), posthorn.MessageID.Derive(at, fmt.Sprint(made/endpoints)),
					ids[made%endpoints], app, fmt.Sprint("type.", made/endpoints%10), at.UnixMilli(), status == 200, status); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	bounds := func(length time.Duration, n int) (bounds []time.Time) {
		for i := range n + 1 {
			bounds = append(bounds, end.Add(length*time.Duration(i-n)))
		}
		return bounds
	}
	for name, count := range map[string]func() error{
		"an endpoint": func() error {
			_, err := s.EndpointFigures(b.Context(), ids[0], store.Window{After: start, Before: end})
			return err
		},
		"by event type": func() error {
			_, err := s.FiguresByEventType(b.Context(), app, nil, store.Window{After: start, Before: end})
			return err
		},
		"by day": func() error {
			_, err := s.FiguresByPeriod(b.Context(), app, nil, bounds(24*time.Hour, 28))
			return err
		},
		"by five minutes": func() error {
			_, err := s.FiguresByPeriod(b.Context(), app, nil, bounds(5*time.Minute, 2016))
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, count())
			}
		})
	}
}
