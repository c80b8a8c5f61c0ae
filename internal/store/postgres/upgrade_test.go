package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/pgtest"
	"github.com/posthorn/posthorn/internal/store"
)

// The folder testdata/released has the migrations as they were given away, each with rows as the program of that time
// stored them. A copy is made when a migration is new, and never changed after it was released.
const released = "testdata/released"

// TestReleasedMigrationsStay fails when a migration is edited that databases out there have been through already.
func TestReleasedMigrationsStay(t *testing.T) {
	t.Parallel()
	copies, err := filepath.Glob(released + "/*.sql")
	require.NoError(t, err)
	frozen := map[string]string{}
	for _, path := range copies {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		frozen[filepath.Base(path)] = string(text)
	}
	current, err := migrations.ReadDir("migrations")
	require.NoError(t, err)
	for _, m := range current {
		text, err := migrations.ReadFile("migrations/" + m.Name())
		require.NoError(t, err)
		require.Contains(t, frozen, m.Name(), "copy it to "+released)
		require.Equal(t, frozen[m.Name()], string(text), "what was released is not changed: write a further migration instead")
	}
}

// releasedAt is when the rows were stored.
var releasedAt = time.UnixMicro(1795521600000000)

// atRelease is the URL of a database that was used under an older version of the schema.
func atRelease(t *testing.T, version int64) (url string) {
	t.Helper()
	url = pgtest.Shared(t)
	config, err := parse(url)
	require.NoError(t, err)
	db := stdlib.OpenDB(*config.ConnConfig)
	defer db.Close() //nolint:errcheck // nothing is kept in it
	folder := t.TempDir()
	names, err := filepath.Glob(fmt.Sprintf("%s/[0-9]*.sql", released))
	require.NoError(t, err)
	for _, name := range names {
		if filepath.Base(name)[5:] != "_rows.sql" {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(folder, filepath.Base(name)), text, 0o600))
		}
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, os.DirFS(folder), goose.WithDisableGlobalRegistry(true))
	require.NoError(t, err)
	_, err = provider.UpTo(t.Context(), version)
	require.NoError(t, err)
	_, err = makePartitions(t.Context(), connection(t, url), releasedAt, migrateTries)
	require.NoError(t, err)
	rows, err := os.ReadFile(fmt.Sprintf("%s/%05d_rows.sql", released, version))
	require.NoError(t, err)
	ask(t, url, string(rows))
	return url
}

// TestUpgrade brings databases of all versions to the newest one: then they are like a new one, and what was in them is
// served as before.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	all, err := filepath.Glob(released + "/*_rows.sql")
	require.NoError(t, err)
	for version := int64(1); version <= int64(len(all)); version++ {
		t.Run(fmt.Sprint("from version ", version), func(t *testing.T) {
			t.Parallel()
			url, fresh := atRelease(t, version), migrated(t)
			require.NoError(t, Migrate(t.Context(), url, quiet))
			_, err := makePartitions(t.Context(), connection(t, fresh), releasedAt, migrateTries)
			require.NoError(t, err)
			require.Equal(t, schema(t, fresh), schema(t, url))
			requireReleased(t, open(t, url))
		})
	}
}

// schema describes all there is in a database besides rows. Columns may have come in any order.
func schema(t *testing.T, url string) (lines []string) {
	t.Helper()
	rows, err := connection(t, url).Query(t.Context(), `
		SELECT c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' not null: ' || a.attnotnull
				|| ' default: ' || coalesce(pg_get_expr(d.adbin, d.adrelid), '') || ' collate: ' || coalesce(l.collname, '') AS line
			FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum LEFT JOIN pg_collation l ON l.oid = a.attcollation
			WHERE c.relnamespace = current_schema::regnamespace AND c.relkind IN ('r', 'p')
		UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema
		UNION ALL SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
			WHERE connamespace = current_schema::regnamespace AND conrelid > 0
		UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
		UNION ALL SELECT inhrelid::regclass || ' of ' || inhparent::regclass FROM pg_inherits
		UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = current_schema::regnamespace
		ORDER BY line`)
	require.NoError(t, err)
	lines, err = pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Greater(t, len(lines), 100)
	return lines
}

// requireReleased looks at all that the rows of a release tell.
func requireReleased(t *testing.T, s *Store) {
	t.Helper()
	ctx := t.Context()
	app, err := s.Application(ctx, "org_1", "acme")
	require.NoError(t, err)
	m, err := s.Message(ctx, app.ID, "first")
	require.NoError(t, err)
	require.Equal(t, `{"n":1} {"old":1}`, string(m.Payload)+" "+string(m.Variants["v1"]))
	eps, err := s.ListEndpoints(ctx, app.ID, store.Page{Limit: 5})
	require.NoError(t, err)
	require.Len(t, eps.Items, 1)
	ep := eps.Items[0]
	require.Equal(t, []string{"invoice.paid"}, ep.EventTypes)
	listed, err := s.ListMessages(ctx, app.ID, store.MessageFilter{Channel: "eu"}, store.Page{Limit: 5})
	require.NoError(t, err)
	require.Len(t, listed.Items, 1)
	attempts, err := s.ListAttempts(ctx, store.AttemptFilter{EndpointID: ep.ID}, store.Page{Limit: 5})
	require.NoError(t, err)
	require.Len(t, attempts.Items, 2)

	// It goes on where it was: an event ID is taken, and what was retried is delivered.
	again := message(app.ID)
	again.EventID = m.EventID
	require.Equal(t, posthorn.Conflict, posthorn.CodeOf(s.CreateMessage(ctx, again)))
	due, err := s.Overdue(ctx, releasedAt.Add(time.Hour), 5)
	require.NoError(t, err)
	require.Len(t, due, 1)
	require.Equal(t, posthorn.Retrying, due[0].State)
	a := attempt(posthorn.Message{ID: due[0].MessageID, AppID: app.ID, EventType: m.EventType}, ep.ID, true)
	recorded, err := s.Record(ctx, store.Record{MessageID: due[0].MessageID, AppID: app.ID, Attempts: []posthorn.Attempt{a}})
	require.NoError(t, err)
	require.Equal(t, 2, recorded[0].Number)
	d, err := s.Delivery(ctx, due[0].MessageID, ep.ID)
	require.NoError(t, err)
	require.Equal(t, posthorn.Delivered, d.State)
}
