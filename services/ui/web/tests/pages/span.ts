import type { Span } from "../../src/api/schema";

/** A span with nothing special about it; times in nanoseconds. */
export function makeSpan(overrides: Partial<Span> & { start?: number; duration?: number } = {}): Span {
  const { start = 0, duration = 10, ...rest } = overrides;
  const base = 1_700_000_000_000_000_000n;
  return {
    trace_id: "00".repeat(16),
    span_id: "01",
    parent_span_id: "",
    trace_state: "",
    flags: 1,
    name: "span",
    kind: "INTERNAL",
    service: "shop",
    start_time_unix_nano: String(base + BigInt(start)),
    end_time_unix_nano: String(base + BigInt(start + duration)),
    duration_nano: String(duration),
    duration_fault: "none",
    attributes: {},
    dropped_attributes_count: 0,
    events: [],
    dropped_events_count: 0,
    links: [],
    dropped_links_count: 0,
    status: { code: "UNSET", message: "" },
    resource_attributes: {},
    resource_dropped_attributes_count: 0,
    resource_entity_refs: [],
    resource_schema_url: "",
    scope: { name: "", version: "", attributes: {}, dropped_attributes_count: 0 },
    scope_schema_url: "",
    ...rest,
  };
}
