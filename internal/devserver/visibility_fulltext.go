package devserver

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// textColumns and listColumns are the columns of the two full-text tables.
func textColumns() []string { return []string{"Text01", "Text02", "Text03"} }

func listColumns() []string {
	return []string{
		"TemporalChangeVersion", "BinaryChecksums", "BuildIds", "TemporalPauseInfo", "TemporalReportedProblems",
		"TemporalUsedWorkerDeploymentVersions", "KeywordList01", "KeywordList02", "KeywordList03",
		"TemporalKeywordList01", "TemporalKeywordList02",
	}
}

// replaceTriggers makes the full-text tables follow the main table only where there is something to index.
//
// Searching a KeywordList or a Text goes through these tables, so they must stay. Temporal's triggers write both of them
// at every insert and rewrite both at every update, although most workflows have no such value, and one that has it
// does not change it when it closes. These say the same with conditions: a row is in the index exactly if one of its
// columns has a value.
func replaceTriggers(ctx context.Context, tx *sql.Tx) error {
	for _, name := range []string{"executions_visibility_ai", "executions_visibility_ad", "executions_visibility_au"} {
		if _, err := tx.ExecContext(ctx, `DROP TRIGGER `+name); err != nil {
			return fmt.Errorf("dropping trigger %s: %w", name, err)
		}
	}
	for table, columns := range map[string][]string{
		"executions_visibility_fts_text":         textColumns(),
		"executions_visibility_fts_keyword_list": listColumns(),
	} {
		for _, create := range fullTextTriggers(table, columns) {
			if _, err := tx.ExecContext(ctx, create); err != nil {
				return fmt.Errorf("creating triggers of %s: %w", table, err)
			}
		}
	}
	return nil
}

// fullTextTriggers returns the statements that keep one full-text table in step with the main table.
func fullTextTriggers(table string, columns []string) []string {
	each := func(format, separator string) string {
		parts := make([]string, len(columns))
		for i, column := range columns {
			parts[i] = strings.ReplaceAll(format, "?", column)
		}
		return strings.Join(parts, separator)
	}
	names := each("?", ", ")
	add := fmt.Sprintf(`INSERT INTO %s (rowid, %s) SELECT NEW.rowid, %s WHERE COALESCE(%s) IS NOT NULL;`,
		table, names, each("NEW.?", ", "), each("NEW.?", ", "))
	// The table's own name as first column is how FTS5 is told to forget a row.
	remove := fmt.Sprintf(`INSERT INTO %s (%s, rowid, %s) SELECT 'delete', OLD.rowid, %s WHERE COALESCE(%s) IS NOT NULL;`,
		table, table, names, each("OLD.?", ", "), each("OLD.?", ", "))
	changed := each("OLD.? IS NOT NEW.?", " OR ")
	const on = "CREATE TRIGGER posthorn_%s_%s AFTER %s ON executions_visibility"
	return []string{
		fmt.Sprintf(on+` BEGIN %s END`, table, "insert", "INSERT", add),
		fmt.Sprintf(on+` BEGIN %s END`, table, "delete", "DELETE", remove),
		fmt.Sprintf(on+` WHEN %s BEGIN %s %s END`, table, "update", "UPDATE", changed, remove, add),
	}
}
