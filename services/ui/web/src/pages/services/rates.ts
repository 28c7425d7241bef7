/** Counts per step to rates. */

import type { RedSeries } from "../../api/schema";

/** Less of a step than this gives no steady rate. */
const MIN_PASSED_SECONDS = 10;

/**
 * Requests per second in each step. The newest step is still running at `toMs` (unix milliseconds): what it counted so far
 * belongs to the part that has passed, or every chart would end with a fall. Null when too little of it has.
 */
export function rates(series: RedSeries, stepSeconds: number, toMs: number): (number | null)[] {
  return series.request_count.map((count, index) => {
    const startMs = Number(BigInt(series.time_unix_nano[index] ?? "0") / 1_000_000n);
    const passed = Math.min(stepSeconds, (toMs - startMs) / 1000);
    return passed < Math.min(stepSeconds, MIN_PASSED_SECONDS) ? null : count / passed;
  });
}
