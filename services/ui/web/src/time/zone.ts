/** Time zones: the browser's ("local"), "UTC", or an IANA name. */

export type Zone = string;

export function ianaName(zone: Zone): string {
  return zone === "local" ? Intl.DateTimeFormat().resolvedOptions().timeZone : zone;
}

export function isZone(text: string): boolean {
  if (text === "local") return true;
  try {
    new Intl.DateTimeFormat("en", { timeZone: text });
    return true;
  } catch {
    return false;
  }
}

/** Minutes east of UTC at that instant. */
export function offsetMinutes(ms: number, zone: Zone): number {
  const formatter = offsetFormatter(ianaName(zone));
  const fields: Record<string, number> = {};
  for (const { type, value } of formatter.formatToParts(ms)) fields[type] = Number(value);
  const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields;
  const wall = Date.UTC(year, month - 1, day, hour, minute, second);
  return Math.round((wall - Math.floor(ms / 1000) * 1000) / 60_000);
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function offsetFormatter(name: string): Intl.DateTimeFormat {
  let found = formatters.get(name);
  if (!found) {
    found = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    formatters.set(name, found);
  }
  return found;
}

/** "UTC+9", "UTC−3:30", "UTC". */
export function offsetLabel(ms: number, zone: Zone): string {
  const minutes = offsetMinutes(ms, zone);
  if (minutes === 0) return "UTC";
  const magnitude = Math.abs(minutes);
  const rest = magnitude % 60;
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(magnitude / 60)}${rest ? `:${String(rest).padStart(2, "0")}` : ""}`;
}

export interface WallTime {
  year: number;
  month: number; // 1..12
  day: number;
  hour: number;
  minute: number;
  second: number;
}

/** The wall clock of an instant in a zone. */
export function toWall(ms: number, zone: Zone): WallTime {
  const shifted = new Date(ms + offsetMinutes(ms, zone) * 60_000);
  return {
    year: shifted.getUTCFullYear(),
    month: shifted.getUTCMonth() + 1,
    day: shifted.getUTCDate(),
    hour: shifted.getUTCHours(),
    minute: shifted.getUTCMinutes(),
    second: shifted.getUTCSeconds(),
  };
}

/** The instant of a wall clock in a zone. In the hour that a zone repeats, the first; in the one it skips, the later side. */
export function fromWall(wall: WallTime, zone: Zone): number {
  const naive = Date.UTC(wall.year, wall.month - 1, wall.day, wall.hour, wall.minute, wall.second);
  const dayBefore = naive - offsetMinutes(naive - 86_400_000, zone) * 60_000;
  if (offsetMinutes(dayBefore, zone) === offsetMinutes(naive - 86_400_000, zone)) return dayBefore;
  return naive - offsetMinutes(naive + 86_400_000, zone) * 60_000;
}
