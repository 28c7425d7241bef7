-- What the points of these series share, by series. A series has a row for each of its days, all alike.
SELECT
    series AS series_id,
    any(metric_series.description) AS about,
    any(metric_series.unit) AS unit_name,
    CAST(any(metric_series.metadata_string), 'Array(Tuple(String, String))') AS metadata_strings,
    arrayMap(a -> (a.1, hex(a.2)), CAST(any(metric_series.metadata_other), 'Array(Tuple(String, String))')) AS metadata_others,
    any(metric_series.type) AS kind,
    any(metric_series.temporality) AS aggregation,
    any(metric_series.monotonic) AS is_monotonic,
    CAST(any(metric_series.attributes_string), 'Array(Tuple(String, String))') AS strings,
    arrayMap(a -> (a.1, hex(a.2)), CAST(any(metric_series.attributes_other), 'Array(Tuple(String, String))')) AS others,
    CAST(any(metric_series.resource_string), 'Array(Tuple(String, String))') AS resource_strings,
    arrayMap(a -> (a.1, hex(a.2)), CAST(any(metric_series.resource_other), 'Array(Tuple(String, String))')) AS resource_others,
    any(metric_series.resource_dropped_attributes_count) AS resource_dropped,
    arrayMap(e -> hex(e), any(metric_series.resource_entity_refs)) AS resource_entities,
    any(metric_series.resource_schema_url) AS resource_schema,
    any(metric_series.scope_name) AS scope,
    any(metric_series.scope_version) AS version,
    CAST(any(metric_series.scope_string), 'Array(Tuple(String, String))') AS scope_strings,
    arrayMap(a -> (a.1, hex(a.2)), CAST(any(metric_series.scope_other), 'Array(Tuple(String, String))')) AS scope_others,
    any(metric_series.scope_dropped_attributes_count) AS scope_dropped,
    any(metric_series.scope_schema_url) AS scope_schema
FROM metric_series
WHERE tenant = {tenant:String} AND name = {name:String}
    AND day >= toDate(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND day <= toDate(fromUnixTimestamp64Nano({to:Int64}, 'UTC'))
    AND series IN {series:Array(UInt64)}
GROUP BY series
