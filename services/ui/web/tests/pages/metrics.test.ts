import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { DataPoint, MetricPoints, MetricSeries } from "../../src/api/schema";
import type { MetricShape } from "../../src/pages/metrics/points";
import { MAX_LINES, heatMetric, plotMetric } from "../../src/pages/metrics/plot";
import { joined } from "../../src/pages/metrics/use-metric";
import { mergeBuckets, pointBuckets, quantile, samples } from "../../src/pages/metrics/points";

const T0 = 1_700_000_000_000;

function point(second: number, rest: Partial<DataPoint>, startSecond = 0): DataPoint {
  return {
    start_time_unix_nano: `${T0 + startSecond * 1000}000000`,
    time_unix_nano: `${T0 + second * 1000}000000`,
    flags: 0,
    ...rest,
  };
}

const GAUGE = { type: "gauge", temporality: "UNSPECIFIED", monotonic: false } as const satisfies MetricShape;

type Shape = Pick<MetricSeries, "type" | "temporality" | "monotonic">;

function series(points: DataPoint[], attributes = {}, shape: Shape = GAUGE): MetricSeries {
  const scope = { name: "", version: "", attributes: {}, dropped_attributes_count: 0 };
  return {
    ...shape, attributes, unit: "", description: "", metadata: {}, resource_attributes: {}, resource_dropped_attributes_count: 0,
    resource_entity_refs: [], resource_schema_url: "", scope_schema_url: "", service: "shop", scope, points,
  };
}

const CUMULATIVE = { type: "sum", temporality: "CUMULATIVE", monotonic: true } as const;
const DELTA = { type: "sum", temporality: "DELTA", monotonic: true } as const;

function metric(shape: Partial<Shape>, all: MetricSeries[]): MetricPoints {
  const { type, temporality, monotonic } = { ...GAUGE, ...shape };
  return {
    name: "m", unit: "", description: "", next_cursor: null, ...shape, type, temporality, monotonic,
    series: all.map((one) => ({ ...one, type, temporality, monotonic })),
  };
}

describe("samples", () => {
  it("turns a cumulative sum into a rate and survives a restart", () => {
    const points = [
      point(10, { as_int: "100" }),
      point(20, { as_int: "150" }),
      point(30, { as_int: "20" }, 25),
      point(40, { as_int: "30" }, 25),
    ];
    expect(samples(series(points, {}, CUMULATIVE)).map(({ value }) => value)).toEqual([5, 4, 1]);
  });

  it("divides a delta by its own interval", () => {
    const points = [point(10, { as_double: 30 }), point(20, { as_double: 10 }, 15)];
    expect(samples(series(points, {}, DELTA)).map(({ value }) => value)).toEqual([3, 2]);
  });

  it("sorts what arrives out of order and never shows a negative rate", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.nat({ max: 1e6 }))), (pairs) => {
        const points = pairs.map(([second, value]) => point(second, { as_int: String(value) }));
        for (const { value } of samples(series(points, {}, CUMULATIVE))) expect(value).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it("leaves gauges and non-monotonic sums alone", () => {
    const points = [point(10, { as_double: -1.5 }), point(20, { as_double: "NaN" })];
    expect(samples(series(points, {}, GAUGE))[0]?.value).toBe(-1.5);
    expect(samples(series(points, {}, { ...CUMULATIVE, monotonic: false }))).toHaveLength(2);
  });
});

describe("quantile", () => {
  const buckets = pointBuckets(point(0, { bucket_counts: ["0", "10", "10", "0"], explicit_bounds: [1, 2, 4] }));

  it("interpolates", () => {
    expect(quantile(buckets, 0.5)).toBe(2);
    expect(quantile(buckets, 0.75)).toBe(3);
    expect(quantile([], 0.5)).toBeNaN();
  });

  it("is monotonic and stays within the buckets", () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 100 }), { minLength: 4, maxLength: 4 }), fc.float({ min: 0, max: 1, noNaN: true }), fc.float({ min: 0, max: 1, noNaN: true }), (counts, a, b) => {
        const some = pointBuckets(point(0, { bucket_counts: counts.map(String), explicit_bounds: [1, 2, 4] }));
        if (counts.every((count) => count === 0)) return;
        const [low, high] = [quantile(some, Math.min(a, b)), quantile(some, Math.max(a, b))];
        expect(low).toBeLessThanOrEqual(high);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(high).toBeLessThanOrEqual(4);
      }),
    );
  });

  it("reads exponential buckets", () => {
    const some = pointBuckets(point(0, { scale: 0, zero_count: "2", positive: { offset: 0, bucket_counts: ["1", "0", "3"] }, negative: { offset: 1, bucket_counts: ["1"] } }));
    expect(some).toEqual([
      { lower: -4, upper: -2, count: 1 },
      { lower: -0, upper: 0, count: 2 },
      { lower: 1, upper: 2, count: 1 },
      { lower: 4, upper: 8, count: 3 },
    ]);
    expect(mergeBuckets([some, some]).map(({ count }) => count)).toEqual([2, 4, 2, 6]);
  });
});

describe("joined", () => {
  it("puts a series together that the page's end cut, and keeps others apart", () => {
    const [a, b] = [point(1, { as_int: "1" }), point(2, { as_int: "2" })];
    const pages = [series([a], { host: "a" }), series([a], { host: "b" }), series([b], { host: "b" }), series([b], { host: "c" })];
    expect(joined(pages).map(({ attributes, points }) => [attributes.host, points.length])).toEqual([["a", 1], ["b", 2], ["c", 1]]);
    expect(pages[1]?.points).toHaveLength(1);
  });
});

describe("plotMetric", () => {
  it("adds rates and averages gauges inside a group", () => {
    const make = (value: number, host: string) =>
      series([0, 10, 20].map((second) => point(second, { as_double: value * (second + 1) })), { host });
    const all = [make(1, "a"), make(3, "a"), make(10, "b")];
    const gauge = plotMetric(metric({ type: "gauge" }, all), "host", T0, T0 + 30_000);
    expect(gauge.lines.map(({ label, values }) => [label, values[0]])).toEqual([["a", 2], ["b", 10]]);
    const sum = plotMetric(metric({ type: "sum", temporality: "CUMULATIVE", monotonic: true }, all), "", T0, T0 + 30_000);
    expect(sum.lines).toEqual([{ label: "", values: [null, 14, 14] }]);
    expect(plotMetric(metric({}, all), null, T0, T0 + 30_000).lines[0]?.label).toBe("shop host=a");
    expect(plotMetric(metric({}, all), "none", T0, T0 + 30_000).lines[0]?.label).toBe("–");
  });

  it("reads each series by its own shape, whatever the others with its name are", () => {
    const data = metric({ type: "sum", temporality: "CUMULATIVE", monotonic: true }, []);
    data.series = [
      series([10, 20].map((second) => point(second, { as_int: String(second * 5) })), {}, CUMULATIVE),
      series([point(20, { as_int: "30" }, 10)], {}, DELTA),
      series([point(20, { count: "4", bucket_counts: ["0", "4", "0"], explicit_bounds: [1, 3] })], {}, {
        type: "histogram", temporality: "DELTA", monotonic: false,
      }),
    ];
    const { lines } = plotMetric(data, "", T0, T0 + 30_000);
    expect(lines.map(({ label }) => label)).toEqual(["p50", "p95", "p99", ""]);
    expect(lines[0]?.values).toContain(2);
    expect(lines[3]?.values).toContain(8);
  });

  it("gives a line per quantile and a heat map of what was counted between points", () => {
    const points = [0, 10, 20].map((second) =>
      point(second, { count: String(second), bucket_counts: ["0", String(second), "0"], explicit_bounds: [1, 2] }),
    );
    const data = metric({ type: "histogram", temporality: "CUMULATIVE" }, [series(points)]);
    const plot = plotMetric(data, "", T0, T0 + 30_000);
    expect(plot.lines.map(({ label }) => label)).toEqual(["p50", "p95", "p99"]);
    expect(plot.lines[0]?.values).toEqual([null, 1.5, 1.5]);
    expect(heatMetric(data, T0, T0 + 30_000)).toMatchObject({ bounds: [2], counts: [[0, 10, 10]] });
  });

  it("keeps the strongest lines and says how many it left out", () => {
    const all = Array.from({ length: MAX_LINES + 5 }, (_, index) => series([point(0, { as_int: String(index) })], { index }));
    const plot = plotMetric(metric({}, all), null, T0, T0 + 1000);
    expect(plot.lines).toHaveLength(MAX_LINES);
    expect(plot.hidden).toBe(5);
    expect(plot.lines[0]?.label).toContain(`index=${MAX_LINES + 4}`);
  });

  it("carries exemplars that lead to a trace", () => {
    const exemplar = { time_unix_nano: `${T0 + 5000}000000`, as_double: 7.5, span_id: "01", trace_id: "02", filtered_attributes: {} };
    const data = metric({}, [series([point(10, { as_int: "1", exemplars: [exemplar, { ...exemplar, trace_id: "" }] })])]);
    expect(plotMetric(data, "", T0, T0 + 20_000).exemplars).toEqual([{ timeMs: T0 + 5000, value: 7.5, exemplar }]);
  });
});
