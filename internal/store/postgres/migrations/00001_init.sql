-- Conventions. Times are bigint microseconds since 1970-01-01 UTC, durations bigint microseconds, lists and maps JSON
-- text. NULL stands for "none": the zero time, the empty list, the empty map, the empty name. All text is compared byte by
-- byte. Tables and columns are called as in SQLite, because the queries are the same; what serves which query is said there.
--
-- Tables refer to each other by their text identifiers and declare no foreign keys: every insert of the hot path would
-- pay a look-up per reference to learn what the caller has just read, and no row that is referred to is ever deleted.
--
-- What grows with every message is partitioned by week: that of the message's ID or, for attempts and their labels, that of
-- the attempt's. So a list that begins with the newest reads the newest partitions only, and retention drops whole weeks.
-- Partitions are not made here but ahead of time, by the program (partition.go). What fits in none of them, because its
-- week was long ago or nobody made its partition, is in the default partition. A query that knows IDs says so, in every
-- table that it reads: that spares it the other partitions.

-- +goose Up

-- What the rows of message and attempt are numbered from: a number is that of the transaction, moved on by the base, and
-- the place within it. So numbers follow the order in which transactions began, and those below numbers_settled() are
-- all there. The base is moved on when a database is copied to a server whose transactions are numbered lower.
CREATE TABLE numbering (
    base bigint NOT NULL
);
INSERT INTO numbering (base) VALUES (0);

-- +goose StatementBegin
CREATE FUNCTION numbers_now() RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT (base + pg_current_xact_id()::text::bigint) << 20 FROM numbering
$$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION numbers_settled() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT (base + pg_snapshot_xmin(pg_current_snapshot())::text::bigint) << 20 FROM numbering
$$;
-- +goose StatementEnd

-- The items of a list in JSON, with their places.
-- +goose StatementBegin
CREATE FUNCTION json_items(list text) RETURNS TABLE (key bigint, value text) LANGUAGE sql IMMUTABLE ROWS 10 AS $$
    SELECT i.place - 1, i.item FROM json_array_elements_text(list::json) WITH ORDINALITY AS i (item, place)
$$;
-- +goose StatementEnd

-- The items of a list in JSON, as an array.
-- +goose StatementBegin
CREATE FUNCTION json_texts(list text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT array(SELECT json_array_elements_text(list::json))
$$;
-- +goose StatementEnd

-- The item at a place of a list in JSON.
-- +goose StatementBegin
CREATE FUNCTION json_item(list text, place bigint) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT list::json ->> place::int
$$;
-- +goose StatementEnd

CREATE TABLE application (
    id            text   COLLATE "C" PRIMARY KEY,
    org_id        text   COLLATE "C" NOT NULL,
    uid           text   COLLATE "C",
    name          text   COLLATE "C" NOT NULL,
    throttle_rate bigint NOT NULL,
    metadata      text   COLLATE "C",
    created_at    bigint,
    updated_at    bigint,
    deleted_at    bigint
);
CREATE INDEX application_by_org ON application (org_id, id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX application_by_uid ON application (org_id, uid) WHERE deleted_at IS NULL AND uid IS NOT NULL;

CREATE TABLE endpoint (
    id               text    COLLATE "C" PRIMARY KEY,
    app_id           text    COLLATE "C" NOT NULL,
    uid              text    COLLATE "C",
    url              text    COLLATE "C" NOT NULL,
    description      text    COLLATE "C" NOT NULL,
    event_types      text    COLLATE "C",
    channels         text    COLLATE "C",
    disabled         boolean NOT NULL,
    throttle_rate    bigint  NOT NULL,
    metadata         text    COLLATE "C",
    headers          text    COLLATE "C",
    secrets          text    COLLATE "C",   -- [{"key":…,"expires_at":…}], sealed if there is a main secret
    created_at       bigint,
    updated_at       bigint,
    deleted_at       bigint,
    disabled_reason  text    COLLATE "C",
    payload_version  text    COLLATE "C",
    payload_versions text    COLLATE "C",
    paused_at        bigint,
    ordered          boolean NOT NULL,
    retry_schedule   text    COLLATE "C",
    cancel_before    bigint,
    max_in_flight    bigint  NOT NULL
);
CREATE INDEX endpoint_by_app ON endpoint (app_id, id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX endpoint_by_uid ON endpoint (app_id, uid) WHERE deleted_at IS NULL AND uid IS NOT NULL;
CREATE INDEX endpoint_ever ON endpoint (app_id);

-- How often the endpoints of an application, or the application, have been changed.
CREATE TABLE route (
    app_id  text   COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL
);

-- Whoever changes them holds the lock of the application, lest two wait for each other here.
-- +goose StatementBegin
CREATE FUNCTION count_endpoint_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO route (app_id, version) SELECT DISTINCT app_id, 1 FROM changed
        ON CONFLICT (app_id) DO UPDATE SET version = route.version + 1;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER endpoint_made AFTER INSERT ON endpoint
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_endpoint_changes();
CREATE TRIGGER endpoint_changed AFTER UPDATE ON endpoint
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_endpoint_changes();

-- +goose StatementBegin
CREATE FUNCTION count_application_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO route (app_id, version) SELECT id, 1 FROM changed
        ON CONFLICT (app_id) DO UPDATE SET version = route.version + 1;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER application_changed AFTER UPDATE ON application
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_application_changes();

-- +goose StatementBegin
CREATE FUNCTION forget_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM route USING removed WHERE route.app_id = removed.id;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER application_removed AFTER DELETE ON application
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION forget_changes();

CREATE TABLE event_type (
    org_id         text    COLLATE "C" NOT NULL,
    name           text    COLLATE "C" NOT NULL,
    description    text    COLLATE "C" NOT NULL,
    group_name     text    COLLATE "C",
    archived       boolean NOT NULL,
    deprecated     boolean NOT NULL,
    feature_flags  text    COLLATE "C",
    schemas        text    COLLATE "C",
    validation     text    COLLATE "C",
    created_at     bigint,
    updated_at     bigint,
    retry_schedule text    COLLATE "C",
    PRIMARY KEY (org_id, name)
);

CREATE TABLE message (
    seq             bigint NOT NULL,
    id              text   COLLATE "C" NOT NULL,
    app_id          text   COLLATE "C" NOT NULL,
    event_id        text   COLLATE "C",
    event_type      text   COLLATE "C" NOT NULL,
    channels        text   COLLATE "C",
    created_at      bigint,
    expires_at      bigint,
    tags            text   COLLATE "C",
    payload_version text   COLLATE "C",
    variants        text   COLLATE "C",
    only_endpoint   text   COLLATE "C",
    ordering_key    text   COLLATE "C",
    deliver_at      bigint,
    deliver_before  bigint,
    cancelled_at    bigint,
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE TABLE message_default PARTITION OF message DEFAULT;
CREATE INDEX message_by_seq ON message (seq);
CREATE INDEX message_by_app ON message (app_id, id);
CREATE INDEX message_by_type ON message (app_id, event_type, id);
CREATE INDEX message_stream ON message (app_id, seq);

-- The event IDs of messages. They are unique over all partitions, which no index is.
CREATE TABLE message_event (
    app_id     text COLLATE "C" NOT NULL,
    event_id   text COLLATE "C" NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (app_id, event_id)
);

-- A message whose event ID is taken is not inserted.
-- +goose StatementBegin
CREATE FUNCTION take_event_id() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO message_event (app_id, event_id, message_id) VALUES (NEW.app_id, NEW.event_id, NEW.id) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN NEW;
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER message_takes_event_id BEFORE INSERT ON message
    FOR EACH ROW WHEN (NEW.event_id IS NOT NULL) EXECUTE FUNCTION take_event_id();

-- +goose StatementBegin
CREATE FUNCTION free_event_ids() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM message_event e USING removed r WHERE r.event_id IS NOT NULL
        AND e.app_id = r.app_id AND e.event_id = r.event_id AND e.message_id = r.id;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER message_frees_event_id AFTER DELETE ON message
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION free_event_ids();

CREATE TABLE message_payload (
    message_id text   COLLATE "C" PRIMARY KEY,
    expires_at bigint NOT NULL,
    warnings   text   COLLATE "C",
    payload    bytea  NOT NULL
) PARTITION BY RANGE (message_id);
CREATE TABLE message_payload_default PARTITION OF message_payload DEFAULT;
CREATE INDEX message_payload_by_expiry ON message_payload (expires_at);

CREATE TABLE message_variant (
    message_id text   COLLATE "C" NOT NULL,
    version    text   COLLATE "C" NOT NULL,
    payload    bytea  NOT NULL,
    PRIMARY KEY (message_id, version)
) PARTITION BY RANGE (message_id);
CREATE TABLE message_variant_default PARTITION OF message_variant DEFAULT;

-- Whoever removes payloads removes them in all versions.
-- +goose StatementBegin
CREATE FUNCTION remove_variants() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM message_variant v USING removed r WHERE v.message_id = r.message_id;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER message_variant_goes_with_payload AFTER DELETE ON message_payload
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION remove_variants();

CREATE TABLE undispatched (
    message_id text COLLATE "C" PRIMARY KEY
);

CREATE TABLE scheduled (
    message_id text COLLATE "C" PRIMARY KEY
);

CREATE TABLE delivery (
    message_id   text    COLLATE "C" NOT NULL,
    endpoint_id  text    COLLATE "C" NOT NULL,
    app_id       text    COLLATE "C" NOT NULL,
    state        text    COLLATE "C" NOT NULL,
    reason       text    COLLATE "C" NOT NULL,
    attempts     bigint  NOT NULL,
    scheduled    bigint  NOT NULL,
    newest       text    COLLATE "C" NOT NULL,
    next_at      bigint,
    updated_at   bigint,
    event_type   text    COLLATE "C" NOT NULL,
    waits        text    COLLATE "C" NOT NULL,
    alarmed      boolean NOT NULL,
    parked       boolean NOT NULL,
    released_at  bigint,
    ordering_key text    COLLATE "C",
    PRIMARY KEY (message_id, endpoint_id)
) PARTITION BY RANGE (message_id);
CREATE TABLE delivery_default PARTITION OF delivery DEFAULT;
CREATE INDEX delivery_by_endpoint ON delivery (endpoint_id, event_type, state, message_id);
CREATE INDEX delivery_open ON delivery (endpoint_id, waits, message_id, state) WHERE state IN ('pending', 'retrying', 'held');
CREATE INDEX delivery_due ON delivery (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX delivery_order ON delivery (endpoint_id, ordering_key, message_id, waits)
    WHERE ordering_key IS NOT NULL AND state IN ('pending', 'retrying', 'held');

CREATE TABLE attempt (
    seq         bigint  NOT NULL,
    id          text    COLLATE "C" NOT NULL,
    message_id  text    COLLATE "C" NOT NULL,
    endpoint_id text    COLLATE "C" NOT NULL,
    app_id      text    COLLATE "C" NOT NULL,
    event_type  text    COLLATE "C" NOT NULL,
    number      bigint  NOT NULL,
    trigger     text    COLLATE "C" NOT NULL,
    url         text    COLLATE "C" NOT NULL,
    started_at  bigint,
    duration    bigint  NOT NULL,
    success     boolean NOT NULL,
    status      bigint  NOT NULL,
    truncated   boolean NOT NULL,
    error_class text    COLLATE "C" NOT NULL,
    message     text    COLLATE "C" NOT NULL,
    next_at     bigint,
    outcome     text    COLLATE "C" NOT NULL GENERATED ALWAYS AS
        (CASE WHEN success THEN '7' WHEN status < 100 THEN '0' WHEN status > 599 THEN '6' ELSE chr(48 + (status / 100)::int) END) STORED,
    header      text    COLLATE "C",
    sent        text    COLLATE "C",
    body        bytea,
    PRIMARY KEY (message_id, id)
) PARTITION BY RANGE (id);
CREATE TABLE attempt_default PARTITION OF attempt DEFAULT;
CREATE INDEX attempt_by_seq ON attempt (seq);
CREATE INDEX attempt_by_endpoint ON attempt (endpoint_id, event_type, outcome, id);

CREATE TABLE label (
    owner_id   text   COLLATE "C" NOT NULL,
    kind       text   COLLATE "C" NOT NULL,
    name       text   COLLATE "C" NOT NULL,
    event_type text   COLLATE "C" NOT NULL,
    standing   text   COLLATE "C" NOT NULL,
    item_id    text   COLLATE "C" NOT NULL,
    item_seq   bigint,
    PRIMARY KEY (owner_id, kind, name, event_type, standing, item_id)
) PARTITION BY RANGE (item_id);
CREATE TABLE label_default PARTITION OF label DEFAULT;

CREATE TABLE revocation (
    org_id      text   COLLATE "C" NOT NULL,
    subject     text   COLLATE "C" NOT NULL,
    made_before text   COLLATE "C" NOT NULL,
    at          bigint NOT NULL,
    until       bigint,
    PRIMARY KEY (org_id, subject, made_before)
);
CREATE INDEX revocation_by_end ON revocation (until) WHERE until IS NOT NULL;

CREATE TABLE claim (
    id          bytea  PRIMARY KEY,
    fingerprint bytea  NOT NULL,
    owner       text   COLLATE "C",
    created_at  bigint,
    expires_at  bigint,
    messages    text   COLLATE "C",
    answer      bytea
);
CREATE INDEX claim_by_expiry ON claim (expires_at);

CREATE TABLE seal (
    proof text COLLATE "C" NOT NULL
);

CREATE TABLE task (
    id         text     COLLATE "C" PRIMARY KEY,
    org_id     text     COLLATE "C" NOT NULL,
    app_id     text     COLLATE "C",
    kind       text     COLLATE "C" NOT NULL,
    state      text     COLLATE "C" NOT NULL,
    reason     text     COLLATE "C",
    begun      smallint NOT NULL,
    "cursor"   text     COLLATE "C",
    created_at bigint,
    updated_at bigint,
    data       text     COLLATE "C",
    input      text     COLLATE "C"
);
CREATE INDEX task_by_org ON task (org_id, id, state, kind);
CREATE INDEX task_unbegun ON task (id) WHERE begun = 0;
CREATE INDEX task_running ON task (id) WHERE state = 'running';

CREATE TABLE poller (
    id          text    COLLATE "C" PRIMARY KEY,
    app_id      text    COLLATE "C" NOT NULL,
    uid         text    COLLATE "C",
    description text    COLLATE "C" NOT NULL,
    event_types text    COLLATE "C",
    channels    text    COLLATE "C",
    disabled    boolean NOT NULL,
    secrets     text    COLLATE "C",
    start       text    COLLATE "C",
    created_at  bigint,
    updated_at  bigint
);
CREATE INDEX poller_by_app ON poller (app_id, id);
CREATE UNIQUE INDEX poller_by_uid ON poller (app_id, uid) WHERE uid IS NOT NULL;

CREATE TABLE poller_consumer (
    poller_id  text   COLLATE "C" NOT NULL,
    name       text   COLLATE "C" NOT NULL,
    message_id text   COLLATE "C",
    after      bigint,
    epoch      bigint NOT NULL,
    PRIMARY KEY (poller_id, name)
);

CREATE TABLE attention (
    endpoint_id text   COLLATE "C" PRIMARY KEY,
    app_id      text   COLLATE "C" NOT NULL,
    version     bigint NOT NULL,
    release     text   COLLATE "C",
    retime      text   COLLATE "C"
);

CREATE TABLE endpoint_health (
    endpoint_id   text    COLLATE "C" PRIMARY KEY,
    app_id        text    COLLATE "C" NOT NULL,
    failures      bigint  NOT NULL,
    failing_since bigint  NOT NULL,
    opened_at     bigint,
    next_probe_at bigint,
    probing       boolean NOT NULL,
    probed        text    COLLATE "C",
    warned_at     bigint
);
CREATE INDEX endpoint_health_open ON endpoint_health (opened_at) WHERE opened_at IS NOT NULL;

CREATE TABLE throttle (
    owner_id text   COLLATE "C" PRIMARY KEY,
    queue    bigint NOT NULL,
    sent     bigint NOT NULL,
    since    bigint NOT NULL,
    reset_at bigint
);

CREATE TABLE flight (
    endpoint_id text   COLLATE "C" NOT NULL,
    holder      text   COLLATE "C" NOT NULL,
    until       bigint NOT NULL,
    PRIMARY KEY (endpoint_id, holder)
);
CREATE INDEX flight_by_end ON flight (until);
