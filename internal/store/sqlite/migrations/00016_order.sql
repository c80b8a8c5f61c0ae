-- +goose Up

ALTER TABLE endpoint ADD COLUMN ordered INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN ordering_key TEXT;

-- The message's key, or '' if it has none; NULL unless the endpoint is ordered.
ALTER TABLE delivery ADD COLUMN ordering_key TEXT;

-- Serves Blocker and Unblocked. Only open deliveries to ordered endpoints are in it.
CREATE INDEX delivery_order ON delivery (endpoint_id, ordering_key, message_id, waits)
    WHERE ordering_key IS NOT NULL AND state IN ('pending', 'retrying', 'held');
