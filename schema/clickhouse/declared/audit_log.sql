CREATE TABLE airis.audit_log
(
    `tenant` LowCardinality(String) COMMENT 'Empty when a sign-in named no known user',
    `time` DateTime64(9, 'UTC'),
    `action` LowCardinality(String) COMMENT 'sign_in, sign_out, api_key.create, api_key.revoke',
    `outcome` LowCardinality(String) COMMENT 'ok or the reason it was refused',
    `subject` String COMMENT 'user:<id> or key:<key id>; empty when unknown',
    `target` String COMMENT 'What it was done to: an e-mail address, a key id',
    `address` String COMMENT 'Client address as the gateway saw it',
    `request_id` String
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, time)
TTL toDateTime(time) + toIntervalDay(400)
SETTINGS index_granularity = 8192
COMMENT 'Who did what, kept for 400 days so that a yearly review finds a whole year'
