/** A line or bars without axes, in a table cell, on a base line that shows where there is no data. */

import type { ReactNode } from "react";
import { memo } from "react";

interface SparklineProps {
  /** Null is a gap. */
  values: readonly (number | null)[];
  /** A custom property's name. */
  color: string;
  /** The top of the scale; by default the highest value. */
  max?: number | undefined;
  /** For what is mostly zero: a line along the bottom says nothing. */
  bars?: boolean;
  label: string;
}

const WIDTH = 96;
const HEIGHT = 24;
const BASE = HEIGHT - 1.5;

export const Sparkline = memo(function Sparkline({ values, color, max, bars = false, label }: SparklineProps): ReactNode {
  const top = Math.max(max ?? 0, ...values.map((value) => value ?? 0));
  return (
    <svg className="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <path d={`M0 ${BASE}H${WIDTH}`} stroke="var(--line)" vectorEffect="non-scaling-stroke" />
      {bars ? (
        <path d={barsPath(values, top)} fill={`var(${color})`} />
      ) : (
        <>
          <path d={areaPath(values, top)} fill={`var(${color})`} opacity={0.14} />
          <path
            d={linePath(values, top)}
            fill="none"
            stroke={`var(${color})`}
            strokeWidth={1.5}
            strokeLinejoin="round"
            strokeLinecap="round"
            vectorEffect="non-scaling-stroke"
          />
        </>
      )}
    </svg>
  );
});

function point(index: number, value: number, count: number, top: number): string {
  const x = count > 1 ? (index / (count - 1)) * WIDTH : WIDTH / 2;
  const y = BASE - share(value, top) * (HEIGHT - 3);
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}

function share(value: number, top: number): number {
  return top > 0 ? value / top : 0;
}

function barsPath(values: readonly (number | null)[], top: number): string {
  const pitch = WIDTH / Math.max(1, values.length);
  return values
    .map((value, index) => {
      if (value === null || value <= 0) return "";
      const height = Math.max(2, share(value, top) * (HEIGHT - 3));
      return `M${(index * pitch).toFixed(1)} ${BASE}v${(-height).toFixed(1)}h${(pitch * 0.8).toFixed(1)}v${height.toFixed(1)}z`;
    })
    .join("");
}

function runs(values: readonly (number | null)[]): [number, number][][] {
  const found: [number, number][][] = [];
  let current: [number, number][] = [];
  for (const [index, value] of values.entries()) {
    if (value !== null && Number.isFinite(value)) current.push([index, value]);
    else if (current.length > 0) {
      found.push(current);
      current = [];
    }
  }
  return current.length > 0 ? [...found, current] : found;
}

function linePath(values: readonly (number | null)[], top: number): string {
  return runs(values)
    .map((run) => {
      const path = run.map(([index, value]) => point(index, value, values.length, top)).join("L");
      // A lone value would have no length and not show.
      return run.length === 1 ? `M${path}h0.01` : `M${path}`;
    })
    .join("");
}

function areaPath(values: readonly (number | null)[], top: number): string {
  return runs(values)
    .map((run) => {
      const first = run[0]?.[0] ?? 0;
      const last = run.at(-1)?.[0] ?? 0;
      const line = run.map(([index, value]) => point(index, value, values.length, top)).join("L");
      return `M${point(first, 0, values.length, top)}L${line}L${point(last, 0, values.length, top)}Z`;
    })
    .join("");
}
