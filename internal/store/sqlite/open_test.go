package sqlite

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
)

func TestOpen(t *testing.T) {
	t.Parallel()

	t.Run("a new file is migrated from nothing and belongs to its owner only", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "with space, ? and %41.db")
		s := open(t, Options{Path: path})
		require.NoError(t, s.CreateMessage(t.Context(), newMessage("app_1")))
		for _, file := range []string{path, path + "-wal", path + "-shm"} {
			info, err := os.Stat(file)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file)
		}
	})

	t.Run("what was written is there after reopening, and needs no log beside the file", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "posthorn.db")
		m := newMessage("app_1")
		for _, durability := range []Durability{Full, Normal} {
			s, err := Open(t.Context(), Options{Path: path, Durability: durability})
			require.NoError(t, err)
			if durability == Full {
				require.NoError(t, s.CreateMessage(t.Context(), m))
			}
			got, err := s.MessageByID(t.Context(), m.ID)
			require.NoError(t, err)
			require.Equal(t, m.Payload, got.Payload)
			require.NoError(t, s.Close())
			require.NoFileExists(t, path+"-wal")
		}
	})

	t.Run("a database that a newer program has migrated is refused", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "posthorn.db")
		s, err := Open(t.Context(), Options{Path: path})
		require.NoError(t, err)
		_, err = s.file.conn.ExecContext(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
		require.NoError(t, err)
		require.NoError(t, s.Close())
		_, err = Open(t.Context(), Options{Path: path})
		require.ErrorContains(t, err, "schema version 9999")
		require.ErrorContains(t, err, path)
	})

	t.Run("a file that is no database, a folder that is not there and wrong settings are refused", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "posthorn.db")
		require.NoError(t, os.WriteFile(path, []byte("certainly no SQLite database, long enough to have a header"), 0o600))
		_, err := Open(t.Context(), Options{Path: path})
		require.ErrorContains(t, err, "not a database")
		_, err = Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "missing", "posthorn.db")})
		require.ErrorIs(t, err, os.ErrNotExist)
		_, err = Open(t.Context(), Options{Durability: "sometimes"})
		require.ErrorContains(t, err, "Path")
		require.ErrorContains(t, err, "Durability")
	})

	t.Run("the durability is what SQLite was told", func(t *testing.T) {
		t.Parallel()
		for durability, level := range map[Durability]int{Full: 2, Normal: 1} {
			s := open(t, Options{Durability: durability})
			require.Equal(t, level, pragma(t, s, "synchronous"))
		}
	})

	t.Run("reading connections can't write", func(t *testing.T) {
		t.Parallel()
		s := open(t, Options{})
		_, err := s.file.readers.ExecContext(t.Context(), "DELETE FROM message")
		require.ErrorContains(t, err, "readonly")
	})
}

func TestErasedIsGone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "posthorn.db")
	s, err := Open(t.Context(), Options{Path: path})
	require.NoError(t, err)
	m := newMessage("app_1")
	m.Payload, m.Warnings = []byte("the content of the payload"), []string{"what the warning quotes"}
	m.Variants = map[string][]byte{"2": []byte("the content of the variant")}
	require.NoError(t, s.CreateMessage(t.Context(), m))
	ep := posthorn.Endpoint{ID: posthorn.EndpointID.New(), AppID: "app_1", Headers: map[string]string{"X-Key": "the value of the header"}}
	require.NoError(t, s.CreateEndpoint(t.Context(), ep))
	require.NoError(t, s.ExpungePayload(t.Context(), "app_1", m.ID))
	require.NoError(t, s.DeleteEndpoint(t.Context(), "app_1", ep.ID, m.CreatedAt))
	require.NoError(t, s.Close())

	file, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Contains(file, []byte(m.ID)))
	for _, erased := range []string{"the content of the payload", "the content of the variant", "what the warning quotes", "the value of the header"} {
		require.False(t, bytes.Contains(file, []byte(erased)), erased)
	}
}

// pragma asks on the connection that writes.
func pragma(t *testing.T, s *Store, name string) (value int) {
	t.Helper()
	require.NoError(t, s.file.conn.QueryRowContext(t.Context(), "PRAGMA "+name).Scan(&value))
	return value
}
