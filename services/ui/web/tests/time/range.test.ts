import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { absolute, apiTimes, isRelative, lastMs, resolve, resolveBound, shifted, widened } from "../../src/time/range";
import { fromWall, isZone, offsetLabel, toWall } from "../../src/time/zone";

const NOW = Date.UTC(2026, 10, 24, 5, 30);

describe("resolve", () => {
  it("reads relative and absolute bounds", () => {
    expect(resolve({ from: "now-15m", to: "now" }, NOW)).toEqual({ fromMs: NOW - 900_000, toMs: NOW });
    expect(resolve({ from: "2026-11-24T05:00:00Z", to: "now-1m" }, NOW)).toEqual({
      fromMs: NOW - 1_800_000,
      toMs: NOW - 60_000,
    });
  });

  it("falls back to the last quarter of an hour for anything else", () => {
    for (const from of ["", "garbage", "now-", "now-5x", "1732424400", "2026-11-24"]) {
      expect(resolve({ from, to: "now" }, NOW)).toEqual({ fromMs: NOW - 900_000, toMs: NOW });
    }
  });

  it("is never empty and never reversed", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (from, to) => {
        const { fromMs, toMs } = resolve({ from, to }, NOW);
        expect(toMs).toBeGreaterThan(fromMs);
      }),
    );
    expect(resolve({ from: "now", to: "now-1h" }, NOW)).toEqual({ fromMs: NOW - 3_600_000, toMs: NOW });
  });

  it("round-trips through the URL form", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), fc.integer({ min: 1, max: 1e10 }), (fromMs, width) => {
        const range = absolute(fromMs, fromMs + width);
        expect(isRelative(range)).toBe(false);
        expect(resolve(range, NOW)).toEqual({ fromMs, toMs: fromMs + width });
      }),
    );
    expect(resolveBound(lastMs(7 * 86_400_000).from, NOW)).toBe(NOW - 7 * 86_400_000);
    expect(lastMs(3_600_000)).toEqual({ from: "now-1h", to: "now" });
    expect(resolveBound(lastMs(1234).from, NOW)).toBe(NOW - 1234);
  });
});

it("moves and widens without passing now", () => {
  const hour = { fromMs: NOW - 3_600_000, toMs: NOW };
  expect(resolve(shifted(hour, -1, NOW), NOW)).toEqual({ fromMs: NOW - 5_400_000, toMs: NOW - 1_800_000 });
  expect(resolve(shifted(hour, 1, NOW), NOW)).toEqual(hour);
  expect(resolve(widened(hour, NOW), NOW)).toEqual({ fromMs: NOW - 7_200_000, toMs: NOW });
  expect(apiTimes(hour)).toEqual({ from: `${NOW - 3_600_000}000000`, to: `${NOW}000000` });
});

describe("zones", () => {
  it("knows its own", () => {
    expect(isZone("local") && isZone("UTC") && isZone("Asia/Seoul")).toBe(true);
    expect(isZone("Mars/Olympus")).toBe(false);
    expect(offsetLabel(NOW, "Asia/Seoul")).toBe("UTC+9");
    expect(offsetLabel(NOW, "America/St_Johns")).toBe("UTC−3:30");
    expect(offsetLabel(NOW, "UTC")).toBe("UTC");
  });

  it("turns wall clocks into instants and back, daylight saving included", () => {
    const zones = fc.constantFrom("UTC", "Asia/Seoul", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe");
    fc.assert(
      fc.property(zones, fc.integer({ min: 1_577_836_800, max: 1_893_456_000 }), (zone, seconds) => {
        const wall = toWall(seconds * 1000, zone);
        // In the repeated hour two instants share a wall clock, so compare the wall clocks.
        expect(toWall(fromWall(wall, zone), zone)).toEqual(wall);
      }),
    );
  });
});
