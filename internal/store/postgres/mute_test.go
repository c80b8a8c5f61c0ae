package postgres

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/pgtest"
	"github.com/posthorn/posthorn/internal/store"
)

// TestNobodyWaitsForAMuteServerForEver stops the server's processes while calls are under way that would wait for ever.
// All of them come to an end, and the store goes on by itself once the server does.
func TestNobodyWaitsForAMuteServerForEver(t *testing.T) {
	t.Parallel()
	server := pgtest.Start(t)
	url := server.Database(t)
	require.NoError(t, Migrate(t.Context(), url, quiet))
	s := open(t, url)
	ctx := context.Background()
	var mu sync.Mutex
	var acknowledged []string
	create := func() error {
		m := message("app_1")
		err := s.CreateMessage(ctx, m)
		if err == nil {
			mu.Lock()
			defer mu.Unlock()
			acknowledged = append(acknowledged, m.ID)
		}
		return err
	}
	calls := []func() error{
		create,
		func() error {
			_, err := s.ListMessages(ctx, "app_1", store.MessageFilter{}, store.Page{Limit: 5})
			return err
		},
		func() error { _, err := s.Health(ctx, "ep_1"); return err },
		func() error {
			_, err := s.TakeTurn(ctx, store.Turn{AppID: "app_1", EndpointID: "ep_1", Now: time.Now()})
			return err
		},
	}
	require.NoError(t, create())

	server.Pause()
	brief, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err := s.MessageByID(brief, acknowledged[0])
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotEqual(t, posthorn.Unavailable, posthorn.CodeOf(err), "the caller's own impatience is not the database's failure")
	const each = 8
	problems := make([]error, each*len(calls))
	atOnce(len(problems), func(i int) { problems[i] = calls[i%len(calls)]() })
	server.Resume()
	for i, err := range problems {
		require.Equal(t, posthorn.Unavailable, posthorn.CodeOf(err), "call %d: %v", i%len(calls), err)
	}

	require.Eventually(t, func() bool { return create() == nil }, time.Minute, time.Millisecond)
	for _, call := range calls {
		require.NoError(t, call())
	}
	for _, id := range acknowledged {
		_, err := s.MessageByID(ctx, id)
		require.NoError(t, err)
	}
}
