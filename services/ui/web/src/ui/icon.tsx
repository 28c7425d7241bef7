/** Our own small set, drawn on a 16-pixel grid with 1.5-pixel lines. */

import type { ReactNode } from "react";

const SHAPES = {
  services: "M3 3.5h10v3.5H3zM3 9.5h10V13H3zM5.2 5.25h.01M5.2 11.25h.01",
  traces: "M2.5 4h7M5 8h8.5M4 12h6",
  logs: "M2.5 3.5h11M2.5 6.5h7.5M2.5 9.5h11M2.5 12.5h5.5",
  metrics: "M2.5 12.5l3.2-4.2 2.6 2.4 5-6.4M10.2 4.3h3.1v3.1",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.3 10.3l3.4 3.4",
  clock: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 4.8V8l2.2 1.6",
  refresh: "M13.3 7A5.4 5.4 0 0 0 3.6 4.9L2.4 6.2M2.4 3v3.2h3.2M2.7 9a5.4 5.4 0 0 0 9.7 2.1l1.2-1.3M13.6 13V9.8h-3.2",
  chevronDown: "M4 6.3l4 4 4-4",
  chevronRight: "M6.3 4l4 4-4 4",
  chevronLeft: "M9.7 4l-4 4 4 4",
  chevronUp: "M4 9.7l4-4 4 4",
  close: "M4 4l8 8M12 4l-8 8",
  check: "M3.2 8.4l3.2 3.2 6.4-7",
  copy: "M5.5 5.5h8v8h-8zM3.5 10.5h-1v-8h8v1",
  error: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 5v3.6M8 10.9v.05",
  warning: "M8 2.6l6 10.6H2zM8 6.6v3M8 11.4v.05",
  info: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 7.4v3.4M8 5.1v.05",
  link: "M6.8 9.2l2.4-2.4M7.2 4.6l1.3-1.3a2.9 2.9 0 0 1 4.2 4.2l-1.3 1.3M8.8 11.4l-1.3 1.3a2.9 2.9 0 0 1-4.2-4.2l1.3-1.3",
  filter: "M2.5 3.5h11L9.4 8.4v4.1l-2.8-1.3V8.4z",
  filterOut: "M2.5 3.5h11L9.4 8.4v4.1l-2.8-1.3V8.4zM2 14L14 2",
  sun: "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM8 1.6v1.3M8 13.1v1.3M1.6 8h1.3M13.1 8h1.3M3.5 3.5l.9.9M11.6 11.6l.9.9M3.5 12.5l.9-.9M11.6 4.4l.9-.9",
  moon: "M13.4 9.6A5.8 5.8 0 0 1 6.4 2.6a5.8 5.8 0 1 0 7 7z",
  monitor: "M2 3h12v8H2zM5.5 13.5h5",
  user: "M8 7.8a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2zM3 13.6c.5-2.6 2.5-4 5-4s4.5 1.4 5 4",
  globe: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM2.2 8h11.6M8 2c1.8 1.7 2.6 3.7 2.6 6S9.8 12.3 8 14C6.2 12.3 5.4 10.3 5.4 8S6.2 3.7 8 2z",
  signOut: "M6.5 13.5h-4v-11h4M10 5l3 3-3 3M13 8H6",
  sidebar: "M2.5 3h11v10h-11zM6.2 3v10",
  keyboard: "M1.8 4.2h12.4v7.6H1.8zM4 6.6h.01M6.6 6.6h.01M9.3 6.6h.01M12 6.6h.01M5 9.5h6",
  zoomOut: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.3 10.3l3.4 3.4M5.2 7h3.6",
  eye: "M1.8 8S4 3.8 8 3.8 14.2 8 14.2 8 12 12.2 8 12.2 1.8 8 1.8 8zM8 9.7a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4z",
  expandAll: "M4 6l4-3.5L12 6M4 10l4 3.5 4-3.5",
  collapseAll: "M4 2.5L8 6l4-3.5M4 13.5L8 10l4 3.5",
  wrap: "M2.5 3.5h11M2.5 8h9a2.2 2.2 0 0 1 0 4.4H8M9.6 10.6L7.8 12.4l1.8 1.8M2.5 12.4h2.5",
  arrowRight: "M3 8h10M9 4l4 4-4 4",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  key: "M10.2 9.4a3.3 3.3 0 1 0-3.1-2.2L2.5 11.8v1.7h2.2v-1.5h1.5v-1.5l1.1-1.1M10.9 5.2v.05",
  help: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM6.3 6.3a1.75 1.75 0 1 1 2.5 1.7c-.6.3-.8.6-.8 1.1M8 11.2v.05",
} as const;

export type IconName = keyof typeof SHAPES;

export function Icon({ name, label }: { name: IconName; label?: string }): ReactNode {
  return (
    <svg className="icon" viewBox="0 0 16 16" role={label ? "img" : undefined} aria-label={label} aria-hidden={label ? undefined : true}>
      <path d={SHAPES[name]} />
    </svg>
  );
}
