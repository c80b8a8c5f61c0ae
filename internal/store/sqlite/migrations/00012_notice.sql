-- +goose Up

-- Whether operational webhooks were told that the delivery fails: that it has recovered is told, too.
ALTER TABLE delivery ADD COLUMN alarmed INTEGER NOT NULL DEFAULT 0;
