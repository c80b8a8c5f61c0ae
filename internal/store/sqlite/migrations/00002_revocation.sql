-- +goose Up

-- Tokens that are no longer good although they have not expired.
CREATE TABLE revocation (
    org_id      TEXT    NOT NULL,
    subject     TEXT    NOT NULL,   -- token:…, app:… or session:…
    made_before TEXT    NOT NULL,   -- ID of a token: only older ones are revoked; '' = all
    at          INTEGER NOT NULL,   -- it holds from then on
    until       INTEGER,            -- everything revoked has expired by then
    CONSTRAINT revocation_key PRIMARY KEY (org_id, subject, made_before) -- serves RevocationsOf and Revoke
) WITHOUT ROWID;

-- Serves Revoke, which removes what is over.
CREATE INDEX revocation_by_end ON revocation (until) WHERE until IS NOT NULL;
