/** The whole trace in one strip; dragging chooses what the waterfall shows. */

import type { PointerEvent, ReactNode } from "react";
import { useEffect, useRef, useState } from "react";
import { useColors } from "../../charts/colors";
import { useMessages } from "../../i18n";
import type { Window } from "./page";
import type { Row } from "./waterfall";

interface MinimapProps {
  rows: readonly Row[];
  duration: number;
  slots: ReadonlyMap<string, number>;
  window: Window | null;
  onWindow: (window: Window | null) => void;
}

const MIN_DRAG_PX = 4;

export function Minimap({ rows, duration, slots, window, onWindow }: MinimapProps): ReactNode {
  const { trace } = useMessages();
  const { color } = useColors();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [drag, setDrag] = useState<{ from: number; to: number } | null>(null);
  const [width, setWidth] = useState(0);

  useEffect(() => {
    const element = canvas.current;
    if (!element) return undefined;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || width === 0) return;
    const height = element.clientHeight;
    const ratio = devicePixelRatio;
    element.width = width * ratio;
    element.height = height * ratio;
    context.scale(ratio, ratio);
    const total = Math.max(1, duration);
    const rowHeight = Math.max(1, (height - 6) / Math.max(1, rows.length));
    for (const [index, row] of rows.entries()) {
      context.fillStyle = row.failed ? color("--error-solid") : color(`--cat-${slots.get(row.span.service) ?? 0}`);
      context.fillRect((row.start / total) * width, 3 + (index / rows.length) * (height - 6), Math.max(1, (row.duration / total) * width), rowHeight);
    }
    const shown = drag ? { start: Math.min(drag.from, drag.to) / width, end: Math.max(drag.from, drag.to) / width } : null;
    const part = shown ?? (window && { start: window.start / total, end: window.end / total });
    if (part) {
      context.fillStyle = color("--bg");
      context.globalAlpha = 0.65;
      context.fillRect(0, 0, part.start * width, height);
      context.fillRect(part.end * width, 0, width - part.end * width, height);
      context.globalAlpha = 1;
    }
  }, [rows, duration, slots, window, drag, width, color]);

  const at = (event: PointerEvent<HTMLCanvasElement>): number => {
    const box = event.currentTarget.getBoundingClientRect();
    return Math.max(0, Math.min(box.width, event.clientX - box.left));
  };
  return (
    <canvas
      ref={canvas}
      className="minimap"
      role="img"
      aria-label={trace.minimap}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        setDrag({ from: at(event), to: at(event) });
      }}
      onPointerMove={(event) => {
        if (drag) setDrag({ ...drag, to: at(event) });
      }}
      onPointerUp={() => {
        if (drag && Math.abs(drag.to - drag.from) >= MIN_DRAG_PX) {
          const scale = duration / Math.max(1, width);
          onWindow({ start: Math.min(drag.from, drag.to) * scale, end: Math.max(drag.from, drag.to) * scale });
        }
        setDrag(null);
      }}
      onDoubleClick={() => onWindow(null)}
    />
  );
}
