-- The event catalogue: validation of payloads, payloads in several versions, messages for one endpoint.

-- +goose Up

ALTER TABLE event_type ADD COLUMN group_name TEXT;
ALTER TABLE event_type ADD COLUMN validation TEXT;
ALTER TABLE event_type ADD COLUMN feature_flags TEXT;
UPDATE event_type SET feature_flags = json_array(feature_flag) WHERE feature_flag IS NOT NULL;
ALTER TABLE event_type DROP COLUMN feature_flag;

ALTER TABLE endpoint ADD COLUMN payload_version TEXT;
ALTER TABLE endpoint ADD COLUMN payload_versions TEXT;

ALTER TABLE message ADD COLUMN payload_version TEXT;
ALTER TABLE message ADD COLUMN variants TEXT;          -- the versions in message_variant, kept when those are gone
ALTER TABLE message ADD COLUMN only_endpoint TEXT;

-- The payload in other versions than that of message_payload. Few messages have any. Migration 6, which makes
-- message_payload anew, has the trigger that removes them.
CREATE TABLE message_variant (
    message_seq INTEGER NOT NULL,
    version     TEXT    NOT NULL,
    payload     BLOB    NOT NULL,
    CONSTRAINT message_variant_key PRIMARY KEY (message_seq, version) -- serves Message, MessageByID and the trigger
);
