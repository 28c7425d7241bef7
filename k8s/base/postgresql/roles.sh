#!/bin/sh
# Once per data directory, by either image: a role for each service that has a control store, which owns its schema and sees no other.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$AIRIS_CONTROL_PASSWORD" --dbname "${POSTGRES_DB:-airis}" --quiet <<END
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE ROLE api_gateway LOGIN PASSWORD :'password';
CREATE SCHEMA api_gateway AUTHORIZATION api_gateway;
END
