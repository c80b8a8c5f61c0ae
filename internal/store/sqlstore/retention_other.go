package sqlstore

import (
	"context"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

// oldTask is one that may have been kept long enough.
type oldTask struct {
	id    string
	kept  bool // it has not ended, or not long ago
	bytes int64
}

func oldTaskFields(t *oldTask) []any { return []any{&t.id, &t.kept, &t.bytes} }

func oldTasks(before time.Time, from string) *query {
	return newQuery("SELECT id, state = ? OR updated_at >= ?, coalesce(octet_length(data), 0) FROM task WHERE id > ? AND id < ? ORDER BY id LIMIT ?",
		posthorn.TaskRunning, moment{&before}, from, store.Before(posthorn.TaskID, before), removeRows)
}

// RemoveTasks implements [store.Retention].
func (s *Store) RemoveTasks(ctx context.Context, before time.Time, from string) (r store.Removed, err error) {
	defer s.annotate(&err, "removing old background tasks")
	err = s.writeLocked(ctx, []string{removalLock}, func(ctx context.Context, tx *Session) error {
		r = store.Removed{Next: from}
		q := oldTasks(before, from)
		found, err := all(ctx, tx, oldTaskFields, q.text.String(), q.args...)
		if err != nil {
			return err
		}
		portion := newPortion()
		var over []string
		looked := cut(portion, found, func(t *oldTask) (int, int64) {
			if t.kept {
				return 0, 0
			}
			return 1, t.bytes
		})
		for _, t := range looked {
			r.Next = t.id
			if !t.kept {
				over = append(over, t.id)
			}
		}
		r.Items = len(over)
		r.Done = len(looked) == len(found) && len(found) < removeRows
		_, err = tx.Exec(ctx, "DELETE FROM task WHERE id IN (SELECT value FROM json_each(?))", jsonOf(&over))
		return err
	})
	return r, err
}

// unused are the conditions that nothing refers to an endpoint, and to an application.
const (
	unusedEndpoint = "NOT EXISTS (SELECT 1 FROM delivery d WHERE d.endpoint_id = endpoint.id)" +
		" AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.endpoint_id = endpoint.id)"
	unusedApplication = "NOT EXISTS (SELECT 1 FROM message m WHERE m.app_id = application.id)" +
		" AND NOT EXISTS (SELECT 1 FROM endpoint e WHERE e.app_id = application.id)"
)

// RemoveEndpoints implements [store.Retention].
func (s *Store) RemoveEndpoints(ctx context.Context, before time.Time, from string) (r store.Removed, err error) {
	defer s.annotate(&err, "removing deleted endpoints")
	return s.removeDeleted(ctx, "endpoint", unusedEndpoint, before, from)
}

// RemoveApplications implements [store.Retention].
func (s *Store) RemoveApplications(ctx context.Context, before time.Time, from string) (r store.Removed, err error) {
	defer s.annotate(&err, "removing deleted applications")
	return s.removeDeleted(ctx, "application", unusedApplication, before, from)
}

// removeDeleted looks for rows beside the writer, because to find them reads the table from end to end, and has the writer
// remove those that are still unused.
func (s *Store) removeDeleted(ctx context.Context, table, unused string, before time.Time, from string) (store.Removed, error) {
	q := deletedRows(table, unused, before, from)
	ids, err := many(ctx, s, func(id *string) []any { return []any{id} }, q)
	if err != nil || len(ids) == 0 {
		return store.Removed{Next: from, Done: true}, err
	}
	r := store.Removed{Next: ids[len(ids)-1], Done: len(ids) < removeRows}
	err = s.writeLocked(ctx, []string{removalLock}, func(ctx context.Context, tx *Session) error {
		removed, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE id IN (SELECT value FROM json_each(?)) AND "+unused, jsonOf(&ids))
		r.Items = int(removed)
		return err
	})
	return r, err
}

func deletedRows(table, unused string, before time.Time, from string) *query {
	return newQuery("SELECT id FROM "+table+" WHERE id > ? AND deleted_at < ? AND "+unused+" ORDER BY id LIMIT ?", from, moment{&before}, removeRows)
}
