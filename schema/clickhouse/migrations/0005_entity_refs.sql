-- Owner: services/ingestion (writes), services/analytics (reads).
-- Which of a resource's attributes name which entity (OTLP Resource.entity_refs): each an EntityRef message as it was sent,
-- undecoded like the arrays in *_other. Few senders have any; an empty array costs next to nothing.

ALTER TABLE ${DATABASE}.spans ${ON_CLUSTER}
    ADD COLUMN IF NOT EXISTS resource_entity_refs Array(String) CODEC(ZSTD(1)) AFTER resource_dropped_attributes_count;

ALTER TABLE ${DATABASE}.logs ${ON_CLUSTER}
    ADD COLUMN IF NOT EXISTS resource_entity_refs Array(String) CODEC(ZSTD(1)) AFTER resource_dropped_attributes_count;

ALTER TABLE ${DATABASE}.metric_points ${ON_CLUSTER}
    ADD COLUMN IF NOT EXISTS resource_entity_refs Array(String) CODEC(ZSTD(1)) AFTER resource_dropped_attributes_count;
