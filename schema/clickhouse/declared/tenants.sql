CREATE TABLE airis.tenants
(
    `id` String COMMENT 'Slug, as in every table\'s tenant column',
    `name` String,
    `created_at` DateTime64(9, 'UTC'),
    `version` UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY id
SETTINGS index_granularity = 8192
COMMENT 'Tenants'
