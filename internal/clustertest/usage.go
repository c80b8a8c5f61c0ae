package clustertest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// Usage is what the programs have used since they started. Commits are those of transactions that only read, too.
type Usage struct {
	Processor        Processor
	Commits          int64 // of PostgreSQL, in all databases
	PosthornCommits  int64 // in Posthorn's own
	WAL              int64 // bytes
	Size             int64 // of Posthorn\'s database, in bytes
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
	u.Processor.Postgres = c.familyTime(c.Postgres.PID())
	return u
}

// The fields of /proc/PID/stat that matter here, counted behind the name of the program.
const (
	parent                            = 4 - 3
	user, system, childUser, childSys = 14 - 3, 15 - 3, 16 - 3, 17 - 3
)

// processorTick is the unit of processor time in /proc: USER_HZ, which is 100 on every Linux that Go runs on.
const processorTick = 10 * time.Millisecond

func (c *Cluster) processorTime(pid int) time.Duration {
	c.t.Helper()
	fields := c.stat(pid)
	return time.Duration(fields[user]+fields[system]) * processorTick
}

// familyTime is what a process and its children have used, those that have ended included.
func (c *Cluster) familyTime(pid int) time.Duration {
	c.t.Helper()
	fields := c.stat(pid)
	total := time.Duration(fields[user]+fields[system]+fields[childUser]+fields[childSys]) * processorTick
	folders, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(c.t, err)
	for _, folder := range folders {
		if child, err := readStat(folder); err == nil && child[parent] == pid {
			total += time.Duration(child[user]+child[system]) * processorTick
		}
	}
	return total
}

func (c *Cluster) stat(pid int) []int {
	c.t.Helper()
	fields, err := readStat(fmt.Sprintf("/proc/%d", pid))
	require.NoError(c.t, err)
	return fields
}

// readStat returns the numbers of a process: 0 stands for what is none.
func readStat(folder string) ([]int, error) {
	text, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil {
		return nil, err
	}
	words := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(words) <= childSys {
		return nil, fmt.Errorf("unexpected %s/stat %q", folder, text)
	}
	fields := make([]int, len(words))
	for i, word := range words {
		fields[i], _ = strconv.Atoi(word) // the state is a letter
	}
	return fields, nil
}
