-- Owner: services/api_gateway. Who may sign in, which keys are valid, and who did what.
-- Small tables, changed by inserting a newer version of the row and read with FINAL, because ClickHouse's own
-- mutations are neither quick nor ordered. `version` is unix nanoseconds, and always above the row it replaces.

CREATE TABLE IF NOT EXISTS ${DATABASE}.tenants ${ON_CLUSTER}
(
    id          String COMMENT 'Slug, as in every table''s tenant column',
    name        String,
    created_at  DateTime64(9, 'UTC'),
    version     UInt64
)
ENGINE = ${REPLICATED}ReplacingMergeTree(version)
ORDER BY id
COMMENT 'Tenants';

CREATE TABLE IF NOT EXISTS ${DATABASE}.users ${ON_CLUSTER}
(
    email          String COMMENT 'Trimmed and case-folded; unique over all tenants, because sign-in asks for nothing else',
    id             String,
    tenant         String,
    roles          Array(LowCardinality(String)),
    password_hash  String COMMENT 'argon2id, PHC string',
    disabled       Bool DEFAULT false,
    created_at     DateTime64(9, 'UTC'),
    version        UInt64
)
ENGINE = ${REPLICATED}ReplacingMergeTree(version)
ORDER BY email
COMMENT 'People who sign in';

CREATE TABLE IF NOT EXISTS ${DATABASE}.api_keys ${ON_CLUSTER}
(
    key_id      String COMMENT 'Public part of the key; leads the sort order because every request looks a key up by it',
    tenant      String,
    name        String,
    scopes      Array(LowCardinality(String)) COMMENT 'ingest, read',
    key_hash    String COMMENT 'SHA-256 of the whole key, lower-case hex; the key itself is never stored',
    created_by  String COMMENT 'Subject of the identity that made it, or bootstrap',
    created_at  DateTime64(9, 'UTC'),
    revoked_at  DateTime64(9, 'UTC') DEFAULT 0 COMMENT 'Epoch while the key is valid',
    version     UInt64
)
ENGINE = ${REPLICATED}ReplacingMergeTree(version)
ORDER BY key_id
COMMENT 'API keys';

CREATE TABLE IF NOT EXISTS ${DATABASE}.api_key_uses ${ON_CLUSTER}
(
    tenant        String,
    key_id        String,
    last_used_at  SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = ${REPLICATED}AggregatingMergeTree
ORDER BY (tenant, key_id)
COMMENT 'When each key was last seen, to a few minutes; apart from api_keys so that a use cannot undo a revocation';

CREATE TABLE IF NOT EXISTS ${DATABASE}.audit_log ${ON_CLUSTER}
(
    tenant      LowCardinality(String) COMMENT 'Empty when a sign-in named no known user',
    time        DateTime64(9, 'UTC'),
    action      LowCardinality(String) COMMENT 'sign_in, sign_out, api_key.create, api_key.revoke',
    outcome     LowCardinality(String) COMMENT 'ok or the reason it was refused',
    subject     String COMMENT 'user:<id> or key:<key id>; empty when unknown',
    target      String COMMENT 'What it was done to: an e-mail address, a key id',
    address     String COMMENT 'Client address as the gateway saw it',
    request_id  String
)
ENGINE = ${REPLICATED}MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, time)
TTL toDateTime(time) + INTERVAL 400 DAY
COMMENT 'Who did what, kept for 400 days so that a yearly review finds a whole year';
