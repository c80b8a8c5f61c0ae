package sqlite

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/sqlstore"
)

// blocked stops the writer inside a write, so that what follows gathers in one group, and returns what lets it go on.
func blocked(t *testing.T, s *Store) (release func()) {
	t.Helper()
	begun, end, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- s.write(context.Background(), func(context.Context, *sqlstore.Session) error {
			close(begun)
			<-end
			return nil
		})
	}()
	<-begun
	return func() {
		close(end)
		require.NoError(t, <-ended)
	}
}

// queue starts a write and returns when it waits behind n others.
func queue(t *testing.T, s *Store, n int, call func() error) <-chan error {
	t.Helper()
	result := make(chan error, 1)
	go func() { result <- call() }()
	require.Eventually(t, func() bool { return len(s.file.writer.queue) == n+1 }, 10*time.Second, 100*time.Microsecond)
	return result
}

func TestGroup(t *testing.T) {
	t.Parallel()

	insert := func(id string) func(ctx context.Context, tx *sqlstore.Session) error {
		return func(ctx context.Context, tx *sqlstore.Session) error {
			_, err := tx.Exec(ctx, "INSERT INTO undispatched (message_id) VALUES (?)", id)
			return err
		}
	}
	stored := func(t *testing.T, s *Store, id string) bool {
		t.Helper()
		is, err := s.IsUndispatched(t.Context(), id)
		require.NoError(t, err)
		return is
	}

	t.Run("what waits shares a commit, in the order of the calls", func(t *testing.T) {
		t.Parallel()
		s := open(t, Options{})
		release := blocked(t, s)
		commits := func() (n int) {
			// The log's change counter of the database moves with every commit that other connections can see.
			require.NoError(t, s.file.readers.QueryRowContext(t.Context(), "PRAGMA data_version").Scan(&n))
			return n
		}
		s.file.readers.SetMaxOpenConns(1)
		before := commits()
		var results []<-chan error
		var order []int
		for i := range 20 {
			results = append(results, queue(t, s, i, func() error {
				return s.write(t.Context(), func(ctx context.Context, tx *sqlstore.Session) error {
					order = append(order, i)
					return insert(fmt.Sprint(i))(ctx, tx)
				})
			}))
		}
		release()
		for i, result := range results {
			require.NoError(t, <-result)
			require.Equal(t, i, order[i])
		}
		require.Equal(t, before+1, commits())
	})

	t.Run("a write that is refused leaves the others alone", func(t *testing.T) {
		t.Parallel()
		s := open(t, Options{})
		m := newMessage("app_1")
		m.EventID = "evt"
		require.NoError(t, s.CreateMessage(t.Context(), m))
		release := blocked(t, s)
		before := queue(t, s, 0, func() error { return s.write(t.Context(), insert("before")) })
		duplicate := queue(t, s, 1, func() error {
			m := newMessage("app_1")
			m.EventID = "evt"
			return s.CreateMessage(t.Context(), m)
		})
		after := queue(t, s, 2, func() error { return s.write(t.Context(), insert("after")) })
		release()
		require.NoError(t, <-before)
		require.Equal(t, posthorn.Conflict, posthorn.CodeOf(<-duplicate))
		require.NoError(t, <-after)
		require.True(t, stored(t, s, "before"))
		require.True(t, stored(t, s, "after"))
	})

	t.Run("a write that fails half way leaves nothing behind and the others alone", func(t *testing.T) {
		t.Parallel()
		for name, fail := range map[string]func(ctx context.Context, tx *sqlstore.Session) error{
			"error":    func(context.Context, *sqlstore.Session) error { return errors.New("half way") },
			"database": func(ctx context.Context, tx *sqlstore.Session) error { return insert("half")(ctx, tx) },
			"lost": func(ctx context.Context, tx *sqlstore.Session) error {
				_, err := tx.Exec(ctx, "ROLLBACK") // as SQLite does by itself on some failures
				return errors.Join(errors.New("half way"), err)
			},
			"panic": func(context.Context, *sqlstore.Session) error { panic("half way") },
		} {
			s := open(t, Options{})
			release := blocked(t, s)
			before := queue(t, s, 0, func() error { return s.write(t.Context(), insert("before")) })
			failing := queue(t, s, 1, func() error {
				return s.write(t.Context(), func(ctx context.Context, tx *sqlstore.Session) error {
					if err := insert("half")(ctx, tx); err != nil {
						return err
					}
					return fail(ctx, tx)
				})
			})
			after := queue(t, s, 2, func() error { return s.write(t.Context(), insert("after")) })
			release()
			require.NoError(t, <-before, name)
			require.Error(t, <-failing, name)
			require.NoError(t, <-after, name)
			require.True(t, stored(t, s, "before"), name)
			require.False(t, stored(t, s, "half"), name)
			require.True(t, stored(t, s, "after"), name)
		}
	})

	t.Run("a write whose caller gives up while it waits is not run", func(t *testing.T) {
		t.Parallel()
		s := open(t, Options{})
		release := blocked(t, s)
		ctx, cancel := context.WithCancel(t.Context())
		abandoned := queue(t, s, 0, func() error { return s.write(ctx, insert("abandoned")) })
		cancel()
		require.ErrorIs(t, <-abandoned, context.Canceled)
		release()
		require.NoError(t, s.write(t.Context(), insert("next")))
		require.False(t, stored(t, s, "abandoned"))
	})

	t.Run("closing waits for what is queued", func(t *testing.T) {
		t.Parallel()
		o := Options{Path: t.TempDir() + "/posthorn.db"}
		s := open(t, o)
		release := blocked(t, s)
		waiting := queue(t, s, 0, func() error { return s.write(t.Context(), insert("waiting")) })
		closed := make(chan error, 1)
		go func() { closed <- s.Close() }()
		require.Eventually(t, func() bool {
			return posthorn.CodeOf(s.Ping(t.Context())) == posthorn.Unavailable
		}, 10*time.Second, 100*time.Microsecond)
		require.Empty(t, closed)
		release()
		require.NoError(t, <-waiting)
		require.NoError(t, <-closed)
		require.True(t, stored(t, open(t, o), "waiting"))
	})
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := open(t, Options{})
	pragma(t, s, fmt.Sprintf("max_page_count = %d", pragma(t, s, "page_count")+20))

	var stored, refused []string
	for len(refused) == 0 {
		m := newMessage("app_1")
		m.Payload = make([]byte, 10_000)
		switch err := s.CreateMessage(t.Context(), m); posthorn.CodeOf(err) {
		case "":
			stored = append(stored, m.ID)
		default:
			require.Equal(t, posthorn.Unavailable, posthorn.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, "no room")
			refused = append(refused, m.ID)
		}
		require.Less(t, len(stored), 100)
	}
	require.NotEmpty(t, stored)
	requireStored := func() {
		t.Helper()
		got, err := s.ListMessages(t.Context(), "app_1", store.MessageFilter{}, store.Page{Limit: 1000})
		require.NoError(t, err)
		require.Len(t, got.Items, len(stored), "nothing is half there")
		left, err := s.Undispatched(t.Context(), "", time.Now().Add(time.Hour), 1000)
		require.NoError(t, err)
		require.Len(t, left, len(stored))
	}
	requireStored()

	pragma(t, s, "max_page_count = 100000")
	m := newMessage("app_1")
	require.NoError(t, s.CreateMessage(t.Context(), m))
	stored = append(stored, m.ID)
	requireStored()
}
