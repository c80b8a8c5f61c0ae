-- +goose Up

ALTER TABLE message ADD COLUMN deliver_at INTEGER;
ALTER TABLE message ADD COLUMN deliver_before INTEGER;
-- The one column of a message that changes.
ALTER TABLE message ADD COLUMN cancelled_at INTEGER;

-- The endpoint's messages from before are not sent any more.
ALTER TABLE endpoint ADD COLUMN cancel_before INTEGER;

-- Messages whose workflow waits until they are to be sent. They are not undispatched: nobody has to begin them.
CREATE TABLE scheduled (
    message_id TEXT NOT NULL,
    CONSTRAINT scheduled_message PRIMARY KEY (message_id) -- serves everything
) WITHOUT ROWID;
