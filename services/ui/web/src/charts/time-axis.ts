/** Labels under a time axis: as short as the step allows, with the date where a day begins. */

import { formatDateTime } from "../format/instant";
import type { Zone } from "../time/zone";

/** `splits` and `step` in milliseconds. */
export function timeLabels(splits: readonly number[], step: number, zone: Zone): string[] {
  let lastDay = "";
  return splits.map((ms, index) => {
    const [day = "", clock = ""] = formatDateTime(ms, zone).split(" ");
    const newDay = index > 0 && day !== lastDay;
    lastDay = day;
    if (step >= 86_400_000 || (newDay && clock === "00:00:00")) return day.slice(5);
    if (step >= 60_000) return clock.slice(0, 5);
    if (step >= 1000) return clock;
    return `${clock.slice(3)}.${String(Math.floor(ms % 1000)).padStart(3, "0")}`;
  });
}
