-- What lists need so that every filter reads an index in the order of the list, however few rows it matches.
--
-- An endpoint's lists each have one index only, because every further one costs the hot path a page per endpoint and
-- commit: a quarter of the time of a record of a hundred attempts. That index begins with what can be asked for, and a
-- list that doesn't ask merges the runs that there are. It is as quick as event types are few, whatever the number of rows.

-- +goose Up

ALTER TABLE message ADD COLUMN tags TEXT;

-- Serves ListMessages without a filter.
DROP INDEX message_by_app;
CREATE INDEX message_by_app ON message (app_id, id);

-- Serves ListMessages by event type; several are merged.
CREATE INDEX message_by_type ON message (app_id, event_type, id);

-- The message's, so that an endpoint's messages are found by it in one index.
ALTER TABLE delivery ADD COLUMN event_type TEXT NOT NULL DEFAULT '';
DROP INDEX delivery_by_endpoint;
UPDATE delivery SET event_type = coalesce((SELECT m.event_type FROM message m WHERE m.id = delivery.message_id), '');

-- Serves ListEndpointMessages: one event type in one state, in the order of messages; several are merged.
CREATE INDEX delivery_by_endpoint ON delivery (endpoint_id, event_type, state, message_id);

-- Success and class of the status in one number, of a small closed set: 0 no response, 1 to 5 the class of a failure's
-- status, 6 a status above those, 7 success.
ALTER TABLE attempt ADD COLUMN outcome INTEGER GENERATED ALWAYS AS
    (CASE WHEN success THEN 7 WHEN status < 100 THEN 0 WHEN status > 599 THEN 6 ELSE status / 100 END) VIRTUAL;

-- Serves ListAttempts and CountAttempts by endpoint: one event type with one outcome, in the order of attempts; several
-- are merged.
DROP INDEX attempt_by_endpoint;
CREATE INDEX attempt_by_endpoint ON attempt (endpoint_id, event_type, outcome, id);

-- The channels and tags of messages, and the pairs of them, once for each list that can be narrowed by them: an
-- application's messages, an endpoint's messages, and an endpoint's attempts. A message that has none costs nothing here.
CREATE TABLE label (
    owner_id   TEXT NOT NULL,       -- whose list: an application or an endpoint
    kind       TEXT NOT NULL,       -- 'channel', 'tag', or 'both'
    name       TEXT NOT NULL,
    event_type TEXT NOT NULL,       -- of the message
    standing   NOT NULL,            -- of an endpoint's message its state, of an attempt its outcome, otherwise ''
    item_id    TEXT NOT NULL,       -- what is listed: a message or an attempt
    item_seq   INTEGER,             -- of an attempt
    CONSTRAINT label_key PRIMARY KEY (owner_id, kind, name, event_type, standing, item_id) -- serves all lists by channel or tag
) WITHOUT ROWID;

INSERT OR IGNORE INTO label (owner_id, kind, name, event_type, standing, item_id)
SELECT m.app_id, 'channel', c.value, m.event_type, '', m.id
FROM message m, json_each(m.channels) c
WHERE m.channels IS NOT NULL;

INSERT OR IGNORE INTO label (owner_id, kind, name, event_type, standing, item_id)
SELECT d.endpoint_id, 'channel', c.value, m.event_type, d.state, m.id
FROM message m, json_each(m.channels) c CROSS JOIN delivery d ON d.message_id = m.id
WHERE m.channels IS NOT NULL;

INSERT OR IGNORE INTO label (owner_id, kind, name, event_type, standing, item_id, item_seq)
SELECT a.endpoint_id, 'channel', c.value, m.event_type, a.outcome, a.id, a.seq
FROM message m, json_each(m.channels) c CROSS JOIN attempt a ON a.message_id = m.id
WHERE m.channels IS NOT NULL;
