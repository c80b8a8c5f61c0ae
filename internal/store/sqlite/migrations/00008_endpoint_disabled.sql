-- +goose Up

-- Why Posthorn disabled the endpoint; NULL while it is enabled or was disabled by hand.
ALTER TABLE endpoint ADD COLUMN disabled_reason TEXT;
