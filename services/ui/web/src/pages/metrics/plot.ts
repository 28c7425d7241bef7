/** Series of a metric to the columns of a chart: grouped by an attribute, on a common grid of times. */

import type { Exemplar, MetricPoints, MetricSeries } from "../../api/schema";
import type { MetricShape } from "./points";
import { attributeText } from "../../format/attribute";
import { nanos } from "../../format/duration";
import type { Bucket } from "./points";
import { bucketSamples, mergeBuckets, quantile, samples, toNumber } from "./points";

export const QUANTILES = [0.5, 0.95, 0.99] as const;
/** More lines than this nobody can tell apart; the ones with the highest mean are kept. */
export const MAX_LINES = 24;
/** Dots closer than this cannot be hit with a pointer. */
const MAX_EXEMPLARS = 60;

export interface Line {
  label: string;
  values: (number | null)[];
}

export interface ExemplarDot {
  timeMs: number;
  value: number;
  exemplar: Exemplar;
}

export interface Plot {
  timesMs: number[];
  lines: Line[];
  /** Lines that were left out. */
  hidden: number;
  exemplars: ExemplarDot[];
}

export interface HeatPlot {
  timesMs: number[];
  bounds: number[];
  counts: number[][];
}

interface Grid {
  fromMs: number;
  stepMs: number;
  cells: number;
}

export function isHistogram(type: MetricShape["type"]): boolean {
  return type === "histogram" || type === "exponential_histogram";
}

/** One line per group: rates and counts add up, gauges are averaged; histograms give a line per group and quantile. */
export function plotMetric(data: MetricPoints, groupBy: string | null, fromMs: number, toMs: number): Plot {
  const grid = gridFor(data.series, fromMs, toMs);
  const lines: Line[] = [];
  for (const [label, members] of grouped(data.series, groupBy)) {
    const histograms = members.filter(({ type }) => isHistogram(type));
    const summaries = members.filter(({ type }) => type === "summary");
    const values = members.filter(({ type }) => type === "gauge" || type === "sum");
    if (histograms.length > 0) lines.push(...quantileLines(label, histograms, grid));
    if (summaries.length > 0) lines.push(...summaryLines(label, summaries, grid));
    if (values.length > 0) lines.push(valueLine(label, values, grid));
  }
  const shown = strongest(lines);
  return { timesMs: gridTimes(grid), lines: shown, hidden: lines.length - shown.length, exemplars: highestPerCell(exemplarDots(data.series), grid) };
}

/** All series of a histogram as one heat map. */
export function heatMetric(data: MetricPoints, fromMs: number, toMs: number): HeatPlot {
  const grid = gridFor(data.series, fromMs, toMs);
  const cells = bucketCells(data.series.filter(({ type }) => isHistogram(type)), grid);
  const bounds = [...new Set(cells.flatMap((cell) => cell.filter(({ count }) => count > 0).map(({ upper }) => upper)))].sort(
    (a, b) => a - b,
  );
  const rowOf = new Map(bounds.map((bound, row) => [bound, row]));
  const counts = bounds.map(() => new Array<number>(grid.cells).fill(0));
  for (const [column, cell] of cells.entries()) {
    for (const { upper, count } of cell) {
      const row = counts[rowOf.get(upper) ?? -1];
      if (row) row[column] = (row[column] ?? 0) + count;
    }
  }
  return { timesMs: gridTimes(grid), bounds, counts };
}

function grouped(series: readonly MetricSeries[], groupBy: string | null): Map<string, MetricSeries[]> {
  const groups = new Map<string, MetricSeries[]>();
  for (const one of series) {
    const label = seriesLabel(one, groupBy);
    const members = groups.get(label);
    if (members) members.push(one);
    else groups.set(label, [one]);
  }
  return groups;
}

/** `groupBy` null is each series by itself; "" is all as one. */
export function seriesLabel(series: MetricSeries, groupBy: string | null): string {
  if (groupBy === "") return "";
  if (groupBy === "service") return series.service;
  if (groupBy !== null) {
    const value = series.attributes[groupBy] ?? series.resource_attributes[groupBy];
    return value === undefined ? "–" : attributeText(value);
  }
  const pairs = Object.entries(series.attributes).map(([key, value]) => `${key}=${attributeText(value)}`);
  return [series.service, ...pairs.sort()].join(" ");
}

/** Cells as wide as the reporting interval, but no more of them than a chart has room for. */
function gridFor(series: readonly MetricSeries[], fromMs: number, toMs: number): Grid {
  const gaps: number[] = [];
  for (const { points } of series.slice(0, 50)) {
    for (let index = 1; index < Math.min(points.length, 20); index += 1) {
      const gap = Number(nanos(points[index]?.time_unix_nano) - nanos(points[index - 1]?.time_unix_nano)) / 1e6;
      if (gap > 0) gaps.push(gap);
    }
  }
  gaps.sort((a, b) => a - b);
  const interval = gaps[gaps.length >> 1] ?? (toMs - fromMs) / 60;
  const stepMs = Math.max(interval, (toMs - fromMs) / 300, 1);
  return { fromMs, stepMs, cells: Math.max(1, Math.ceil((toMs - fromMs) / stepMs)) };
}

function gridTimes({ fromMs, stepMs, cells }: Grid): number[] {
  return Array.from({ length: cells }, (_, index) => fromMs + (index + 0.5) * stepMs);
}

function cellOf(timeMs: number, { fromMs, stepMs, cells }: Grid): number | null {
  const cell = Math.floor((timeMs - fromMs) / stepMs);
  return cell >= 0 && cell < cells ? cell : null;
}

/** Means inside each cell. */
function onGrid(points: readonly { timeMs: number; value: number }[], grid: Grid): (number | null)[] {
  const sums = new Float64Array(grid.cells);
  const counts = new Uint32Array(grid.cells);
  for (const { timeMs, value } of points) {
    const cell = cellOf(timeMs, grid);
    if (cell === null || !Number.isFinite(value)) continue;
    sums[cell] = (sums[cell] ?? 0) + value;
    counts[cell] = (counts[cell] ?? 0) + 1;
  }
  return Array.from(sums, (sum, cell) => (counts[cell] ? sum / (counts[cell] ?? 1) : null));
}

function valueLine(label: string, members: readonly MetricSeries[], grid: Grid): Line {
  const columns = members.map((series) => onGrid(samples(series), grid));
  return { label, values: combined(columns, members.every(({ type }) => type === "sum")) };
}

function combined(columns: readonly (number | null)[][], adds: boolean): (number | null)[] {
  return (columns[0] ?? []).map((_, cell) => {
    const values = columns.map((column) => column[cell] ?? null).filter((value) => value !== null);
    if (values.length === 0) return null;
    const sum = values.reduce((total, value) => total + value, 0);
    return adds ? sum : sum / values.length;
  });
}

function bucketCells(members: readonly MetricSeries[], grid: Grid): Bucket[][] {
  const parts: (readonly Bucket[])[][] = Array.from({ length: grid.cells }, () => []);
  for (const series of members) {
    for (const { timeMs, buckets } of bucketSamples(series)) {
      const cell = cellOf(timeMs, grid);
      if (cell !== null) parts[cell]?.push(buckets);
    }
  }
  return parts.map(mergeBuckets);
}

function quantileLines(label: string, members: readonly MetricSeries[], grid: Grid): Line[] {
  const cells = bucketCells(members, grid);
  return QUANTILES.map((rank) => ({
    label: withQuantile(label, rank),
    values: cells.map((cell) => finite(quantile(cell, rank))),
  }));
}

/** Summaries bring their own quantiles, which cannot be merged; the members' mean is shown. */
function summaryLines(label: string, members: readonly MetricSeries[], grid: Grid): Line[] {
  const ranks = new Set(
    members.flatMap(({ points }) => points.flatMap((point) => point.quantile_values?.map(({ quantile: rank }) => toNumber(rank)) ?? [])),
  );
  return [...ranks].sort((a, b) => a - b).map((rank) => ({
    label: withQuantile(label, rank),
    values: combined(members.map((series) => onGrid(quantileSamples(series, rank), grid)), false),
  }));
}

function quantileSamples(series: MetricSeries, rank: number): { timeMs: number; value: number }[] {
  return series.points.flatMap((point) => {
    const found = point.quantile_values?.find(({ quantile: candidate }) => toNumber(candidate) === rank);
    return found ? [{ timeMs: Number(nanos(point.time_unix_nano) / 1_000_000n), value: toNumber(found.value) }] : [];
  });
}

function withQuantile(label: string, rank: number): string {
  const name = `p${Number((rank * 100).toFixed(2))}`;
  return label === "" ? name : `${label} ${name}`;
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function strongest(lines: readonly Line[]): Line[] {
  if (lines.length <= MAX_LINES) return [...lines];
  const mean = ({ values }: Line): number => {
    const known = values.filter((value) => value !== null);
    return known.reduce((sum, value) => sum + value, 0) / (known.length || 1);
  };
  return lines.toSorted((a, b) => mean(b) - mean(a)).slice(0, MAX_LINES);
}

/** SDKs send one exemplar per bucket and interval; the slowest of each moment is the one worth opening. */
function highestPerCell(dots: readonly ExemplarDot[], grid: Grid): ExemplarDot[] {
  const highest = new Map<number, ExemplarDot>();
  const cells = Math.min(grid.cells, MAX_EXEMPLARS);
  for (const dot of dots) {
    const cell = Math.floor(((dot.timeMs - grid.fromMs) / (grid.stepMs * grid.cells)) * cells);
    const known = highest.get(cell);
    if (!known || known.value < dot.value) highest.set(cell, dot);
  }
  return [...highest.values()];
}

function exemplarDots(series: readonly MetricSeries[]): ExemplarDot[] {
  return series.flatMap(({ points }) =>
    points.flatMap(({ exemplars }) =>
      (exemplars ?? [])
        .filter(({ trace_id: traceId }) => traceId !== "")
        .map((exemplar) => ({
          timeMs: Number(nanos(exemplar.time_unix_nano) / 1_000_000n),
          value: toNumber(exemplar.as_int ?? exemplar.as_double),
          exemplar,
        }))
        .filter(({ value }) => Number.isFinite(value)),
    ),
  );
}
