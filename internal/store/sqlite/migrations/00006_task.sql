-- +goose Up

CREATE TABLE task (
    id         TEXT    NOT NULL,
    org_id     TEXT    NOT NULL,
    app_id     TEXT,
    kind       TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    reason     TEXT,
    begun      INTEGER NOT NULL,   -- its workflow has been started
    "cursor"   TEXT,
    created_at INTEGER,
    updated_at INTEGER,
    data       TEXT,
    input      TEXT,               -- NULL once the task has ended
    CONSTRAINT task_id PRIMARY KEY (id) -- serves TaskByID and every change
);

-- Serves Task and ListTasks. State and kind are checked in the index.
CREATE INDEX task_by_org ON task (org_id, id, state, kind);

-- Serves UnbegunTasks. Always tiny.
CREATE INDEX task_unbegun ON task (id) WHERE begun = 0;

-- What was sent with an attempt, apart from what follows from the attempt itself. NULL if the request was never made,
-- was expunged, or is older than this column.
ALTER TABLE attempt ADD COLUMN sent TEXT;

-- Payloads get their expiry. It is NOT NULL so that no payload is ever stored that would never be removed, and stands
-- before the payload so that it is read without the payload's overflow pages.
CREATE TABLE message_payload_with_expiry (
    message_seq INTEGER PRIMARY KEY,
    expires_at  INTEGER NOT NULL,
    warnings    TEXT,               -- they quote the keys of the payload, so they go with it
    payload     BLOB    NOT NULL
);
INSERT INTO message_payload_with_expiry (message_seq, expires_at, payload)
SELECT p.message_seq, coalesce(m.expires_at, 9223372036854775807), p.payload
FROM message_payload p JOIN message m ON m.seq = p.message_seq;
DROP TABLE message_payload;
ALTER TABLE message_payload_with_expiry RENAME TO message_payload;

-- Serves ExpirePayloads. Most payloads are kept equally long, so that new entries come last: the cheapest place for them.
CREATE INDEX message_payload_by_expiry ON message_payload (expires_at);

-- Whoever removes a payload removes it in all versions.
-- +goose StatementBegin
CREATE TRIGGER message_variant_goes_with_payload AFTER DELETE ON message_payload
BEGIN
    DELETE FROM message_variant WHERE message_seq = OLD.message_seq;
END;
-- +goose StatementEnd
