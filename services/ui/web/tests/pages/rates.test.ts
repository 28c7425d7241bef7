import { describe, expect, it } from "vitest";
import { powersOfTen } from "../../src/charts/heat-map";
import { rates } from "../../src/pages/services/rates";

describe("rates", () => {
  const series = {
    time_unix_nano: ["60000000000", "120000000000"], request_count: [120, 30], error_count: [0, 0], p95_nano: ["0", "0"],
  };

  it("divides the running step by what has passed of it", () => {
    expect(rates(series, 60, 180_000)).toEqual([2, 0.5]);
    expect(rates(series, 60, 135_000)).toEqual([2, 2]);
  });

  it("waits until enough has passed", () => {
    expect(rates(series, 60, 121_000)).toEqual([2, null]);
    expect(rates({ ...series, time_unix_nano: ["60000000000", "61000000000"] }, 1, 62_000)).toEqual([120, 30]);
  });
});

describe("powersOfTen", () => {
  it("places them between bounds on a logarithmic scale", () => {
    expect(powersOfTen([1, 100, 10_000])).toEqual([
      { row: 1.5, value: 10 },
      { row: 2, value: 100 },
      { row: 2.5, value: 1000 },
      { row: 3, value: 10_000 },
    ]);
    expect(powersOfTen([])).toEqual([]);
    expect(powersOfTen([5])).toEqual([]);
  });
});
