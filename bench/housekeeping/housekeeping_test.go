package main

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store/sqlite"
)

func TestEveryOtherStretchRemovesWhatIsOld(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "posthorn.db")
	s, err := sqlite.Open(t.Context(), sqlite.Options{Path: path, Durability: sqlite.Normal})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	db, err := sql.Open("sqlite", "file:"+path)
	require.NoError(t, err)
	const old = 200_000 // more than can be removed in the time
	_, err = db.ExecContext(t.Context(), "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?)"+
		" INSERT INTO message (id, app_id, event_type) SELECT substr(?, 1, 19) || printf('%010d0', i), 'app_1', 'a' FROM n",
		old, posthorn.MessageID.Floor(time.Now().Add(-10*24*time.Hour)))
	require.NoError(t, err)
	require.NoError(t, db.Close())
	var out strings.Builder
	require.NoError(t, run(t.Context(), options{dir: dir, rate: 10, rounds: 1, stretch: 8 * time.Second}, &out))
	for _, row := range []string{"| idle ", "| running "} {
		require.Contains(t, out.String(), row)
	}
	var removed int
	_, line, _ := strings.Cut(out.String(), "attempts and ")
	_, err = fmt.Sscan(line, &removed)
	require.NoError(t, err)
	require.Positive(t, removed)
	require.Less(t, removed, old)
}

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"-dir", "x", "-rate", "0"}, {"-dir", "x", "-stretch", "1ms"}, {"-dir", "x", "more"}} {
		_, err := parseFlags(args)
		require.Error(t, err, "%v", args)
	}
}
