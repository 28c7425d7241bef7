/** Data points of one series to numbers over time: values, rates, and bucket counts per interval. Times are unix ms. */

import type { Buckets, DataPoint, MetricPoints, MetricSeries } from "../../api/schema";

/** One name may come in several shapes: one SDK sends deltas, another cumulative sums. Nulls are of answers without a series. */
export type MetricShape = Pick<MetricPoints, "type" | "temporality" | "monotonic">;
import { nanos } from "../../format/duration";

export interface Sample {
  timeMs: number;
  value: number;
}

/** Counts of values in (lower, upper]. */
export interface Bucket {
  lower: number;
  upper: number;
  count: number;
}

export interface BucketSample {
  timeMs: number;
  buckets: Bucket[];
}

export function toNumber(value: number | string | null | undefined): number {
  return value === null || value === undefined ? Number.NaN : Number(value);
}

function timeMs(nano: string): number {
  return Number(nanos(nano) / 1_000_000n);
}

function pointValue(point: DataPoint): number {
  return toNumber(point.as_int ?? point.as_double);
}

/** Whether the chart shows a rate per second: only sums that can only grow have one. */
export function isRate({ type, monotonic }: MetricShape): boolean {
  return type === "sum" && monotonic === true;
}

/** The line of a gauge or sum; monotonic sums become rates per second. */
export function samples(series: MetricSeries): Sample[] {
  const points = inOrder(series.points);
  if (!isRate(series)) return points.map((point) => ({ timeMs: timeMs(point.time_unix_nano), value: pointValue(point) }));
  const found: Sample[] = [];
  for (const [index, point] of points.entries()) {
    const before = points[index - 1];
    const at = timeMs(point.time_unix_nano);
    const start = timeMs(point.start_time_unix_nano);
    if (series.temporality === "DELTA") {
      const since = start > 0 && start < at ? start : before ? timeMs(before.time_unix_nano) : Number.NaN;
      push(found, at, pointValue(point), at - since);
    } else if (before && !restarted(before, point, pointValue(before), pointValue(point))) {
      push(found, at, pointValue(point) - pointValue(before), at - timeMs(before.time_unix_nano));
    } else if (before) {
      // The process restarted: all it has counted, it counted since then.
      const since = Math.max(start, timeMs(before.time_unix_nano));
      push(found, at, pointValue(point), at - since);
    }
  }
  return found;
}

function push(into: Sample[], at: number, increase: number, elapsedMs: number): void {
  if (elapsedMs > 0 && Number.isFinite(increase)) into.push({ timeMs: at, value: (increase / elapsedMs) * 1000 });
}

function restarted(before: DataPoint, point: DataPoint, earlier: number, later: number): boolean {
  return point.start_time_unix_nano !== before.start_time_unix_nano || later < earlier;
}

/** What a histogram counted in each interval. */
export function bucketSamples(series: MetricSeries): BucketSample[] {
  const points = inOrder(series.points);
  const found: BucketSample[] = [];
  for (const [index, point] of points.entries()) {
    const before = points[index - 1];
    const buckets = pointBuckets(point);
    if (series.temporality === "CUMULATIVE") {
      if (!before) continue;
      const earlier = restarted(before, point, toNumber(before.count), toNumber(point.count)) ? [] : pointBuckets(before);
      found.push({ timeMs: timeMs(point.time_unix_nano), buckets: subtract(buckets, earlier) });
    } else {
      found.push({ timeMs: timeMs(point.time_unix_nano), buckets });
    }
  }
  return found;
}

function subtract(later: Bucket[], earlier: Bucket[]): Bucket[] {
  const before = new Map(earlier.map((bucket) => [bucket.upper, bucket.count]));
  return later.map((bucket) => ({ ...bucket, count: Math.max(0, bucket.count - (before.get(bucket.upper) ?? 0)) }));
}

/** The buckets of one point, in order, without the empty ones of an exponential histogram. */
export function pointBuckets(point: DataPoint): Bucket[] {
  if (point.positive || point.negative || point.scale !== undefined) return exponentialBuckets(point);
  const bounds = (point.explicit_bounds ?? []).map(toNumber);
  return (point.bucket_counts ?? []).map((count, index) => ({
    lower: bounds[index - 1] ?? -Infinity,
    upper: bounds[index] ?? Infinity,
    count: Number(count),
  }));
}

function exponentialBuckets(point: DataPoint): Bucket[] {
  const scale = point.scale ?? 0;
  const bound = (index: number): number => 2 ** (index / 2 ** scale);
  const side = (buckets: Buckets | null | undefined, sign: 1 | -1): Bucket[] =>
    (buckets?.bucket_counts ?? []).flatMap((count, position) => {
      const index = (buckets?.offset ?? 0) + position;
      const [near, far] = [bound(index) * sign, bound(index + 1) * sign];
      return count === "0" ? [] : [{ lower: Math.min(near, far), upper: Math.max(near, far), count: Number(count) }];
    });
  const threshold = toNumber(point.zero_threshold ?? 0);
  const zero = Number(point.zero_count ?? 0);
  return [
    ...side(point.negative, -1).reverse(),
    ...(zero > 0 ? [{ lower: -threshold, upper: threshold, count: zero }] : []),
    ...side(point.positive, 1),
  ];
}

/** Linear inside the bucket that holds the rank, as Prometheus does it. NaN when nothing was counted. */
export function quantile(buckets: readonly Bucket[], rank: number): number {
  const total = buckets.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return Number.NaN;
  let seen = 0;
  for (const { lower, upper, count } of buckets) {
    if (count === 0 || seen + count < rank * total) {
      seen += count;
      continue;
    }
    // The outer buckets have no width; their finite side is all that is known.
    if (upper === Infinity) return Number.isFinite(lower) ? lower : Number.NaN;
    const from = lower === -Infinity ? Math.min(0, upper) : lower;
    return from + (upper - from) * ((rank * total - seen) / count);
  }
  return buckets.at(-1)?.lower ?? Number.NaN;
}

/** The buckets of several series as one, in order. */
export function mergeBuckets(all: readonly (readonly Bucket[])[]): Bucket[] {
  const merged = new Map<string, Bucket>();
  for (const bucket of all.flat()) {
    const key = `${bucket.lower} ${bucket.upper}`;
    const found = merged.get(key);
    if (found) found.count += bucket.count;
    else merged.set(key, { ...bucket });
  }
  return [...merged.values()].sort((a, b) => a.upper - b.upper || a.lower - b.lower);
}

function inOrder(points: readonly DataPoint[]): DataPoint[] {
  return points.toSorted((a, b) => {
    const difference = nanos(a.time_unix_nano) - nanos(b.time_unix_nano);
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  });
}
