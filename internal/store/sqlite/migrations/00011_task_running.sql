-- +goose Up

-- Serves StalledTasks. As small as tasks are few that run.
CREATE INDEX task_running ON task (id) WHERE state = 'running';
