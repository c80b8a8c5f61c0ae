package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/posthorn/posthorn"
)

// weeksAhead is for how many weeks to come there are partitions. Nobody notices that they are not made for some time: what
// finds no partition is in the default one, where it is served as well, and only removed more slowly.
const weeksAhead = 2

// family are the tables that are partitioned by the weeks of one kind of ID.
type family struct {
	kind   posthorn.IDKind
	tables []string // the one that the IDs are of comes first
}

var (
	messageFamily = family{posthorn.MessageID, []string{"message", "message_payload", "message_variant", "delivery", "label"}}
	attemptFamily = family{posthorn.AttemptID, []string{"attempt", "label"}}
	families      = []family{messageFamily, attemptFamily}
)

// week is one in UTC, by the beginning of its Monday. Weeks are not too many for queries that have to look into all of them,
// each of which takes some locks on the server, which has not many to give.
type week struct{ time.Time }

const weekLayout = "20060102"

func weekOf(t time.Time) week { return week{t.UTC().Truncate(7 * 24 * time.Hour)} }

func (w week) plus(weeks int) week { return week{w.AddDate(0, 0, 7*weeks)} }

// bounds are the first ID of a kind that the week can have, and that of the next week.
func (w week) bounds(kind posthorn.IDKind) (low, high string) {
	return kind.Floor(w.Time), kind.Floor(w.plus(1).Time)
}

// suffix is what follows the name of a table in that of its partition.
func (f *family) suffix() string { return "_" + string(f.kind) }

func (f *family) partition(table string, w week) string {
	return table + f.suffix() + w.Format(weekLayout)
}

// partitions are the names of all of a week.
func (f *family) partitions(w week) []string {
	names := make([]string, len(f.tables))
	for i, table := range f.tables {
		names[i] = f.partition(table, w)
	}
	return names
}

// querier is a connection, or a transaction.
type querier interface {
	Query(ctx context.Context, text string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, text string, args ...any) pgx.Row
}

// weeks returns the weeks that a family has partitions for, the oldest first.
func (f *family) weeks(ctx context.Context, q querier) ([]week, error) {
	rows, err := q.Query(ctx, "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = $1::regclass", f.tables[0])
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	var weeks []week
	for _, name := range names {
		_, date, found := strings.Cut(name, f.tables[0]+f.suffix())
		if !found {
			continue // it is the default partition
		}
		t, err := time.Parse(weekLayout, date)
		if err != nil {
			return nil, fmt.Errorf("partition %s is none of a week: %w", name, err)
		}
		weeks = append(weeks, week{t})
	}
	slices.SortFunc(weeks, func(a, b week) int { return a.Compare(b.Time) })
	return weeks, nil
}

// Changes of partitions lock whole tables, for the few milliseconds that they take. While they wait for those who use the
// tables just now, others wait behind them; so they wait for a moment only, give up then and try again later. (PostgreSQL
// can detach partitions without such a lock, but not from a table that has a default partition.)
const (
	lockPatience   = 100 * time.Millisecond // for all locks together
	changePatience = 2 * time.Second        // for each step under them, looking again at what has to stay included
	lockPause      = 400 * time.Millisecond // before the next try
)

// errBusy is what a change of partitions returns that did not get its locks, would have kept them for too long, or has met
// another change.
var errBusy = errors.New("the tables are in use")

// partitionLock is held by whoever changes partitions.
const partitionLock = "partitions"

// changePartitions runs a change in a transaction that has locked tables. The server ends it if this process hangs.
func changePartitions(ctx context.Context, on *pgx.Conn, lock []string, change func(tx pgx.Tx) error) error {
	err := pgx.BeginFunc(ctx, on, func(tx pgx.Tx) error {
		var alone bool
		err := tx.QueryRow(ctx, "SELECT pg_try_advisory_xact_lock($1)", lockNumber(partitionLock)).Scan(&alone)
		if err != nil {
			return err
		}
		if !alone {
			return errBusy
		}
		for _, step := range []string{
			fmt.Sprintf("SET LOCAL idle_in_transaction_session_timeout = %d", changePatience.Milliseconds()),
			fmt.Sprintf("SET LOCAL statement_timeout = %d", lockPatience.Milliseconds()),
			"LOCK TABLE " + strings.Join(lock, ", ") + " IN ACCESS EXCLUSIVE MODE",
			fmt.Sprintf("SET LOCAL statement_timeout = %d", changePatience.Milliseconds()),
		} {
			if _, err := tx.Exec(ctx, step); err != nil {
				return err
			}
		}
		return change(tx)
	})
	if slices.Contains([]string{queryCanceled, deadlockDetected, undefinedTable}, codeOf(err)) {
		return fmt.Errorf("%w: %w", errBusy, err)
	}
	return err
}

// persistently repeats what is busy so many times.
func persistently(ctx context.Context, tries int, change func() error) error {
	for {
		err := change()
		tries--
		if !errors.Is(err, errBusy) || tries == 0 {
			return err
		}
		select {
		case <-time.After(lockPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// makePartitions makes those that are missing, from last week on: some IDs are made of moments that are over. It returns
// how many weeks it made any for, of messages and of attempts taken together.
func makePartitions(ctx context.Context, on *pgx.Conn, now time.Time, tries int) (made int, err error) {
	for _, f := range families {
		there, err := f.weeks(ctx, on)
		if err != nil {
			return made, err
		}
		for n := -1; n <= weeksAhead; n++ {
			w := weekOf(now).plus(n)
			if slices.Contains(there, w) {
				continue
			}
			var done bool
			err := persistently(ctx, tries, func() (err error) {
				done, err = f.make(ctx, on, w)
				return err
			})
			if err != nil {
				return made, fmt.Errorf("partitions of %s for the week of %s: %w", f.tables[0], w.Format(time.DateOnly), err)
			}
			if done {
				made++
			}
		}
	}
	return made, nil
}

// make makes the partitions of a week. A week of which the default partitions have something stays there.
func (f *family) make(ctx context.Context, on *pgx.Conn, w week) (made bool, err error) {
	low, high := w.bounds(f.kind)
	defaults := make([]string, len(f.tables))
	for i, table := range f.tables {
		defaults[i] = table + "_default"
	}
	err = changePartitions(ctx, on, defaults, func(tx pgx.Tx) error {
		var late bool // somebody has made them meanwhile, or they come too late
		err := tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL OR EXISTS (SELECT FROM "+defaults[0]+" WHERE id >= $2 AND id < $3)",
			f.partition(f.tables[0], w), low, high).Scan(&late)
		if err != nil || late {
			return err
		}
		made = true
		for _, table := range f.tables {
			name := f.partition(table, w)
			for _, step := range []string{
				"CREATE TABLE " + name + " (LIKE " + table + " INCLUDING ALL)",
				"ALTER TABLE " + table + " ATTACH PARTITION " + name + " FOR VALUES FROM ('" + low + "') TO ('" + high + "')",
			} {
				if _, err := tx.Exec(ctx, step); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if codeOf(err) == checkViolation { // a default partition has something left of a week whose messages, or attempts, are gone
		return false, nil
	}
	return made && err == nil, err
}

// dropPartitions drops those of some partitions that are there, unless something in them has to stay. Nobody can change
// that meanwhile.
func dropPartitions(ctx context.Context, on *pgx.Conn, names []string, stays func(q querier) (bool, error)) (dropped bool, err error) {
	rows, err := on.Query(ctx, "SELECT name FROM unnest($1::text[]) name WHERE to_regclass(name) IS NOT NULL", names)
	if err != nil {
		return false, err
	}
	if names, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil || len(names) == 0 {
		return err == nil, err
	}
	lock := []string{"ONLY message", "ONLY message_payload", "ONLY message_variant", "ONLY delivery", "ONLY attempt", "ONLY label"}
	err = changePartitions(ctx, on, append(lock, names...), func(tx pgx.Tx) error {
		stay, err := stays(tx)
		if err != nil || stay {
			return err
		}
		dropped = true
		_, err = tx.Exec(ctx, "DROP TABLE "+strings.Join(names, ", "))
		return err
	})
	return dropped && err == nil, err
}
