-- Owner: services/ingestion (writes), services/analytics (reads).
-- Partition keys, sort keys and the form of rollups cannot be altered, so the tables of 0001, 0003 and 0004 step aside as
-- <name>_before and new ones take their names (0007 to 0010). `airis migrate` carries their rows over and drops them; until then
-- <name>_and_before (0011) is what readers read. While this runs, a release before this one cannot write: its batches wait on the bus.

-- Only if: SELECT 1 FROM system.columns WHERE database = '${DATABASE}' AND table = 'spans' AND name = 'resource_string'
RENAME TABLE ${DATABASE}.spans TO ${DATABASE}.spans_before ${ON_CLUSTER};

-- Only if: SELECT 1 FROM system.columns WHERE database = '${DATABASE}' AND table = 'logs' AND name = 'resource_string'
RENAME TABLE ${DATABASE}.logs TO ${DATABASE}.logs_before ${ON_CLUSTER};

-- Only if: SELECT 1 FROM system.columns WHERE database = '${DATABASE}' AND table = 'metric_points' AND name = 'resource_string'
RENAME TABLE ${DATABASE}.metric_points TO ${DATABASE}.metric_points_before ${ON_CLUSTER};

DROP VIEW IF EXISTS ${DATABASE}.trace_index_mv ${ON_CLUSTER};

DROP VIEW IF EXISTS ${DATABASE}.red_1m_mv ${ON_CLUSTER};

DROP VIEW IF EXISTS ${DATABASE}.red_1h_mv ${ON_CLUSTER};

DROP VIEW IF EXISTS ${DATABASE}.resources_of_spans_mv ${ON_CLUSTER};

DROP VIEW IF EXISTS ${DATABASE}.resources_of_logs_mv ${ON_CLUSTER};

DROP VIEW IF EXISTS ${DATABASE}.resources_of_metric_points_mv ${ON_CLUSTER};

DROP VIEW IF EXISTS ${DATABASE}.metric_catalogue_mv ${ON_CLUSTER};

-- Only if: SELECT 1 FROM system.tables WHERE database = '${DATABASE}' AND name = 'trace_index' AND partition_key = 'day'
RENAME TABLE ${DATABASE}.trace_index TO ${DATABASE}.trace_index_before ${ON_CLUSTER};

-- Only if: SELECT 1 FROM system.tables WHERE database = '${DATABASE}' AND name = 'resources' AND partition_key = 'day'
RENAME TABLE ${DATABASE}.resources TO ${DATABASE}.resources_before ${ON_CLUSTER};

-- Only if: SELECT 1 FROM system.columns WHERE database = '${DATABASE}' AND table = 'red_1m' AND name = 'duration_quantiles'
RENAME TABLE ${DATABASE}.red_1m TO ${DATABASE}.red_1m_before ${ON_CLUSTER};

-- Only if: SELECT 1 FROM system.columns WHERE database = '${DATABASE}' AND table = 'red_1h' AND name = 'duration_quantiles'
RENAME TABLE ${DATABASE}.red_1h TO ${DATABASE}.red_1h_before ${ON_CLUSTER};
