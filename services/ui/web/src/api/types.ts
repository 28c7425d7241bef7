/** The product API's JSON form. 64-bit fields are decimal strings; attribute values are described by AttributeValue. */

/** What JSON cannot hold comes as an object with one `$` key. */
export type AttributeValue =
  | string
  | number
  | boolean
  | null
  | { $int: string }
  | { $double: "NaN" | "Infinity" | "-Infinity" }
  | { $bytes: string }
  | { $kvlist: [string, AttributeValue][] }
  | AttributeValue[]
  | { [key: string]: AttributeValue };

/** Keys are unique unless the sender broke that rule; then all pairs are in one `$kvlist`. */
export type Attributes = Record<string, AttributeValue>;

export interface RedNumbers {
  request_count: number;
  error_count: number;
  request_rate: number;
  error_rate: number;
  p50_nano: string;
  p95_nano: string;
  p99_nano: string;
}

export interface RedSeries {
  time_unix_nano: string[];
  request_count: number[];
  error_count: number[];
  p95_nano: string[];
  p50_nano?: string[];
  p99_nano?: string[];
}

export interface Service extends RedNumbers {
  service: string;
  series: RedSeries;
}

export interface ServiceList {
  services: Service[];
  step_seconds: number;
}

export interface ServiceDetail extends Service {
  step_seconds: number;
}

export type SpanKind = "SERVER" | "CLIENT" | "INTERNAL" | "PRODUCER" | "CONSUMER" | "UNSPECIFIED";
export type StatusCode = "UNSET" | "OK" | "ERROR";

export interface Operation extends RedNumbers {
  operation: string;
  kind: SpanKind;
}

export interface TraceSummary {
  trace_id: string;
  root_service: string;
  root_name: string;
  start_time_unix_nano: string;
  duration_nano: string;
  span_count: number;
  error_count: number;
  services: { service: string; span_count: number; error_count: number }[];
  status: StatusCode;
  matched_spans: number;
}

export interface TracePage {
  traces: TraceSummary[];
  next_cursor: string | null;
}

/** `counts[bound][time]`; row i counts durations up to `duration_bounds_nano[i]` and above the bound before it. */
export interface DurationHeatMap {
  time_unix_nano: string[];
  step_seconds: number;
  duration_bounds_nano: string[];
  counts: number[][];
  error_counts: number[][];
}

export interface SpanEvent {
  time_unix_nano: string;
  name: string;
  attributes: Attributes;
  dropped_attributes_count: number;
}

export interface SpanLink {
  trace_id: string;
  span_id: string;
  trace_state: string;
  attributes: Attributes;
  dropped_attributes_count: number;
  flags: number;
}

export interface Scope {
  name: string;
  version: string;
  attributes: Attributes;
  dropped_attributes_count: number;
}

/** An entity the resource speaks of, by the keys of the attributes that identify and describe it. */
export interface EntityRef {
  schema_url: string;
  type: string;
  id_keys: string[];
  description_keys: string[];
}

export interface Origin {
  resource_attributes: Attributes;
  resource_dropped_attributes_count: number;
  resource_entity_refs: EntityRef[];
  resource_schema_url: string;
  scope: Scope;
  scope_schema_url: string;
}

export interface Span extends Origin {
  trace_id: string;
  span_id: string;
  parent_span_id: string;
  trace_state: string;
  flags: number;
  name: string;
  kind: SpanKind;
  service: string;
  start_time_unix_nano: string;
  end_time_unix_nano: string;
  duration_nano: string;
  attributes: Attributes;
  dropped_attributes_count: number;
  events: SpanEvent[];
  dropped_events_count: number;
  links: SpanLink[];
  dropped_links_count: number;
  status: { code: StatusCode; message: string };
}

export interface Trace {
  trace_id: string;
  spans: Span[];
  /** There are more spans than the API gives; these are the earliest. */
  truncated: boolean;
}

export interface LogRecord extends Origin {
  time_unix_nano: string;
  observed_time_unix_nano: string;
  severity_number: number;
  severity_text: string;
  body: AttributeValue;
  attributes: Attributes;
  dropped_attributes_count: number;
  flags: number;
  trace_id: string;
  span_id: string;
  event_name: string;
  service: string;
}

export interface LogPage {
  logs: LogRecord[];
  next_cursor: string | null;
}

export const SEVERITIES = ["FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "UNSET"] as const;
export type Severity = (typeof SEVERITIES)[number];

export interface LogHistogram {
  time_unix_nano: string[];
  step_seconds: number;
  series: Partial<Record<Severity, number[]>>;
}

export type MetricType = "gauge" | "sum" | "histogram" | "exponential_histogram" | "summary";
export type Temporality = "UNSPECIFIED" | "DELTA" | "CUMULATIVE";

export interface MetricDescription extends MetricShape {
  name: string;
  unit: string;
  description: string;
  attributes: string[];
  services: string[];
}

export interface MetricList {
  metrics: MetricDescription[];
}

export interface Exemplar {
  time_unix_nano: string;
  as_int?: string;
  as_double?: JsonDouble;
  span_id: string;
  trace_id: string;
  filtered_attributes: Attributes;
}

/** Doubles in fields: a number, or the name of one that JSON does not have. */
export type JsonDouble = number | "NaN" | "Infinity" | "-Infinity";

export interface Buckets {
  offset: number;
  bucket_counts: string[];
}

export interface MetricPoint {
  start_time_unix_nano: string;
  time_unix_nano: string;
  flags: number;
  as_int?: string;
  as_double?: JsonDouble;
  count?: string;
  sum?: JsonDouble | null;
  min?: JsonDouble | null;
  max?: JsonDouble | null;
  bucket_counts?: string[];
  explicit_bounds?: JsonDouble[];
  scale?: number;
  zero_count?: string;
  zero_threshold?: JsonDouble;
  positive?: Buckets;
  negative?: Buckets;
  quantile_values?: { quantile: JsonDouble; value: JsonDouble }[];
  exemplars?: Exemplar[];
}

/** One name may come in several shapes: one SDK sends deltas, another cumulative sums. */
export interface MetricShape {
  type: MetricType;
  temporality: Temporality;
  monotonic: boolean;
}

export interface MetricSeries extends MetricShape {
  attributes: Attributes;
  resource_attributes: Attributes;
  service: string;
  scope: Scope;
  points: MetricPoint[];
}

export interface MetricData extends Omit<MetricDescription, "attributes" | "services"> {
  series: MetricSeries[];
  next_cursor: string | null;
}

export interface AttributeKey {
  key: string;
  scope: string;
  type: string;
}

export interface Me {
  email: string;
  tenant: { id: string; name: string };
  roles: string[];
  otlp: { http: string; grpc: string } | null;
}

export interface CreatedApiKey {
  key: string;
  key_id: string;
  name: string;
}
