package postgres

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/pgtest"
)

// TestWhatIsAcknowledgedSurvivesTheServer kills the server under load: callers hear that the database does not answer,
// what they were told is stored is there afterwards, and the store goes on by itself.
func TestWhatIsAcknowledgedSurvivesTheServer(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	url := server.Database(t)
	require.NoError(t, Migrate(t.Context(), url, quiet))
	s := open(t, url)
	var mu sync.Mutex
	var acknowledged []string
	var problems []error
	ctx, end := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for range 16 {
		callers.Go(func() {
			for ctx.Err() == nil {
				m := message("app_1")
				err := s.CreateMessage(context.WithoutCancel(ctx), m)
				mu.Lock()
				if err == nil {
					acknowledged = append(acknowledged, m.ID)
				} else {
					problems = append(problems, err)
				}
				mu.Unlock()
			}
		})
	}
	count := func() (stored, failed int) {
		mu.Lock()
		defer mu.Unlock()
		return len(acknowledged), len(problems)
	}
	for range 2 {
		before, failed := count()
		require.Eventually(t, func() bool { stored, _ := count(); return stored > before+100 }, time.Minute, time.Millisecond)
		server.Kill()
		require.Eventually(t, func() bool { _, now := count(); return now > failed }, time.Minute, time.Millisecond)
		server.Start()
	}
	before, _ := count()
	require.Eventually(t, func() bool { stored, _ := count(); return stored > before }, time.Minute, time.Millisecond)
	end()
	callers.Wait()
	for _, err := range problems {
		require.Equal(t, posthorn.Unavailable, posthorn.CodeOf(err), "%v", err)
	}
	for _, id := range acknowledged {
		_, err := s.MessageByID(t.Context(), id)
		require.NoError(t, err, id)
	}
}

func TestAWriteThatFailsLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	url, stores := replicas(t, 1)
	s := stores[0]
	bad := map[string]string{} // message by the table that refuses it
	for _, table := range []string{"undispatched", "message"} {
		m := posthorn.MessageID.New()
		bad[table] = m
		column := map[string]string{"undispatched": "message_id", "message": "id"}[table]
		ask(t, url, "ALTER TABLE "+table+" ADD CONSTRAINT good CHECK ("+column+" <> '"+m+"')")
	}
	const n = 60
	ids, problems := make([]string, n), make([]error, n)
	atOnce(n, func(i int) {
		m := message("app_1")
		switch i {
		case 20:
			m.ID = bad["undispatched"]
		case 40:
			m.ID = bad["message"]
		}
		ids[i], problems[i] = m.ID, s.CreateMessage(t.Context(), m)
	})
	for i, id := range ids {
		_, err := s.MessageByID(t.Context(), id)
		if i == 20 || i == 40 {
			require.ErrorContains(t, problems[i], "good")
			require.Equal(t, posthorn.NotFound, posthorn.CodeOf(err))
			continue
		}
		require.NoError(t, problems[i])
		require.NoError(t, err)
	}
}

func TestAPanicInAWriteIsItsCallersAlone(t *testing.T) {
	t.Parallel()
	_, stores := replicas(t, 1)
	s := stores[0]
	ep := posthorn.Endpoint{ID: posthorn.EndpointID.New(), AppID: "app_1"}
	require.NoError(t, s.CreateEndpoint(t.Context(), ep))
	_, err := s.UpdateEndpoint(t.Context(), "app_1", ep.ID, func(*posthorn.Endpoint) error { panic("half way") })
	require.ErrorContains(t, err, "half way")
	require.NoError(t, s.CreateMessage(t.Context(), message("app_1")))
}
