-- +goose Up

-- The waits between attempts, such as 5s,5m,1h; empty for a single attempt. NULL inherits: an endpoint from the event type
-- of the message, an event type from the server.
ALTER TABLE endpoint ADD COLUMN retry_schedule TEXT;
ALTER TABLE event_type ADD COLUMN retry_schedule TEXT;

-- Where a change of schedule is on its way through the waiting deliveries: behind this message ID; NULL if there is none.
ALTER TABLE attention ADD COLUMN retime TEXT;
