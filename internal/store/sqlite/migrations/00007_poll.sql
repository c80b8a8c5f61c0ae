-- +goose Up

CREATE TABLE poller (
    id          TEXT    NOT NULL,
    app_id      TEXT    NOT NULL,
    uid         TEXT,
    description TEXT    NOT NULL,
    event_types TEXT,
    channels    TEXT,
    disabled    INTEGER NOT NULL,
    secrets     TEXT,             -- as in endpoint
    start       TEXT,             -- ID of the newest message when it was made
    created_at  INTEGER,
    updated_at  INTEGER,
    CONSTRAINT poller_id PRIMARY KEY (id) -- serves Consumer, Acknowledge and Seek
);

-- Serves Poller by ID, ListPollers and DeleteApplication.
CREATE INDEX poller_by_app ON poller (app_id, id);

-- Serves Poller by UID, and keeps UIDs unique.
CREATE UNIQUE INDEX poller_by_uid ON poller (app_id, uid) WHERE uid IS NOT NULL;

-- How far each consumer of a poller has got.
CREATE TABLE poller_consumer (
    poller_id  TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    message_id TEXT,             -- the message behind which it stands
    after      INTEGER,          -- leaves out messages made until then
    epoch      INTEGER NOT NULL,
    CONSTRAINT poller_consumer_key PRIMARY KEY (poller_id, name) -- serves Consumer, Acknowledge, Seek and DeletePoller
) WITHOUT ROWID;

-- Serves Stream. SQLite ends every index with the row's number, which is seq: the messages of an application in the order
-- in which the single writer has committed them. Filters read the rows, of which one call passes over 10,000 at most.
CREATE INDEX message_stream ON message (app_id);

-- Serves FiguresByEventType and FiguresByPeriod, which count deleted endpoints, too.
CREATE INDEX endpoint_ever ON endpoint (app_id);
