package postgres

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/pgtest"
	"github.com/posthorn/posthorn/internal/store"
	"github.com/posthorn/posthorn/internal/store/storetest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := pgtest.Release(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

var quiet = slog.New(slog.DiscardHandler)

// original is a database with the newest schema, of which tests get copies: to make one takes longer.
var original struct {
	sync.Once
	url    string
	copies atomic.Int64
}

// migrated returns the URL of an empty database with the newest schema.
func migrated(tb testing.TB) string {
	tb.Helper()
	original.Do(func() {
		original.url = pgtest.Shared(tb)
		require.NoError(tb, Migrate(tb.Context(), original.url, quiet))
	})
	config, err := pgx.ParseConfig(original.url)
	require.NoError(tb, err)
	name := fmt.Sprint("copy", original.copies.Add(1))
	url := func(database string) string {
		return strings.Replace(original.url, "/"+config.Database+"?", "/"+database+"?", 1)
	}
	ask(tb, url("postgres"), "CREATE DATABASE "+name+" TEMPLATE "+config.Database)
	return url(name)
}

func open(tb testing.TB, url string) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), Options{URL: url, Connections: 4})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, s.Close()) })
	return s
}

func TestStore(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, migrated(t)) })
}
