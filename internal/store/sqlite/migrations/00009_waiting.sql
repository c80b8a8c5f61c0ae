-- +goose Up

ALTER TABLE endpoint ADD COLUMN paused_at INTEGER;

-- What the delivery waits for; '' if it doesn't. What is held already waits for the endpoint to be enabled.
ALTER TABLE delivery ADD COLUMN waits TEXT NOT NULL DEFAULT '';
UPDATE delivery SET waits = 'disabled' WHERE state = 'held';

-- Serves Waiting, CountWaiting and Release. What is delivered at the first attempt is never in it.
CREATE INDEX delivery_open ON delivery (endpoint_id, waits, message_id, state) WHERE state IN ('pending', 'retrying', 'held');

-- Serves Overdue.
CREATE INDEX delivery_due ON delivery (next_at) WHERE next_at IS NOT NULL;

-- Endpoints with something to do for them. Always small.
CREATE TABLE attention (
    endpoint_id TEXT    NOT NULL,
    app_id      TEXT    NOT NULL,
    version     INTEGER NOT NULL,   -- counts the reasons, so that whoever has dealt with one does not remove the next
    release     TEXT,               -- how held deliveries are let go: JSON, see posthorn.Release
    CONSTRAINT attention_endpoint PRIMARY KEY (endpoint_id) -- serves everything
) WITHOUT ROWID;
