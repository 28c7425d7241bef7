/** A time range as the URL holds it, and what it means at an instant. */

import { parseDuration } from "../format/duration";

/** `from` and `to` are "now", "now-<duration>" or RFC 3339 with a zone. */
export interface TimeRange {
  from: string;
  to: string;
}

/** Unix milliseconds, `fromMs < toMs`. */
export interface Interval {
  fromMs: number;
  toMs: number;
}

/** What happens now; also what a new installation has within minutes. */
export const DEFAULT_RANGE: TimeRange = { from: "now-15m", to: "now" };

/** Presets of the picker, in milliseconds. */
export const PRESETS: readonly { text: string; ms: number }[] = (
  ["5m", "15m", "30m", "1h", "3h", "6h", "12h", "24h", "2d", "7d", "30d"] as const
).map((text) => ({ text, ms: (parseDuration(text) ?? 0) / 1e6 }));

/** Null when `text` is not one of the three forms. */
export function resolveBound(text: string, nowMs: number): number | null {
  if (text === "now") return nowMs;
  const relative = /^now-(.+)$/.exec(text);
  if (relative) {
    const back = parseDuration(relative[1] ?? "");
    return back === null ? null : nowMs - Math.round(back / 1e6);
  }
  if (!/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}/.test(text)) return null;
  const parsed = Date.parse(text);
  return Number.isNaN(parsed) ? null : parsed;
}

/** What the range covers at `nowMs`. Falls back to the default for text it cannot read, and is at least 1 ms wide. */
export function resolve(range: TimeRange, nowMs: number): Interval {
  const from = resolveBound(range.from, nowMs);
  const to = resolveBound(range.to, nowMs);
  if (from === null || to === null) return resolve(DEFAULT_RANGE, nowMs);
  const [low, high] = from <= to ? [from, to] : [to, from];
  return { fromMs: low, toMs: Math.max(high, low + 1) };
}

export function isRelative(range: TimeRange): boolean {
  return range.from.startsWith("now") || range.to.startsWith("now");
}

/** Whole milliseconds that cover the interval. */
export function absolute(fromMs: number, toMs: number): TimeRange {
  return { from: new Date(Math.floor(fromMs)).toISOString(), to: new Date(Math.ceil(toMs)).toISOString() };
}

export function lastMs(ms: number): TimeRange {
  const preset = PRESETS.find((candidate) => candidate.ms === ms);
  return { from: `now-${preset ? preset.text : `${ms}ms`}`, to: "now" };
}

/** The same width, moved by `steps` half-widths; never past `nowMs`. */
export function shifted({ fromMs, toMs }: Interval, steps: number, nowMs: number): TimeRange {
  const width = toMs - fromMs;
  const end = Math.min(toMs + (steps * width) / 2, nowMs);
  return absolute(end - width, end);
}

/** Twice as wide around the middle, ending at `nowMs` at the latest. */
export function widened({ fromMs, toMs }: Interval, nowMs: number): TimeRange {
  const width = toMs - fromMs;
  const end = Math.min(toMs + width / 2, nowMs);
  return absolute(end - width * 2, end);
}

/** Nanosecond text for the API. */
export function apiTimes({ fromMs, toMs }: Interval): { from: string; to: string } {
  return { from: `${Math.floor(fromMs)}000000`, to: `${Math.ceil(toMs)}000000` };
}
