-- +goose Up

-- Endpoints that have failed since their last success.
CREATE TABLE endpoint_health (
    endpoint_id   TEXT    NOT NULL,
    app_id        TEXT    NOT NULL,
    failures      INTEGER NOT NULL, -- messages whose first attempt failed
    failing_since INTEGER NOT NULL,
    opened_at     INTEGER,          -- when the circuit opened; NULL while it is closed
    next_probe_at INTEGER,
    probing       INTEGER NOT NULL, -- a probe is under way, until next_probe_at at the latest
    probed        TEXT,             -- the message of the last probe
    warned_at     INTEGER,
    CONSTRAINT endpoint_health_endpoint PRIMARY KEY (endpoint_id)
) WITHOUT ROWID;

-- Serves OpenCircuits.
CREATE INDEX endpoint_health_open ON endpoint_health (opened_at) WHERE opened_at IS NOT NULL;

-- When the endpoint last took messages again for which the delivery was held.
ALTER TABLE delivery ADD COLUMN released_at INTEGER;
