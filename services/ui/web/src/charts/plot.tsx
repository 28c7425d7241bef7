/** What every time chart has in common: size, axes, theme, zone, drag to zoom, a tip beside the pointer. */

import type { ReactNode } from "react";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useTime } from "../time/context";
import { ianaName } from "../time/zone";
import { useLatest } from "../ui/use-latest";
import type { ColorOf } from "./colors";
import { useColors } from "./colors";
import { timeLabels } from "./time-axis";

/** Values of a selection on both axes. */
export interface PlotSelection {
  fromMs: number;
  toMs: number;
  low: number;
  high: number;
}

export interface Hover {
  /** Index into the times. */
  index: number;
  left: number;
  top: number;
  /** Of the whole chart, CSS pixels. */
  width: number;
  /** Values under the pointer: unix milliseconds, and the y axis' own. */
  x: number;
  y: number;
}

export interface PlotSpec {
  series: uPlot.Series[];
  bands?: uPlot.Band[];
  scaleY: uPlot.Scale;
  axisY: Partial<uPlot.Axis>;
  draw?: (plot: uPlot) => void;
  /** Drag along both axes. */
  box?: boolean;
}

interface PlotProps {
  /** Draws with the theme's colours. Must keep its identity while nothing but data changed. */
  spec: (color: ColorOf) => PlotSpec;
  data: uPlot.AlignedData;
  height: number;
  label: string;
  /** Charts with the same key share the crosshair. */
  syncKey?: string;
  onSelect: (selection: PlotSelection) => void;
  onZoomOut: () => void;
  tip: (hover: Hover) => ReactNode;
  onClick?: (plot: uPlot, left: number, top: number) => void;
}

export function Plot({ spec, data, height, label, syncKey, onSelect, onZoomOut, tip, onClick }: PlotProps): ReactNode {
  const holder = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [hover, setHover] = useState<Hover | null>(null);
  const { color } = useColors();
  const { interval, zone } = useTime();
  const { fromMs, toMs } = interval;
  // The plot lives longer than a render: its hooks must find today's callbacks, not those it was built with.
  const latest = useLatest({ onSelect, onZoomOut, onClick, data, fromMs, toMs });

  useLayoutEffect(() => {
    const element = holder.current;
    if (!element) return undefined;
    const made = spec(color);
    const instance = new uPlot(
      {
        ...base(color, zone, height, element.clientWidth, syncKey, made),
        scales: { x: { time: true, range: () => [latest.current.fromMs, latest.current.toMs] }, y: made.scaleY },
        hooks: {
          setSelect: [(u) => select(u, latest.current.onSelect)],
          setCursor: [(u) => setHover(hoverOf(u))],
          draw: made.draw ? [made.draw] : [],
          ready: [
            (u) => {
              u.over.addEventListener("dblclick", () => latest.current.onZoomOut());
              u.over.addEventListener("click", () => latest.current.onClick?.(u, u.cursor.left ?? -1, u.cursor.top ?? -1));
            },
          ],
        },
      },
      latest.current.data,
      element,
    );
    plot.current = instance;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth > 0 && element.clientWidth !== instance.width) {
        instance.setSize({ width: element.clientWidth, height });
      }
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      instance.destroy();
      plot.current = null;
      setHover(null);
    };
  }, [spec, color, zone, height, syncKey, latest]);

  useEffect(() => {
    plot.current?.setData(data);
  }, [data, fromMs, toMs]);

  return (
    <div className="chart" style={{ height }} role="img" aria-label={label}>
      <div ref={holder} className="chart-canvas" />
      {hover && <Tip hover={hover} content={tip(hover)} />}
    </div>
  );
}

function Tip({ hover, content }: { hover: Hover; content: ReactNode }): ReactNode {
  if (content === null) return null;
  const onRight = hover.left > hover.width / 2;
  const style = onRight ? { right: hover.width - hover.left + 14, top: 4 } : { left: hover.left + 14, top: 4 };
  return (
    <div className="chart-tip" style={style}>
      {content}
    </div>
  );
}

function base(
  color: ColorOf,
  zone: string,
  height: number,
  width: number,
  syncKey: string | undefined,
  { series, bands, axisY, box = false }: PlotSpec,
): Omit<uPlot.Options, "scales" | "hooks"> {
  const font = `11px ${getComputedStyle(document.documentElement).getPropertyValue("--font")}`;
  const text = color("--text-3");
  const line = color("--line");
  return {
    width: Math.max(width, 50),
    height,
    ms: 1,
    tzDate: (ms) => uPlot.tzDate(new Date(ms), ianaName(zone)),
    legend: { show: false },
    padding: [8, 10, 0, 0],
    series: [{}, ...series],
    ...(bands ? { bands } : {}),
    cursor: {
      y: box,
      points: { show: false },
      drag: { x: true, y: box, setScale: false, ...(box ? { uni: 8 } : {}) },
      // Its own double click would reset scales that the time range decides.
      bind: { dblclick: () => null },
      ...(syncKey ? { sync: { key: syncKey, setSeries: false } } : {}),
    },
    axes: [
      {
        stroke: text,
        font,
        size: 26,
        gap: 6,
        space: 70,
        grid: { show: false },
        ticks: { stroke: line, size: 4, width: 1 },
        values: (_, splits, __, ___, step) => timeLabels(splits, step, zone),
      },
      {
        stroke: text,
        font,
        size: 54,
        gap: 6,
        grid: { stroke: line, width: 1 },
        ticks: { show: false },
        border: { show: false },
        ...axisY,
      },
    ],
  };
}

function select(plot: uPlot, onSelect: (selection: PlotSelection) => void): void {
  const { left, top, width, height } = plot.select;
  if (width < 4 && height < 4) return;
  const boxed = plot.cursor.drag?.y === true;
  const value = (position: number, scale: string): number => plot.posToVal(position, scale);
  const full = { low: -Infinity, high: Infinity };
  // uPlot stretches a selection along the axis that was hardly dragged; then that axis was not meant.
  const tall = boxed && height < plot.over.clientHeight - 1;
  const wide = width < plot.over.clientWidth - 1;
  const { fromMs, toMs } = wide
    ? { fromMs: value(left, "x"), toMs: value(left + width, "x") }
    : { fromMs: value(0, "x"), toMs: value(plot.over.clientWidth, "x") };
  const limits = tall ? { low: value(top + height, "y"), high: value(top, "y") } : full;
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  onSelect({ fromMs, toMs, ...limits });
}

function hoverOf(plot: uPlot): Hover | null {
  const { idx, left = -1, top = -1 } = plot.cursor;
  // Charts that only follow another's crosshair show the line, not the tip.
  if (idx === null || idx === undefined || left < 0 || !plot.over.matches(":hover")) return null;
  const inset = plot.over.offsetLeft;
  return { index: idx, left: left + inset, top, width: plot.width, x: plot.posToVal(left, "x"), y: plot.posToVal(top, "y") };
}
