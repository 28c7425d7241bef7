/**
 * Spans to rows. Input is whatever arrived: parents may be missing, ids repeated, ancestries circular and clocks apart.
 * Every span becomes exactly one row, and what is odd about it is said on the row instead of being hidden.
 */

import type { Span } from "../../api/schema";
import { nanos } from "../../format/duration";

export type Oddity = "missing-parent" | "cycle" | "repeated-id" | "early" | "negative-duration";

/** Times are nanoseconds from the trace's start; a trace would have to last 104 days before a double rounds them. */
export interface Row {
  span: Span;
  depth: number;
  /** Row number of the parent, −1 for roots. */
  parent: number;
  /** Row number just behind the last descendant, so that `subtreeEnd - row - 1` is how many there are. */
  subtreeEnd: number;
  childCount: number;
  start: number;
  duration: number;
  failed: boolean;
  /** Descendants with status ERROR, for the mark on a collapsed row. */
  failedBelow: number;
  oddities: Oddity[];
  /** How much earlier than its parent the span claims to start, if it does; nanoseconds. */
  early: number;
}

export interface Waterfall {
  rows: Row[];
  startNano: bigint;
  duration: number;
  services: { service: string; spanCount: number; errorCount: number }[];
  maxDepth: number;
}

interface Draft {
  span: Span;
  start: number;
  duration: number;
  parent: number;
  children: number[];
  oddities: Oddity[];
}

/** `aligned` moves a subtree that starts before its parent to where it fits, as clocks that differ are the usual cause. */
export function buildWaterfall(spans: readonly Span[], aligned = false): Waterfall {
  if (spans.length === 0) return { rows: [], startNano: 0n, duration: 0, services: [], maxDepth: 0 };
  let startNano = nanos(spans[0]?.start_time_unix_nano);
  for (const span of spans) {
    const start = nanos(span.start_time_unix_nano);
    if (start < startNano) startNano = start;
  }
  const drafts = spans.map((span) => draft(span, startNano));
  const roots = linkChildren(drafts);
  const rows = flatten(drafts, roots, aligned);
  const earliest = rows.reduce((low, row) => Math.min(low, row.start), Infinity);
  for (const row of rows) row.start -= earliest;
  return {
    rows,
    startNano: startNano + BigInt(Math.round(earliest)),
    duration: rows.reduce((high, row) => Math.max(high, row.start + row.duration), 0),
    services: countServices(spans),
    maxDepth: rows.reduce((high, row) => Math.max(high, row.depth), 0),
  };
}

function draft(span: Span, startNano: bigint): Draft {
  const start = nanos(span.start_time_unix_nano);
  const duration = Number(nanos(span.end_time_unix_nano) - start);
  return {
    span,
    start: Number(start - startNano),
    duration: Math.max(0, duration),
    parent: -1,
    children: [],
    oddities: duration < 0 ? ["negative-duration"] : [],
  };
}

/** Fills `children` and returns the roots, in order of start. */
function linkChildren(drafts: Draft[]): number[] {
  const byId = new Map<string, number>();
  for (const [index, { span, oddities }] of drafts.entries()) {
    if (byId.has(span.span_id)) oddities.push("repeated-id");
    else byId.set(span.span_id, index);
  }
  const roots: number[] = [];
  for (const [index, entry] of drafts.entries()) {
    const { span, oddities } = entry;
    const parent = span.parent_span_id === "" ? undefined : byId.get(span.parent_span_id);
    if (parent === undefined) {
      if (span.parent_span_id !== "") oddities.push("missing-parent");
      roots.push(index);
    } else {
      entry.parent = parent;
      drafts[parent]?.children.push(index);
    }
  }
  const byStart = (a: number, b: number): number =>
    (drafts[a]?.start ?? 0) - (drafts[b]?.start ?? 0) || (drafts[b]?.duration ?? 0) - (drafts[a]?.duration ?? 0) || a - b;
  for (const { children } of drafts) children.sort(byStart);
  cutCycles(drafts, roots, byStart);
  return roots.sort(byStart);
}

/** What no root reaches hangs in a circle: cut each circle at its earliest span, which becomes a root. */
function cutCycles(drafts: Draft[], roots: number[], byStart: (a: number, b: number) => number): void {
  const reached = new Uint8Array(drafts.length);
  const visit = (from: number): void => {
    const stack = [from];
    reached[from] = 1;
    for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
      for (const child of drafts[index]?.children ?? []) {
        if (reached[child]) continue;
        reached[child] = 1;
        stack.push(child);
      }
    }
  };
  roots.forEach(visit);
  const rest = drafts.map((_, index) => index).filter((index) => !reached[index]);
  for (const index of rest.sort(byStart)) {
    if (reached[index]) continue;
    const siblings = drafts[drafts[index]?.parent ?? -1]?.children;
    siblings?.splice(siblings.indexOf(index), 1);
    drafts[index]?.oddities.push("cycle");
    roots.push(index);
    visit(index);
  }
}

interface Visit {
  index: number;
  depth: number;
  parent: number;
  shift: number;
}

/** Depth first without recursion: a chain of 10,000 spans would overflow the stack. */
function flatten(drafts: Draft[], roots: number[], aligned: boolean): Row[] {
  const rows: Row[] = [];
  const stack: Visit[] = roots.toReversed().map((index) => ({ index, depth: 0, parent: -1, shift: 0 }));
  for (let visit = stack.pop(); visit; visit = stack.pop()) {
    const source = drafts[visit.index];
    if (!source) continue;
    const parent = rows[visit.parent];
    const row: Row = {
      span: source.span,
      depth: visit.depth,
      parent: visit.parent,
      subtreeEnd: 0,
      childCount: source.children.length,
      start: source.start + visit.shift,
      duration: source.duration,
      failed: source.span.status.code === "ERROR",
      failedBelow: 0,
      oddities: source.oddities,
      early: 0,
    };
    let shift = visit.shift;
    if (parent && row.start < parent.start) {
      row.early = parent.start - row.start;
      row.oddities = [...row.oddities, "early"];
      if (aligned) {
        // In the middle of the parent when it fits there, as the way there and back take about as long.
        const slack = Math.max(0, (parent.duration - row.duration) / 2);
        shift += parent.start + slack - row.start;
        row.start = parent.start + slack;
      }
    }
    const number = rows.push(row) - 1;
    for (const child of source.children.toReversed()) {
      stack.push({ index: child, depth: visit.depth + 1, parent: number, shift });
    }
  }
  closeSubtrees(rows);
  return rows;
}

function closeSubtrees(rows: Row[]): void {
  for (let index = rows.length - 1; index >= 0; index -= 1) {
    const row = rows[index];
    if (!row) continue;
    row.subtreeEnd = Math.max(row.subtreeEnd, index + 1);
    const parent = rows[row.parent];
    if (!parent) continue;
    parent.subtreeEnd = Math.max(parent.subtreeEnd, row.subtreeEnd);
    parent.failedBelow += row.failedBelow + (row.failed ? 1 : 0);
  }
}

function countServices(spans: readonly Span[]): Waterfall["services"] {
  const counts = new Map<string, { service: string; spanCount: number; errorCount: number }>();
  for (const { service, status } of spans) {
    const entry = counts.get(service) ?? { service, spanCount: 0, errorCount: 0 };
    entry.spanCount += 1;
    if (status.code === "ERROR") entry.errorCount += 1;
    counts.set(service, entry);
  }
  return [...counts.values()].sort((a, b) => b.spanCount - a.spanCount || a.service.localeCompare(b.service));
}

/** Row numbers to draw when the subtrees below `collapsed` rows are folded. */
export function visibleRows(rows: readonly Row[], collapsed: ReadonlySet<number>): number[] {
  const visible: number[] = [];
  for (let index = 0; index < rows.length; ) {
    visible.push(index);
    index = collapsed.has(index) ? (rows[index]?.subtreeEnd ?? index + 1) : index + 1;
  }
  return visible;
}

/** The row's ancestors, nearest first. */
export function ancestors(rows: readonly Row[], index: number): number[] {
  const found: number[] = [];
  for (let at = rows[index]?.parent ?? -1; at >= 0; at = rows[at]?.parent ?? -1) found.push(at);
  return found;
}
