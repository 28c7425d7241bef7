/**
 * The spans that a faster trace would have to shorten: from the root's end backwards, always into the child that ended
 * last before the moment at hand (the method of the CRISP paper, USENIX ATC 2022).
 */

import type { Row } from "./waterfall";

/** Nanoseconds from the trace's start. */
export interface Segment {
  start: number;
  end: number;
}

/** Segments by row number, of the longest root. They do not overlap, and together cover that root from start to end. */
export function criticalPath(rows: readonly Row[]): Map<number, Segment[]> {
  const path = new Map<number, Segment[]>();
  const children = new Map<number, number[]>();
  let root = -1;
  for (const [index, row] of rows.entries()) {
    if (row.parent >= 0) {
      const siblings = children.get(row.parent);
      if (siblings) siblings.push(index);
      else children.set(row.parent, [index]);
    } else if (root < 0 || row.duration > (rows[root]?.duration ?? 0)) {
      root = index;
    }
  }
  const first = rows[root];
  if (!first) return path;
  const work: { index: number; from: number; to: number }[] = [
    { index: root, from: first.start, to: first.start + first.duration },
  ];
  for (let item = work.pop(); item; item = work.pop()) {
    const { index, from, to } = item;
    const own: Segment[] = [];
    let cursor = to;
    for (const child of byEndDescending(rows, children.get(index) ?? [])) {
      const row = rows[child];
      if (!row) continue;
      const end = Math.min(row.start + row.duration, cursor);
      const start = Math.max(row.start, from);
      if (start >= end) continue;
      if (end < cursor) own.push({ start: end, end: cursor });
      work.push({ index: child, from: start, to: end });
      cursor = start;
      if (cursor <= from) break;
    }
    if (cursor > from) own.push({ start: from, end: cursor });
    if (own.length > 0) path.set(index, own.reverse());
  }
  return path;
}

function byEndDescending(rows: readonly Row[], indexes: number[]): number[] {
  const end = (index: number): number => (rows[index]?.start ?? 0) + (rows[index]?.duration ?? 0);
  return indexes.sort((a, b) => end(b) - end(a));
}
