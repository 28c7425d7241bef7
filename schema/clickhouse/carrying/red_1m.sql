-- Into red_1m by day, from red_1m_before. A digest becomes buckets by its values at 400 ranks (or as many as there are spans), each standing for
-- its share of them: counts stay exact, percentiles nearly so. Environment, namespace and version were not kept.
SELECT
    tenant, 0::UInt16 AS retention_days, time, service, '' AS environment, '' AS service_namespace, '' AS service_version, operation, kind, is_entry,
    request_count, error_count, 0::UInt64 AS unmeasured_count,
    toUInt128(duration_sum_nano) AS duration_sum_nano,
    toInt64(least(arrayReduce('quantilesTDigestMerge(0., 1.)', [duration_quantiles])[1], 9223372036854774784.)) AS duration_min_nano,
    toInt64(least(arrayReduce('quantilesTDigestMerge(0., 1.)', [duration_quantiles])[2], 9223372036854774784.)) AS duration_max_nano,
    -- sumMap needs a row for each, so the map is made by counting equal keys of the sorted ranks.
    arrayMap(
        value -> if(value < 1, -32768, toInt16(ceil(log2(value) * 64) - 1))::Int16,
        arrayReduce('quantilesTDigestMerge(${RANKS})', [duration_quantiles])) AS ranks,
    range(least(request_count, 400)) AS places,
    arrayMap(place -> ranks[1 + intDiv((2 * place + 1) * 400, 2 * length(places))], places) AS keys,
    arrayMap(place -> intDiv((place + 1) * request_count, length(places)) - intDiv(place * request_count, length(places)), places) AS shares,
    CAST(arrayReduce('sumMap', [keys], [shares]) AS Tuple(Array(Int16), Array(UInt64))) AS summed,
    mapFromArrays(summed.1, summed.2) AS duration_buckets
FROM ${DATABASE}.red_1m_before
WHERE ${PARTITIONS:time}
