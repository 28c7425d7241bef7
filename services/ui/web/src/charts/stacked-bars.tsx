/** Counts over time in stacked bars, a colour per kind. */

import type { ReactNode } from "react";
import { useCallback, useMemo } from "react";
import uPlot from "uplot";
import { formatDateTime } from "../format/instant";
import { formatCompact, formatCount } from "../format/number";
import { useLocale } from "../i18n";
import { useTime } from "../time/context";
import { widened } from "../time/range";
import type { ColorOf } from "./colors";
import type { PlotSpec } from "./plot";
import { Plot } from "./plot";
import { TipBody } from "./tip";

export interface BarSeries {
  label: string;
  /** A custom property's name. */
  color: string;
  values: readonly number[];
}

interface StackedBarsProps {
  /** Where each bar begins. */
  timesMs: readonly number[];
  stepMs: number;
  /** From the bottom up. */
  series: readonly BarSeries[];
  label: string;
  height?: number;
}

export function StackedBars({ timesMs, stepMs, series, label, height = 120 }: StackedBarsProps): ReactNode {
  const { zone, zoom, setRange, interval } = useTime();
  const locale = useLocale();
  const totals = useMemo(() => timesMs.map((_, index) => series.reduce((sum, { values }) => sum + (values[index] ?? 0), 0)), [timesMs, series]);
  const data = useMemo(
    () => [timesMs, totals, ...series.map(({ values }) => values)] as unknown as uPlot.AlignedData,
    [timesMs, totals, series],
  );
  const colors = series.map(({ color }) => color).join(" ");
  const spec = useCallback(
    (color: ColorOf): PlotSpec => ({
      // The total and each layer; all are drawn below, none as a line.
      series: ["", ...listed(colors)].map(() => ({ paths: () => null, points: { show: false } })),
      scaleY: { range: (u) => [0, Math.max(1, ...(u.data[1] as number[])) * 1.08] },
      axisY: {
        values: (_, splits) => splits.map((value) => (Number.isInteger(value) ? formatCompact(value, locale) : "")),
        space: 28,
      },
      draw: (plot) => drawBars(plot, stepMs, listed(colors).map(color)),
    }),
    [colors, stepMs, locale],
  );
  return (
    <Plot
      spec={spec}
      data={data}
      height={height}
      label={label}
      onSelect={({ fromMs, toMs }) => zoom(fromMs, toMs)}
      onZoomOut={() => setRange(widened(interval, Date.now()))}
      tip={({ index }) => {
        const at = timesMs[index];
        if (at === undefined || (totals[index] ?? 0) === 0) return null;
        const rows = series
          .map((one) => ({ label: one.label, count: one.values[index] ?? 0, color: `var(${one.color})` }))
          .filter(({ count }) => count > 0)
          .reverse()
          .map((row) => ({ ...row, value: formatCount(row.count, locale) }));
        return <TipBody title={formatDateTime(at, zone)} rows={rows} />;
      }}
    />
  );
}

function listed(names: string): string[] {
  return names === "" ? [] : names.split(" ");
}

function drawBars(plot: uPlot, stepMs: number, colors: readonly string[]): void {
  const { ctx, bbox } = plot;
  const [times, , ...columns] = plot.data as unknown as number[][];
  if (!times) return;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  for (const [index, at] of times.entries()) {
    const left = Math.round(plot.valToPos(at, "x", true));
    const right = Math.round(plot.valToPos(at + stepMs, "x", true));
    const width = Math.max(1, right - left - (right - left > 3 * ratio ? ratio : 0));
    let base = 0;
    for (const [layer, column] of columns.entries()) {
      const count = column[index] ?? 0;
      if (count === 0) continue;
      const bottom = Math.round(plot.valToPos(base, "y", true));
      // One error among thousands must still be seen.
      const top = Math.min(Math.round(plot.valToPos(base + count, "y", true)), bottom - ratio);
      ctx.fillStyle = colors[layer] ?? "";
      ctx.fillRect(left, top, width, bottom - top);
      base += count;
    }
  }
  ctx.restore();
}
