package clustertest

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/posthorn/posthorn/internal/usage"
)

// Usage is what the programs have used since they started. Commits are those of transactions that only read, too.
type Usage struct {
	Processor        Processor
	Commits          int64 // of PostgreSQL, in all databases
	PosthornCommits  int64 // in Posthorn's own
	WAL              int64 // bytes
	Size             int64 // of Posthorn's database, in bytes
	Connections      int64 // now
	PosthornBackends int64 // those of them to Posthorn's own database
}

// Processor is processor time by program; of replicas and PostgreSQL's processes, all together.
type Processor struct{ Posthorn, Frontend, History, Matching, Worker, Postgres time.Duration }

// Without leaves out what the cluster uses when it is idle, so many times.
func (u Usage) Without(idle Usage, times float64) Usage {
	for _, one := range []struct{ of, idle *time.Duration }{
		{&u.Processor.Posthorn, &idle.Processor.Posthorn}, {&u.Processor.Frontend, &idle.Processor.Frontend},
		{&u.Processor.History, &idle.Processor.History}, {&u.Processor.Matching, &idle.Processor.Matching},
		{&u.Processor.Worker, &idle.Processor.Worker}, {&u.Processor.Postgres, &idle.Processor.Postgres},
	} {
		*one.of -= time.Duration(times * float64(*one.idle))
	}
	for _, one := range []struct{ of, idle *int64 }{
		{&u.Commits, &idle.Commits}, {&u.PosthornCommits, &idle.PosthornCommits}, {&u.WAL, &idle.WAL}, {&u.Size, &idle.Size},
	} {
		*one.of -= int64(times * float64(*one.idle))
	}
	return u
}

func (p Processor) since(before Processor) Processor {
	return Processor{
		p.Posthorn - before.Posthorn, p.Frontend - before.Frontend, p.History - before.History,
		p.Matching - before.Matching, p.Worker - before.Worker, p.Postgres - before.Postgres,
	}
}

// Since returns the difference to an earlier state, but for connections.
func (u Usage) Since(before Usage) Usage {
	return Usage{
		Processor: u.Processor.since(before.Processor),
		Commits:   u.Commits - before.Commits, PosthornCommits: u.PosthornCommits - before.PosthornCommits, WAL: u.WAL - before.WAL,
		Size:        u.Size - before.Size,
		Connections: u.Connections, PosthornBackends: u.PosthornBackends,
	}
}

// Usage of the cluster. It needs Linux, and programs that have not been restarted.
func (c *Cluster) Usage() Usage {
	c.t.Helper()
	var u Usage
	for _, p := range c.Replicas {
		u.Processor.Posthorn += c.processorTime(p.PID())
	}
	u.Processor.Frontend = c.processorTime(c.Temporal.Frontend.PID())
	u.Processor.History = c.processorTime(c.Temporal.History.PID())
	u.Processor.Matching = c.processorTime(c.Temporal.Matching.PID())
	u.Processor.Worker = c.processorTime(c.Temporal.Worker.PID())
	conn, err := pgx.Connect(c.t.Context(), c.Database)
	require.NoError(c.t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	require.NoError(c.t, conn.QueryRow(c.t.Context(), `SELECT
		(SELECT sum(xact_commit) FROM pg_stat_database)::bigint,
		(SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()),
		(SELECT wal_bytes FROM pg_stat_wal)::bigint,
		pg_database_size(current_database()),
		(SELECT count(*) FROM pg_stat_activity WHERE client_addr IS NOT NULL),
		(SELECT count(*) FROM pg_stat_activity WHERE client_addr IS NOT NULL AND datname = current_database())`).
		Scan(&u.Commits, &u.PosthornCommits, &u.WAL, &u.Size, &u.Connections, &u.PosthornBackends))
	u.Processor.Postgres, err = usage.Family(c.Postgres.PID())
	require.NoError(c.t, err)
	return u
}

func (c *Cluster) processorTime(pid int) time.Duration {
	c.t.Helper()
	of, err := usage.Of(pid)
	require.NoError(c.t, err)
	return of.CPU
}
