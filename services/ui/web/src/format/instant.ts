/** Instants for people, in the zone the user chose. Input is unix milliseconds or nanoseconds. */

import type { Locale } from "../i18n/locale";
import type { Zone } from "../time/zone";
import { ianaName } from "../time/zone";

const cache = new Map<string, Intl.DateTimeFormat>();

function parts(ms: number, zone: Zone): Record<string, string> {
  const name = ianaName(zone);
  let formatter = cache.get(name);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat("en-GB", {
      timeZone: name,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
    cache.set(name, formatter);
  }
  const found: Record<string, string> = {};
  for (const { type, value } of formatter.formatToParts(ms)) found[type] = value;
  return found;
}

/** "2026-11-24 13:05:09": the same in every language, sortable, and what the time picker reads back. */
export function formatDateTime(ms: number, zone: Zone): string {
  const { year, month, day, hour, minute, second } = parts(ms, zone);
  return `${year}-${month}-${day} ${hour}:${minute}:${second}`;
}

/** "13:05:09". */
export function formatClock(ms: number, zone: Zone): string {
  const { hour, minute, second } = parts(ms, zone);
  return `${hour}:${minute}:${second}`;
}

/** "11-24 13:05:09.123" for log rows. */
export function formatLogTime(ns: bigint, zone: Zone): string {
  const ms = Number(ns / 1_000_000n);
  const { month, day, hour, minute, second } = parts(ms, zone);
  return `${month}-${day} ${hour}:${minute}:${second}.${String(((ms % 1000) + 1000) % 1000).padStart(3, "0")}`;
}

/** Full precision, "2026-11-24 13:05:09.123456789". */
export function formatNanos(ns: bigint, zone: Zone): string {
  const second = 1_000_000_000n;
  const fraction = ((ns % second) + second) % second;
  return `${formatDateTime(Number((ns - fraction) / 1_000_000n), zone)}.${String(fraction).padStart(9, "0")}`;
}

/** "3 minutes ago", "3분 전". */
export function formatAgo(ms: number, nowMs: number, locale: Locale): string {
  const seconds = Math.round((ms - nowMs) / 1000);
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
  const magnitude = Math.abs(seconds);
  if (magnitude < 60) return relative.format(seconds, "second");
  if (magnitude < 3600) return relative.format(Math.round(seconds / 60), "minute");
  if (magnitude < 86_400) return relative.format(Math.round(seconds / 3600), "hour");
  return relative.format(Math.round(seconds / 86_400), "day");
}
