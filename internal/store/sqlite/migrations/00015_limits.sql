-- +goose Up

-- How many requests to the endpoint may be under way at the same time; 0 = no limit of its own.
ALTER TABLE endpoint ADD COLUMN max_in_flight INTEGER NOT NULL DEFAULT 0;

-- Where the queue of a throttled endpoint or application stands. Times are in nanoseconds: at high rates, turns are a few
-- microseconds apart.
CREATE TABLE throttle (
    owner_id TEXT    NOT NULL,   -- of an endpoint or an application
    queue    INTEGER NOT NULL,   -- how far turns are given out; see store.Pace
    sent     INTEGER NOT NULL,   -- how far they are used
    since    INTEGER NOT NULL,   -- since when there is a queue; 0 if there was none at the last turn
    reset_at INTEGER,            -- when the limit was last changed, in microseconds; turns given out before are void
    CONSTRAINT throttle_owner PRIMARY KEY (owner_id)
) WITHOUT ROWID;

-- Requests under way to endpoints that limit them. A row without a process expires.
CREATE TABLE flight (
    endpoint_id TEXT    NOT NULL,
    holder      TEXT    NOT NULL,   -- the message, or the attempt by hand
    until       INTEGER NOT NULL,   -- in microseconds
    CONSTRAINT flight_holder PRIMARY KEY (endpoint_id, holder)
) WITHOUT ROWID;

-- Serves Stranded.
CREATE INDEX flight_by_end ON flight (until);
