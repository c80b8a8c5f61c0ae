package postgres

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/pgtest"
	"github.com/posthorn/posthorn/internal/store"
)

// TestLargeApplicationsChangeAsAWhole changes all endpoints of applications, many more than the server has locks for, while
// others write.
func TestLargeApplicationsChangeAsAWhole(t *testing.T) {
	t.Parallel()
	const endpoints = 10_000
	server := pgtest.Start(t, "fsync=off", "max_locks_per_transaction=16") // fewer than a server has that nobody adjusted: 300 connections count too
	url := server.Database(t)
	require.NoError(t, Migrate(t.Context(), url, quiet))
	stores := []*Store{open(t, url), open(t, url)}
	apps := make([]posthorn.Application, len(stores))
	for i, s := range stores {
		apps[i] = posthorn.Application{ID: posthorn.ApplicationID.New(), OrgID: "org_1", Name: "large"}
		require.NoError(t, s.CreateApplication(t.Context(), apps[i]))
		ask(t, url, `INSERT INTO endpoint (id, app_id, url, description, disabled, throttle_rate, ordered, max_in_flight)
			SELECT $1 || i, $1, '', '', false, 0, false, 0 FROM generate_series(1, $2::int) i`, apps[i].ID, endpoints)
	}
	other := posthorn.Endpoint{ID: posthorn.EndpointID.New(), AppID: "app_1"}
	require.NoError(t, stores[0].CreateEndpoint(t.Context(), other))

	problems := make(chan error, 100)
	var recorded atomic.Int64
	var changed atomic.Bool
	var load sync.WaitGroup
	for i := range 8 {
		load.Go(func() {
			for n := 0; !changed.Load() || n < 3; n++ {
				if err := fail(t, stores[i%2], other.ID); err != nil {
					problems <- err
					return
				}
				recorded.Add(1)
			}
		})
	}
	atOnce(len(stores), func(i int) {
		for rate := 1; rate <= 3; rate++ {
			_, err := stores[i].UpdateApplication(t.Context(), "org_1", apps[i].ID, func(a *posthorn.Application) error { a.ThrottleRate = rate; return nil })
			if err != nil {
				problems <- err
			}
		}
		if err := stores[i].DeleteApplication(t.Context(), "org_1", apps[i].ID, time.Now()); err != nil {
			problems <- err
		}
	})
	changed.Store(true)
	load.Wait()
	close(problems)
	for err := range problems {
		require.NoError(t, err)
	}
	require.Equal(t, len(apps)*endpoints, count(t, url, "SELECT count(*) FROM attention"))
	require.EqualValues(t, recorded.Load(), count(t, url, "SELECT sum(failures)::bigint FROM endpoint_health"), "no failure was forgotten")
}

// fail stores a message and its first attempt, which fails.
func fail(t *testing.T, s *Store, endpointID string) error {
	m := message("app_1")
	if err := s.CreateMessage(t.Context(), m); err != nil {
		return err
	}
	a := attempt(m, endpointID, false)
	a.Trigger = posthorn.Automatic
	_, err := s.Record(t.Context(), store.Record{MessageID: m.ID, AppID: m.AppID, Attempts: []posthorn.Attempt{a}, Dispatched: true})
	return err
}
