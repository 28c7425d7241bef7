import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { durationTerm, formatDuration, formatDurationTick, nanos, parseDuration } from "../../src/format/duration";

describe("formatDuration", () => {
  it.each([
    [0n, "0 ns"],
    [999n, "999 ns"],
    [1_000n, "1 µs"],
    [1_234n, "1.23 µs"],
    [999_499n, "999 µs"],
    [999_600n, "1 ms"],
    [12_345_678n, "12.3 ms"],
    [1_500_000_000n, "1.5 s"],
    [59_900_000_000n, "59.9 s"],
    [59_994_000_000n, "1m"],
    [60_000_000_000n, "1m"],
    [125_000_000_000n, "2m 5s"],
    [3_600_000_000_000n, "1h"],
    [97_200_000_000_000n, "1d 3h"],
    [-1_500_000n, "−1.5 ms"],
  ])("%s is %s", (value, text) => {
    expect(formatDuration(value)).toBe(text);
  });

  it("reads API strings beyond 2^53 and survives what is not a number", () => {
    expect(formatDuration("9223372036854775807")).toBe("106752d");
    expect(formatDuration("oops")).toBe("0 ns");
    expect(formatDuration(Number.NaN)).toBe("–");
  });

  it("never shows four digits below a minute", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 59_000_000_000 }), (ns) => {
        expect(formatDuration(ns)).toMatch(/^\d{1,3}(\.\d{1,2})? (ns|µs|ms|s)$/);
      }),
    );
  });

  it("leaves the unit off a zero tick", () => {
    expect(formatDurationTick(0)).toBe("0");
    expect(formatDurationTick(2e6)).toBe("2ms");
  });
});

describe("parseDuration", () => {
  it.each([
    ["200ms", 200e6],
    ["1.5s", 1.5e9],
    ["1m30s", 90e9],
    ["1m 30s", 90e9],
    ["2H", 7200e9],
    ["15us", 15e3],
    ["15µs", 15e3],
  ])("%s", (text, ns) => {
    expect(parseDuration(text)).toBe(ns);
  });

  it.each(["", "12", "ms", "1x", "1s!", "-1s"])("refuses %j", (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  it("reads back what durationTerm writes, within its three digits", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3_600_000_000_000 }), (ns) => {
        const read = parseDuration(durationTerm(ns));
        expect(read).not.toBeNull();
        expect(Math.abs((read ?? 0) - ns)).toBeLessThanOrEqual(Math.max(1, ns * 0.0051));
      }),
    );
  });
});

describe("nanos", () => {
  it("keeps every digit", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
        expect(nanos(value.toString())).toBe(value);
      }),
    );
  });

  it.each([undefined, "", "1.5", "1e3", "x"])("is zero for %j", (text) => {
    expect(nanos(text)).toBe(0n);
  });
});
