"""Rows for bench_query.py, made inside the store: a shop of ten services on three nodes, six hours of it.

A trace has ten spans. Attributes are of the usual number and skew: a method, a route of 50, a path of millions, a user of
100,000, a status code; 1 % of spans fail. Logs belong to spans; metrics are three of the kinds that charts are made of.
"""

SERVICES = "['frontend','gateway','checkout','cart','catalog','payment','shipping','currency','email','recommend']"
HOURS = 6

_RESOURCE = """map(
    'service.name', service, 'service.version', '1.2.3', 'service.namespace', 'shop', 'host.name', concat('node-', toString(pod)),
    'k8s.pod.name', concat(service, '-', toString(pod)), 'k8s.namespace.name', 'prod', 'telemetry.sdk.language', 'java',
    'telemetry.sdk.name', 'opentelemetry', 'telemetry.sdk.version', '1.40.0', 'deployment.environment.name', 'prod')"""

# {start}: unix nanoseconds of the first record; {first}, {count}: which records; {total}: how many there will be.
SPANS = f"""
INSERT INTO spans (
    tenant, time, trace_id, span_id, parent_span_id, flags, service, name, kind, duration_nano, status_code, status_message,
    attributes_string, attributes_int, attributes_other, events, resource_fingerprint, resource_string, resource_other,
    scope_name, scope_version, bus_partition, bus_offset, received_at)
WITH
    intDiv(number, 10) AS trace, number % 10 AS place,
    cityHash64('trace', trace) AS dice, cityHash64('span', number) AS die,
    {SERVICES}[place + 1] AS service, dice % 3 AS pod,
    ['GET /', 'GET /api/{{path}}', 'POST /checkout', 'GetCart', 'ListProducts', 'Charge', 'ShipOrder', 'Convert', 'SendEmail',
        'Recommend'][place + 1] AS operation,
    {{start:Int64}} + toInt64(trace * ({HOURS} * 3600e9 / ({{total:UInt64}} / 10))) + place * 1000000 + dice % 1000000 AS started
SELECT
    {{tenant:String}}, fromUnixTimestamp64Nano(toInt64(started), 'UTC'), MD5(toString((({{tenant:String}}), trace))),
    substring(MD5(toString(number)), 1, 8),
    if(place = 0, '', substring(MD5(toString(trace * 10 + intDiv(place - 1, 2))), 1, 8)), 1, service,
    if(place = 1, concat(operation, toString(dice % 20)), operation), if(place % 2 = 0, 2, 3),
    toInt64(exp(13 + 2 * ((die % 1000) / 1000.) + 4 * pow((die % 997) / 997., 8))), if(die % 100 = 0, 2, 0), if(die % 100 = 0, 'boom', ''),
    map(
        'http.request.method', if(dice % 4 = 0, 'POST', 'GET'), 'http.route', concat('/r/', toString(dice % 50)),
        'url.path', concat('/r/', toString(dice % 50), '/', toString(die % 10000000)), 'user.id', concat('u', toString(dice % 100000)),
        'server.address', {SERVICES}[1 + (place + 1) % 10], 'thread.name', concat('worker-', toString(die % 16))),
    map('http.response.status_code', if(die % 100 = 0, 500, 200), 'thread.id', toInt64(die % 16), 'http.request.body.size', toInt64(die % 10000)),
    map('retry', if(die % 50 = 0, 't', 'f')),
    if(die % 100 = 0, [(toUInt64(started), 'exception', map('exception.type', 'Timeout', 'exception.message', 'no answer'), map(), 0)], []),
    cityHash64(place, pod), {_RESOURCE}, map('process.pid', concat('i', toString(pod + 1))), 'io.opentelemetry.spring', '2.0', dice % 4, trace,
    fromUnixTimestamp64Nano(toInt64(started), 'UTC')
FROM numbers({{first:UInt64}}, {{count:UInt64}})
"""
LOGS = f"""
INSERT INTO logs (
    tenant, time, observed_time_unix_nano, trace_id, span_id, flags, severity_number, severity_text, service, body, body_other,
    attributes_string, attributes_int, resource_fingerprint, resource_string, resource_other, scope_name, bus_partition, bus_offset, received_at)
WITH
    cityHash64('log', number) AS die, {SERVICES}[1 + die % 10] AS service, intDiv(die, 10) % 3 AS pod,
    if(die % 100 < 2, 17, if(die % 100 < 7, 13, 9)) AS severity,
    {{start:Int64}} + toInt64(number * ({HOURS} * 3600e9 / {{total:UInt64}})) AS written
SELECT
    {{tenant:String}}, fromUnixTimestamp64Nano(toInt64(written), 'UTC'), toUInt64(written), MD5(toString(({{tenant:String}}, intDiv(number, 10)))),
    substring(MD5(toString(number)), 1, 8), 1, severity, if(severity = 17, 'ERROR', if(severity = 13, 'WARN', 'INFO')), service,
    multiIf(
        severity = 17, concat('Request to payment timed out after ', toString(die % 30000), ' ms: upstream did not answer, order ', toString(die % 1000000)),
        die % 1000 = 8, concat('결제 실패: 주문 ', toString(die % 1000000)),
        concat('GET /r/', toString(die % 50), '/', toString(die % 10000000), ' 200 in ', toString(die % 900), ' ms for user u', toString(die % 100000))), 's',
    map('http.route', concat('/r/', toString(die % 50)), 'user.id', concat('u', toString(die % 100000)), 'log.file.name', 'app.log'),
    map('thread.id', toInt64(die % 16)), cityHash64(die % 10, pod), {_RESOURCE}, map('process.pid', concat('i', toString(pod + 1))), 'log4j', die % 4, number,
    fromUnixTimestamp64Nano(toInt64(written), 'UTC')
FROM numbers({{first:UInt64}}, {{count:UInt64}})
"""
# Every ten seconds each of 20 routes of ten services on three pods says how many requests it had.
METRIC_POINTS = f"""
INSERT INTO metric_points (
    tenant, time, start_time_unix_nano, service, name, description, unit, type, temporality, monotonic, series, attributes_string, value_type,
    value_int, resource_fingerprint, resource_string, resource_other, scope_name, bus_partition, bus_offset, received_at)
WITH
    number % 600 AS place, intDiv(number, 600) AS tick, {SERVICES}[1 + place % 10] AS service, intDiv(place, 10) % 3 AS pod,
    intDiv(place, 30) AS route, {{start:Int64}} + tick * 10000000000 AS measured
SELECT
    {{tenant:String}}, fromUnixTimestamp64Nano(toInt64(measured), 'UTC'), toUInt64({{start:Int64}}), service, 'http.server.requests',
    'Requests answered', '{{request}}', 'sum', 2, true, cityHash64(place), map('http.route', concat('/r/', toString(route))), 'int',
    toInt64(tick * 7), cityHash64(place % 10, pod), {_RESOURCE}, map('process.pid', concat('i', toString(pod + 1))), 'meter', place % 4, tick,
    fromUnixTimestamp64Nano(toInt64(measured), 'UTC')
FROM numbers({{first:UInt64}}, {{count:UInt64}})
"""
