#!/bin/sh
# Makes a role and a database for each program. The image runs it once, when it has made the server.
set -eu

# psql quotes what it is given as a variable, so that a password may be anything.
psql --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" \
  --set=posthorn="$POSTHORN_DB_PASSWORD" --set=temporal="$TEMPORAL_DB_PASSWORD" <<'SQL'
CREATE ROLE posthorn LOGIN PASSWORD :'posthorn';
CREATE ROLE temporal LOGIN PASSWORD :'temporal';
CREATE DATABASE posthorn OWNER posthorn;
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
SQL
