/** Durations and instants in nanoseconds. The API sends them as decimal strings because they pass 2^53. */

export type Nanos = bigint;

/** Reads an API decimal string; anything else counts as zero, because one bad field must not take a page down. */
export function nanos(text: string | undefined): Nanos {
  return text !== undefined && /^-?\d+$/.test(text) ? BigInt(text) : 0n;
}

const UNITS = [
  { unit: "d", size: 86_400e9 },
  { unit: "h", size: 3_600e9 },
  { unit: "m", size: 60e9 },
  { unit: "s", size: 1e9 },
  { unit: "ms", size: 1e6 },
  { unit: "µs", size: 1e3 },
] as const;

/** Three significant digits below a minute ("1.23 ms", "45.6 s"), two units above ("2m 5s", "1d 3h"); "–" for none. */
export function formatDuration(value: bigint | number | string | null): string {
  if (value === null) return "–";
  const ns = typeof value === "string" ? Number(nanos(value)) : Number(value);
  if (!Number.isFinite(ns)) return "–";
  if (ns < 0) return `−${formatDuration(-ns)}`;
  for (const [index, { unit, size }] of UNITS.entries()) {
    // Just below the unit's size three digits would round up to "1000 µs"; give those to the larger unit.
    if (ns < size * 0.9995) continue;
    const smaller = UNITS[index + 1];
    if (size >= 60e9 && smaller) {
      const total = Math.round(ns / smaller.size);
      const per = size / smaller.size;
      const rest = total % per;
      return rest === 0 ? `${Math.floor(total / per)}${unit}` : `${Math.floor(total / per)}${unit} ${rest}${smaller.unit}`;
    }
    return `${threeDigits(ns / size)} ${unit}`;
  }
  return `${Math.round(ns)} ns`;
}

function threeDigits(value: number): string {
  const decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return String(Number(value.toFixed(decimals)));
}

/** For axis ticks, where "0" needs no unit. */
export function formatDurationTick(ns: number): string {
  return ns === 0 ? "0" : formatDuration(ns).replace(" ", "");
}

const PARSED_UNITS: Record<string, number> = { ns: 1, us: 1e3, "µs": 1e3, "μs": 1e3, ms: 1e6, s: 1e9, m: 60e9, min: 60e9, h: 3_600e9, d: 86_400e9 };

/** "200ms", "1.5s", "1m30s", "2h" to nanoseconds; null when it is not a duration. */
export function parseDuration(text: string): number | null {
  const compact = text.trim().toLowerCase().replace(/\s+/g, "");
  if (!/^(\d+(\.\d+)?(ns|us|µs|μs|ms|min|s|m|h|d))+$/.test(compact)) return null;
  let total = 0;
  for (const [, amount, unit] of compact.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|min|s|m|h|d)/g)) {
    total += Number(amount) * (PARSED_UNITS[unit ?? ""] ?? 0);
  }
  return total;
}

/** The shortest text that `parseDuration` and the query language both read, rounded to three significant digits. */
export function durationTerm(ns: number): string {
  const rounded = Number(ns.toPrecision(3));
  for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["us", 1e3]] as const) {
    if (rounded >= size) return `${Number((rounded / size).toPrecision(6))}${unit}`;
  }
  return `${Math.round(rounded)}ns`;
}
