/** Counts over time and value. Rows are buckets of the value, all drawn equally high, whatever their bounds. */

import type { ReactNode } from "react";
import { useCallback, useMemo } from "react";
import uPlot from "uplot";
import { formatDateTime } from "../format/instant";
import { useTime } from "../time/context";
import { widened } from "../time/range";
import { useLatest } from "../ui/use-latest";
import type { ColorOf } from "./colors";
import { mixed } from "./colors";
import type { PlotSpec } from "./plot";
import { Plot } from "./plot";
import { TipBody } from "./tip";

export interface HeatMapProps {
  /** Where each column begins. */
  timesMs: readonly number[];
  stepMs: number;
  /** Upper bound of each row, ascending. */
  bounds: readonly number[];
  /** `counts[row][column]`. */
  counts: readonly (readonly number[])[];
  /** How many of them failed. */
  errorCounts?: readonly (readonly number[])[] | undefined;
  formatBound: (value: number) => string;
  /** Bounds lie on a logarithmic scale: label its powers of ten rather than some of the bounds. */
  decades?: boolean;
  formatCell: (count: number, errors: number) => string;
  label: string;
  height?: number;
  /** `low` and `high` are bounds, infinite where the box reaches the edge; null when only time was selected. */
  onSelect: (fromMs: number, toMs: number, values: { low: number; high: number } | null) => void;
}

export function HeatMap(props: HeatMapProps): ReactNode {
  const { timesMs, stepMs, bounds, counts, formatBound, decades = false, formatCell, label, height = 190, onSelect } = props;
  const { zone, setRange, interval } = useTime();
  const grid = useLatest(props);
  const data = useMemo(() => {
    const columns = timesMs.map((_, column) => counts.reduce((sum, row) => sum + (row[column] ?? 0), 0));
    return [timesMs, columns] as unknown as uPlot.AlignedData;
  }, [timesMs, counts]);
  const rows = bounds.length;
  const spec = useCallback(
    (color: ColorOf): PlotSpec => ({
      series: [{ paths: () => null, points: { show: false } }],
      scaleY: { range: () => [0, Math.max(1, rows)] },
      axisY: {
        splits: () => (decades ? powersOfTen(grid.current.bounds).map(({ row }) => row) : rowTicks(rows, height)),
        values: (_, splits) =>
          decades
            ? powersOfTen(grid.current.bounds).map(({ value }) => formatBound(value))
            : splits.map((row) => (row === 0 ? "" : formatBound(grid.current.bounds[row - 1] ?? 0))),
        grid: { show: false },
      },
      box: true,
      draw: (plot) => drawCells(plot, grid.current, color),
    }),
    [rows, height, decades, formatBound, grid],
  );
  const select = (fromMs: number, toMs: number, low: number, high: number): void => {
    if (!Number.isFinite(low)) { onSelect(fromMs, toMs, null); return; }
    const first = Math.max(0, Math.floor(low));
    const last = Math.min(rows - 1, Math.ceil(high) - 1);
    onSelect(fromMs, toMs, {
      low: first === 0 ? -Infinity : (bounds[first - 1] ?? -Infinity),
      high: last === rows - 1 ? Infinity : (bounds[last] ?? Infinity),
    });
  };
  return (
    <Plot
      spec={spec}
      data={data}
      height={height}
      label={label}
      onSelect={({ fromMs, toMs, low, high }) => select(fromMs, toMs, low, high)}
      onZoomOut={() => setRange(widened(interval, Date.now()))}
      tip={({ x, y }) => {
        const column = timesMs.findIndex((start) => start <= x && x < start + stepMs);
        const row = Math.floor(y);
        const count = counts[row]?.[column] ?? 0;
        if (count === 0) return null;
        const range = `${formatBound(row === 0 ? 0 : (bounds[row - 1] ?? 0))} – ${formatBound(bounds[row] ?? 0)}`;
        const cell = formatCell(count, props.errorCounts?.[row]?.[column] ?? 0);
        return <TipBody title={formatDateTime(timesMs[column] ?? 0, zone)} rows={[{ label: range, value: cell }]} />;
      }}
    />
  );
}

/** Where the powers of ten between the first and last bound lie, in rows from the bottom. */
export function powersOfTen(bounds: readonly number[]): { row: number; value: number }[] {
  const found: { row: number; value: number }[] = [];
  for (let value = 10 ** Math.ceil(Math.log10(Math.max(1, bounds[0] ?? 1))); value <= (bounds.at(-1) ?? 0); value *= 10) {
    const above = bounds.findIndex((bound) => bound >= value);
    const [low, high] = [bounds[above - 1], bounds[above]];
    if (low === undefined || high === undefined || low <= 0) continue;
    // Row i reaches from bound i-1 to bound i, and its upper edge is at i + 1.
    found.push({ row: above + Math.log(value / low) / Math.log(high / low), value });
  }
  return found;
}

/** As many rows as have room for a label, evenly spaced. */
function rowTicks(rows: number, height: number): number[] {
  const every = Math.max(1, Math.ceil(rows / Math.max(2, Math.floor(height / 34))));
  return Array.from({ length: Math.floor(rows / every) + 1 }, (_, index) => index * every);
}

function drawCells(plot: uPlot, { timesMs, stepMs, counts, errorCounts }: HeatMapProps, color: ColorOf): void {
  const { ctx, bbox } = plot;
  const stops = [color("--heat-low"), color("--heat-mid"), color("--heat-high")];
  const failed = color("--error-solid");
  const most = counts.reduce((high, row) => row.reduce((inRow, count) => Math.max(inRow, count), high), 1);
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  const edges = timesMs.map((at) => Math.round(plot.valToPos(at, "x", true)));
  const lastEdge = Math.round(plot.valToPos((timesMs.at(-1) ?? 0) + stepMs, "x", true));
  for (const [row, columns] of counts.entries()) {
    const bottom = Math.round(plot.valToPos(row, "y", true));
    const top = Math.round(plot.valToPos(row + 1, "y", true));
    for (const [column, count] of columns.entries()) {
      if (count === 0) continue;
      const left = edges[column] ?? 0;
      const width = Math.max(1, (edges[column + 1] ?? lastEdge) - left - ratio);
      const height = Math.max(1, bottom - top - ratio);
      // Logarithmic: the few slow ones are what one looks for beside the many fast ones.
      ctx.fillStyle = mixed(stops, Math.log1p(count) / Math.log1p(most));
      ctx.fillRect(left, top, width, height);
      const errors = errorCounts?.[row]?.[column] ?? 0;
      if (errors === 0) continue;
      // A strip at the foot as high as the share that failed; below its least height it fades instead.
      const share = errors / count;
      const strip = Math.max(Math.min(2 * ratio, height), Math.round(height * share));
      ctx.globalAlpha = 0.3 + 0.7 * Math.min(1, (share * height) / strip);
      ctx.fillStyle = failed;
      ctx.fillRect(left, top + height - strip, width, strip);
      ctx.globalAlpha = 1;
    }
  }
  ctx.restore();
}
