CREATE TABLE airis.api_key_uses
(
    `tenant` String,
    `key_id` String,
    `last_used_at` SimpleAggregateFunction(max, DateTime('UTC'))
)
ENGINE = AggregatingMergeTree
ORDER BY (tenant, key_id)
SETTINGS index_granularity = 8192
COMMENT 'When each key was last seen, to a few minutes; apart from api_keys so that a use cannot undo a revocation'
