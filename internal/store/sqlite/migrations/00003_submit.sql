-- +goose Up

-- What came of requests with an Idempotency-Key. Open while neither messages nor answer is set.
CREATE TABLE claim (
    id          BLOB    NOT NULL,
    fingerprint BLOB    NOT NULL,
    owner       TEXT,
    created_at  INTEGER,
    expires_at  INTEGER,
    messages    TEXT,               -- IDs of the messages that the request made
    answer      BLOB,               -- sealed with the request's key, of which the database knows only a digest
    CONSTRAINT claim_id PRIMARY KEY (id) -- serves Claim and the methods that change one
) WITHOUT ROWID;

-- Serves DeleteExpiredClaims.
CREATE INDEX claim_by_expiry ON claim (expires_at);

-- One row once secrets are sealed: a known text, sealed, that shows whether a main secret is the right one.
CREATE TABLE seal (
    proof TEXT NOT NULL
);
