import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { criticalPath } from "../../src/pages/trace/critical-path";
import { ancestors, buildWaterfall, visibleRows } from "../../src/pages/trace/waterfall";
import { makeSpan } from "./span";

// Ids from a small pool: repeated ids, missing parents, self-parents and circles all come up.
const anySpans = fc.array(
  fc
    .record({
      span_id: fc.integer({ min: 1, max: 20 }).map(String),
      parent_span_id: fc.oneof(fc.constant(""), fc.integer({ min: 1, max: 25 }).map(String)),
      start: fc.integer({ min: -1000, max: 1000 }),
      duration: fc.integer({ min: -50, max: 2000 }),
      service: fc.constantFrom("a", "b", "c"),
      failed: fc.boolean(),
    })
    .map(({ failed, ...span }) => makeSpan({ ...span, status: { code: failed ? "ERROR" : "UNSET", message: "" } })),
  { maxLength: 60 },
);

describe("buildWaterfall", () => {
  it("shows every span exactly once, inside the trace, children below their parent", () => {
    fc.assert(
      fc.property(anySpans, fc.boolean(), (spans, aligned) => {
        const { rows, duration } = buildWaterfall(spans, aligned);
        expect(new Set(rows.map((row) => row.span))).toEqual(new Set(spans));
        expect(rows).toHaveLength(spans.length);
        for (const [index, row] of rows.entries()) {
          expect(row.start).toBeGreaterThanOrEqual(0);
          expect(row.duration).toBeGreaterThanOrEqual(0);
          expect(row.start + row.duration).toBeLessThanOrEqual(duration);
          expect(row.parent).toBeLessThan(index);
          expect(row.subtreeEnd).toBeGreaterThan(index);
          const parent = rows[row.parent];
          expect(row.depth).toBe(parent ? parent.depth + 1 : 0);
          if (parent) expect(parent.subtreeEnd).toBeGreaterThanOrEqual(row.subtreeEnd);
          if (parent) expect(parent.span.span_id).toBe(row.span.parent_span_id);
          if (aligned && parent) expect(row.start).toBeGreaterThanOrEqual(parent.start);
        }
      }),
    );
  });

  it("counts errors below", () => {
    fc.assert(
      fc.property(anySpans, (spans) => {
        const { rows } = buildWaterfall(spans);
        for (const [index, row] of rows.entries()) {
          const below = rows.slice(index + 1, row.subtreeEnd);
          expect(row.failedBelow).toBe(below.filter((other) => other.failed).length);
          expect(row.childCount).toBe(below.filter((other) => other.parent === index).length);
        }
      }),
    );
  });

  it("does not depend on the order of arrival when ids are unique", () => {
    const spans = [
      makeSpan({ span_id: "1", duration: 100 }),
      makeSpan({ span_id: "2", parent_span_id: "1", start: 50 }),
      makeSpan({ span_id: "3", parent_span_id: "1", start: 10 }),
      makeSpan({ span_id: "4", parent_span_id: "3", start: 12 }),
    ];
    const order = (input: typeof spans) => buildWaterfall(input).rows.map((row) => row.span.span_id);
    expect(order(spans)).toEqual(["1", "3", "4", "2"]);
    expect(order(spans.toReversed())).toEqual(["1", "3", "4", "2"]);
  });

  it("says what is odd", () => {
    const { rows } = buildWaterfall([
      makeSpan({ span_id: "1", parent_span_id: "gone" }),
      makeSpan({ span_id: "1", parent_span_id: "", start: 1 }),
      makeSpan({ span_id: "2", parent_span_id: "3", start: 2 }),
      makeSpan({ span_id: "3", parent_span_id: "2", start: 3 }),
      makeSpan({ span_id: "4", parent_span_id: "4", start: 4 }),
      makeSpan({ span_id: "5", parent_span_id: "", start: 100, duration: 20 }),
      makeSpan({ span_id: "6", parent_span_id: "5", start: 90, duration: 10 }),
      makeSpan({ span_id: "7", start: 200, duration: -5 }),
    ]);
    expect(rows.map((row) => [row.span.span_id, row.oddities])).toEqual([
      ["1", ["missing-parent"]],
      ["1", ["repeated-id"]],
      ["2", ["cycle"]],
      ["3", []],
      ["4", ["cycle"]],
      ["5", []],
      ["6", ["early"]],
      ["7", ["negative-duration"]],
    ]);
    expect(rows[6]?.early).toBe(10);
  });

  it("aligns an early child, with all below it, into the middle of its parent", () => {
    const spans = [
      makeSpan({ span_id: "1", start: 100, duration: 20 }),
      makeSpan({ span_id: "2", parent_span_id: "1", start: 50, duration: 10 }),
      makeSpan({ span_id: "3", parent_span_id: "2", start: 52, duration: 4 }),
    ];
    expect(buildWaterfall(spans).rows.map((row) => row.start)).toEqual([50, 0, 2]);
    const aligned = buildWaterfall(spans, true);
    expect(aligned.rows.map((row) => row.start)).toEqual([0, 5, 7]);
    expect(aligned.startNano).toBe(1_700_000_000_000_000_100n);
    expect(aligned.duration).toBe(20);
  });

  it("survives a chain of 10,000 and lays out 10,000 quickly", () => {
    const chain = Array.from({ length: 10_000 }, (_, index) =>
      makeSpan({ span_id: `s${index}`, parent_span_id: index ? `s${index - 1}` : "", start: index, duration: 20_000 - index }),
    );
    const { rows, maxDepth } = buildWaterfall(chain);
    expect(maxDepth).toBe(9_999);
    expect(ancestors(rows, 9_999)).toHaveLength(9_999);
    expect(criticalPath(rows).size).toBeGreaterThan(0);
  });

  it("is empty for no spans", () => {
    expect(buildWaterfall([]).rows).toEqual([]);
    expect(criticalPath([]).size).toBe(0);
  });
});

describe("visibleRows", () => {
  it("hides exactly what has a collapsed ancestor", () => {
    fc.assert(
      fc.property(anySpans, fc.array(fc.nat({ max: 59 })), (spans, folded) => {
        const { rows } = buildWaterfall(spans);
        const collapsed = new Set(folded);
        const expected = rows
          .map((_, index) => index)
          .filter((index) => !ancestors(rows, index).some((above) => collapsed.has(above)));
        expect(visibleRows(rows, collapsed)).toEqual(expected);
      }),
    );
  });
});

describe("criticalPath", () => {
  it("covers the longest root once, without overlap, with segments inside their spans", () => {
    fc.assert(
      fc.property(anySpans, (spans) => {
        const { rows } = buildWaterfall(spans);
        const path = criticalPath(rows);
        const segments = [...path.values()].flat().sort((a, b) => a.start - b.start);
        const longest = Math.max(0, ...rows.filter((row) => row.parent < 0).map((row) => row.duration));
        expect(segments.reduce((total, { start, end }) => total + end - start, 0)).toBe(longest);
        for (const [index, segment] of segments.entries()) {
          expect(segment.start).toBeGreaterThanOrEqual(segments[index - 1]?.end ?? 0);
        }
        for (const [index, own] of path) {
          for (const { start, end } of own) {
            expect(start).toBeGreaterThanOrEqual(rows[index]!.start);
            expect(end).toBeLessThanOrEqual(rows[index]!.start + rows[index]!.duration);
          }
        }
      }),
    );
  });
});
