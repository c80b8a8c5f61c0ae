package devserver

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The list of workflows is one wide table. Temporal's schema has 58 indexes on it and two full-text tables; each workflow
// is written twice (start, close), and closing it rewrites nearly all of them, because all of them end in the close
// time. That was three quarters of the cost of a workflow. No query names an index, so dropping some is safe: a filter
// on such a column reads more rows, nothing else.

// visibilityIndex is an index that is worth its cost.
type visibilityIndex struct {
	name string
	// column that one of our own indexes is on; "" for an index of Temporal's schema.
	column string
	// stat is what the planner is to believe, in the form of ANALYZE: rows, then rows per distinct value of the first
	// column, of the first two, and so on.
	stat string
}

// visibilityIndexes are all that are kept, with one for each given column of a search attribute.
//
// Kept of Temporal's are the default order (running first, then latest closed) and what the Web UI, tctl and our own
// lists filter by. Dropped: execution time (equals start time without cron or delay), history length and size,
// duration, state transitions, task queue, root workflow (of interest on one tab of one workflow), batcher user,
// pause state, worker deployments, and the columns that standalone activities and unused search attributes would use.
func visibilityIndexes(searchAttributes []string) []visibilityIndex {
	indexes := []visibilityIndex{
		{name: "sqlite_autoindex_executions_visibility_1", stat: "100000 100000 1"},
		{name: "default_idx", stat: "100000 100000 1 1 1"},
		{name: "by_workflow_id", stat: "100000 100000 2 1 1 1"},
		{name: "by_workflow_type", stat: "100000 100000 50000 1 1 1"},
		{name: "by_status", stat: "100000 100000 25000 1 1 1"},
		// Empty in nearly every row, and our indexes leave such rows out: children of a workflow, schedules and batch
		// jobs (they live in a namespace division), and the runs of a schedule.
		{column: "parent_workflow_id", stat: "1000 1000 10 1 1 1"},
		{column: "TemporalNamespaceDivision", stat: "100 100 10 1 1 1"},
		{column: "TemporalScheduledById", stat: "1000 1000 100 1 1 1"},
	}
	for _, column := range searchAttributes {
		// Full-text tables serve these two types.
		if strings.HasPrefix(column, "Text") || strings.HasPrefix(column, "KeywordList") {
			continue
		}
		indexes = append(indexes, visibilityIndex{column: column, stat: "100000 100000 500 1 1 1"})
	}
	for i := range indexes {
		if indexes[i].column != "" {
			// A name of our own: the definition differs from Temporal's.
			indexes[i].name = "posthorn_by_" + indexes[i].column
		}
	}
	return indexes
}

// reconcileIndexes creates the indexes that are missing, drops those that are not wanted, and sets the statistics.
func reconcileIndexes(ctx context.Context, tx *sql.Tx, searchAttributes []string) error {
	wanted := visibilityIndexes(searchAttributes)
	for _, index := range wanted {
		if index.column == "" {
			continue
		}
		// After the column comes the order of lists, so that a page is read without sorting.
		create := fmt.Sprintf(`CREATE INDEX IF NOT EXISTS %s ON executions_visibility (namespace_id, %s,
			(COALESCE(close_time, '9999-12-31 23:59:59+00:00')) DESC, start_time DESC, run_id)
			WHERE %s IS NOT NULL`, index.name, index.column, index.column)
		if _, err := tx.ExecContext(ctx, create); err != nil {
			return fmt.Errorf("creating index %s: %w", index.name, err)
		}
	}
	present, err := indexNames(ctx, tx)
	if err != nil {
		return err
	}
	for _, name := range present {
		if slices.ContainsFunc(wanted, func(w visibilityIndex) bool { return w.name == name }) {
			continue
		}
		if _, err := tx.ExecContext(ctx, `DROP INDEX `+name); err != nil {
			return fmt.Errorf("dropping index %s: %w", name, err)
		}
	}
	return setStatistics(ctx, tx, wanted)
}

// indexNames lists the indexes that can be dropped: those made by CREATE INDEX.
func indexNames(ctx context.Context, tx *sql.Tx) (names []string, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT name FROM sqlite_schema
		WHERE type = 'index' AND tbl_name = 'executions_visibility' AND sql IS NOT NULL`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// setStatistics tells the planner what to expect instead of measuring it with ANALYZE, which would have to be repeated.
//
// Without it the planner takes namespace_id for selective, though nearly all rows have the same, and reads all
// workflows for a KeywordList search or for a search attribute together with a status.
func setStatistics(ctx context.Context, tx *sql.Tx, indexes []visibilityIndex) error {
	// Analyzes nothing, but creates the table.
	if _, err := tx.ExecContext(ctx, `ANALYZE sqlite_schema`); err != nil {
		return fmt.Errorf("creating statistics: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM sqlite_stat1`); err != nil {
		return fmt.Errorf("clearing statistics: %w", err)
	}
	for _, index := range indexes {
		_, err := tx.ExecContext(ctx, `INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('executions_visibility', ?, ?)`,
			index.name, index.stat)
		if err != nil {
			return fmt.Errorf("statistics of index %s: %w", index.name, err)
		}
	}
	return nil
}
