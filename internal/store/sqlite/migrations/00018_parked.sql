-- +goose Up

-- Whether the delivery waits here only: no workflow has it, so whoever lets it go begins one.
ALTER TABLE delivery ADD COLUMN parked INTEGER NOT NULL DEFAULT 0;
