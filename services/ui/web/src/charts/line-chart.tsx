/** Lines over time, with exemplars as dots. */

import type { ReactNode } from "react";
import { useCallback, useMemo } from "react";
import uPlot from "uplot";
import { formatDateTime } from "../format/instant";
import { useTime } from "../time/context";
import { widened } from "../time/range";
import { useLatest } from "../ui/use-latest";
import type { ColorOf } from "./colors";
import { withAlpha } from "./colors";
import type { PlotSpec } from "./plot";
import { Plot } from "./plot";
import { TipBody } from "./tip";

export interface ChartLine {
  label: string;
  /** A custom property's name, such as "--accent". */
  color: string;
  values: readonly (number | null)[];
  filled?: boolean;
}

export interface ChartDot {
  timeMs: number;
  value: number;
}

interface LineChartProps {
  timesMs: readonly number[];
  lines: readonly ChartLine[];
  format: (value: number) => string;
  label: string;
  height?: number;
  syncKey?: string;
  dots?: readonly ChartDot[];
  onDot?: (index: number) => void;
  dotHint?: string;
}

const NO_DOTS: readonly ChartDot[] = [];
const DOT_RADIUS = 3.5;
const DOT_REACH = 9;

export function LineChart(props: LineChartProps): ReactNode {
  const { timesMs, lines, format, label, height = 190, dots = NO_DOTS, onDot, dotHint } = props;
  const { zone, zoom, setRange, interval } = useTime();
  const data = useMemo(
    () => [timesMs, ...lines.map((line) => line.values)] as unknown as uPlot.AlignedData,
    [timesMs, lines],
  );
  const dotsNow = useLatest(dots);
  // The plot is built again only when its lines change in kind, not with every refresh of their values.
  const looks = JSON.stringify(lines.map(({ label: name, color, filled }) => [name, color, filled]));
  const spec = useCallback((color: ColorOf) => lineSpec(JSON.parse(looks) as Look[], format, color, dotsNow), [looks, format, dotsNow]);
  const hasDots = dots.length > 0;
  return (
    <Plot
      spec={spec}
      data={data}
      height={height}
      label={label}
      {...(props.syncKey ? { syncKey: props.syncKey } : {})}
      onSelect={({ fromMs, toMs }) => zoom(fromMs, toMs)}
      onZoomOut={() => setRange(widened(interval, Date.now()))}
      onClick={(plot, left, top) => {
        const found = nearestDot(plot, dotsNow.current, left, top);
        if (found >= 0) onDot?.(found);
      }}
      tip={({ index }) => {
        const at = timesMs[index];
        if (at === undefined) return null;
        const rows = lines
          .map((line) => ({ label: line.label, value: line.values[index] ?? null, color: `var(${line.color})` }))
          .filter((row) => row.value !== null)
          .sort((a, b) => (b.value ?? 0) - (a.value ?? 0))
          .map((row) => ({ ...row, value: format(row.value ?? 0) }));
        return <TipBody title={formatDateTime(at, zone)} rows={rows} more={hasDots ? dotHint : undefined} />;
      }}
    />
  );
}

type Look = [label: string, color: string, filled: boolean | undefined];

function lineSpec(looks: readonly Look[], format: (value: number) => string, color: ColorOf, dots: { current: readonly ChartDot[] }): PlotSpec {
  return {
    series: looks.map(([label, name, filled]) => ({
      label,
      stroke: color(name),
      width: 1.5,
      points: { show: (u, index) => isLonely(u, index), size: 4, fill: color(name) },
      ...(filled ? { fill: withAlpha(color(name), 0.12) } : {}),
    })),
    // From zero, because a line that seems to double should have doubled.
    scaleY: { range: (_, min, max) => rangeFromZero(min, max) },
    axisY: { values: (_, splits) => splits.map(format), space: 36 },
    draw: (plot) => drawDots(plot, dots.current, color),
  };
}

/** Without any value uPlot has null for both ends, whatever its types say. */
function rangeFromZero(min: number, max: number): [number, number] {
  const low = Number.isFinite(min) ? Math.min(0, min) : 0;
  const high = Number.isFinite(max) ? Math.max(0, max) * 1.12 : 0;
  return [low, high > low ? high : low + 1];
}

/** A series of single points between gaps would be invisible as a line. */
function isLonely(plot: uPlot, index: number): boolean {
  const values = plot.data[index] ?? [];
  let known = 0;
  for (let at = 0; at < values.length && known < 3; at += 1) if (values[at] !== null && values[at] !== undefined) known += 1;
  return known < 3;
}

function drawDots(plot: uPlot, dots: readonly ChartDot[], color: ColorOf): void {
  const { ctx } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.fillStyle = color("--warn-solid");
  ctx.strokeStyle = color("--surface");
  ctx.lineWidth = 1.5 * ratio;
  for (const dot of dots) {
    const { left, top } = positionOf(plot, dot);
    if (left < 0 || left > plot.over.clientWidth) continue;
    const x = plot.bbox.left + left * ratio;
    const y = plot.bbox.top + top * ratio;
    ctx.beginPath();
    // A diamond: shape, not colour alone, tells exemplars from lines.
    ctx.moveTo(x, y - DOT_RADIUS * 1.3 * ratio);
    ctx.lineTo(x + DOT_RADIUS * 1.3 * ratio, y);
    ctx.lineTo(x, y + DOT_RADIUS * 1.3 * ratio);
    ctx.lineTo(x - DOT_RADIUS * 1.3 * ratio, y);
    ctx.closePath();
    ctx.stroke();
    ctx.fill();
  }
  ctx.restore();
}

function positionOf(plot: uPlot, dot: ChartDot): { left: number; top: number } {
  const top = plot.valToPos(dot.value, "y");
  // Higher than the lines reach: at the upper edge, rather than out of sight.
  return { left: plot.valToPos(dot.timeMs, "x"), top: Math.max(4, Math.min(top, plot.over.clientHeight - 4)) };
}

function nearestDot(plot: uPlot, dots: readonly ChartDot[], left: number, top: number): number {
  let best = -1;
  let bestDistance = DOT_REACH ** 2;
  for (const [index, dot] of dots.entries()) {
    const at = positionOf(plot, dot);
    const distance = (at.left - left) ** 2 + (at.top - top) ** 2;
    if (distance < bestDistance) [best, bestDistance] = [index, distance];
  }
  return best;
}
