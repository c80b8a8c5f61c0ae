package sqlstore

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/json"
	"time"

	"github.com/posthorn/posthorn"
	"github.com/posthorn/posthorn/internal/store"
)

const taskColumns = `id, org_id, app_id, kind, state, reason, "cursor", created_at, updated_at, data`

func taskFields(t *posthorn.Task) []any {
	return []any{
		&t.ID, &t.OrgID, text{&t.AppID}, &t.Kind, &t.State, text{&t.Reason}, document{&t.Cursor},
		moment{&t.CreatedAt}, moment{&t.UpdatedAt}, document{&t.Data},
	}
}

func taskWithInputFields(t *posthorn.Task) []any { return append(taskFields(t), document{&t.Input}) }

// CreateTask implements [store.Tasks].
func (s *Store) CreateTask(ctx context.Context, t posthorn.Task) (err error) {
	defer s.annotate(&err, "creating task %s", t.ID)
	return s.write(ctx, func(ctx context.Context, tx *Session) error {
		_, err := tx.Exec(ctx, "INSERT INTO task ("+taskColumns+", input, begun) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
			taskWithInputFields(&t)...)
		return err
	})
}

// Task implements [store.Tasks].
func (s *Store) Task(ctx context.Context, org, id string) (t posthorn.Task, err error) {
	defer s.annotate(&err, "reading task %s", id)
	return read(s, func(q *Session) (posthorn.Task, error) {
		t, err := one(ctx, q, taskFields, "SELECT "+taskColumns+" FROM task WHERE id = ? AND org_id = ?", id, org)
		return t, notFound(err, "background task %q", id)
	})
}

// TaskByID implements [store.Tasks].
func (s *Store) TaskByID(ctx context.Context, id string) (t posthorn.Task, err error) {
	defer s.annotate(&err, "reading task %s", id)
	return read(s, func(q *Session) (posthorn.Task, error) {
		t, err := one(ctx, q, taskWithInputFields, "SELECT "+taskColumns+", input FROM task WHERE id = ?", id)
		return t, notFound(err, "background task %q", id)
	})
}

// ListTasks implements [store.Tasks].
func (s *Store) ListTasks(
	ctx context.Context, org string, f store.TaskFilter, page store.Page,
) (ts store.List[posthorn.Task], err error) {
	defer s.annotate(&err, "listing tasks of %s", org)
	return list(ctx, s, taskFields, page, listTasks(org, f, page))
}

func listTasks(org string, f store.TaskFilter, page store.Page) *query {
	q := newQuery("SELECT " + taskColumns + " FROM task")
	q.where("org_id = ?", org)
	if f.State != "" {
		q.where("state = ?", f.State)
	}
	if f.Kind != "" {
		q.where("kind = ?", f.Kind)
	}
	q.window("id", posthorn.TaskID, f.Window)
	return q.page("id", page)
}

// AdvanceTask implements [store.Tasks].
func (s *Store) AdvanceTask(ctx context.Context, t posthorn.Task, from json.RawMessage) (err error) {
	defer s.annotate(&err, "advancing task %s", t.ID)
	return s.writeLocked(ctx, []string{taskLock(t.ID)}, func(ctx context.Context, tx *Session) error {
		var before posthorn.Task
		if err := tx.row(ctx, []any{&before.OrgID, &before.Kind, &before.State, document{&before.Cursor}},
			`SELECT org_id, kind, state, "cursor" FROM task WHERE id = ?`, t.ID); err != nil {
			return notFound(err, "background task %q", t.ID)
		}
		if before.State != posthorn.TaskRunning {
			return posthorn.Errorf(posthorn.Conflict, "the background task has ended before: %s", before.State)
		}
		if !bytes.Equal(before.Cursor, from) {
			return posthorn.Errorf(posthorn.Conflict, "the step of the background task was done by somebody else")
		}
		change := `UPDATE task SET begun = 1, state = ?, reason = ?, "cursor" = ?, data = ?, updated_at = ?`
		if t.State != posthorn.TaskRunning {
			change += ", input = NULL"
		}
		if _, err := tx.Exec(ctx, change+" WHERE id = ?",
			&t.State, text{&t.Reason}, document{&t.Cursor}, document{&t.Data}, moment{&t.UpdatedAt}, t.ID); err != nil {
			return err
		}
		if t.State == posthorn.TaskRunning {
			return nil
		}
		ended := t
		ended.OrgID, ended.Kind = before.OrgID, before.Kind
		return s.tellTask(ctx, tx, &ended)
	})
}

// BeginTask implements [store.Tasks].
func (s *Store) BeginTask(ctx context.Context, id string) (err error) {
	defer s.annotate(&err, "beginning task %s", id)
	return s.write(ctx, func(ctx context.Context, tx *Session) error {
		_, err := tx.Exec(ctx, "UPDATE task SET begun = 1 WHERE id = ? AND begun = 0", id)
		return err
	})
}

// UnbegunTasks implements [store.Tasks].
func (s *Store) UnbegunTasks(ctx context.Context, after string, before time.Time, limit int) (ts []posthorn.Task, err error) {
	defer s.annotate(&err, "listing tasks that have not begun")
	return many(ctx, s, taskFields, unbegunTasks(after, before, limit))
}

func unbegunTasks(after string, before time.Time, limit int) *query {
	return newQuery("SELECT "+taskColumns+" FROM task WHERE begun = 0 AND id > ? AND id < ? ORDER BY id LIMIT ?",
		after, store.Before(posthorn.TaskID, before), limit)
}

// StalledTasks implements [store.Tasks].
func (s *Store) StalledTasks(ctx context.Context, after string, since time.Time, limit int) (ts []posthorn.Task, err error) {
	defer s.annotate(&err, "listing tasks that have not changed")
	return many(ctx, s, taskFields, stalledTasks(after, since, limit))
}

func stalledTasks(after string, since time.Time, limit int) *query {
	return newQuery("SELECT "+taskColumns+" FROM task WHERE state = 'running' AND begun = 1 AND id > ? AND updated_at < ? ORDER BY id LIMIT ?",
		after, moment{&since}, limit)
}

// document is JSON that is kept as it is.
type document struct{ p *json.RawMessage }

func (c document) Value() (driver.Value, error) {
	if *c.p == nil {
		return nil, nil
	}
	return string(*c.p), nil
}

func (c document) Scan(src any) error {
	var s string
	if err := (text{&s}).Scan(src); err != nil {
		return err
	}
	*c.p = nil
	if s != "" {
		*c.p = json.RawMessage(s)
	}
	return nil
}
