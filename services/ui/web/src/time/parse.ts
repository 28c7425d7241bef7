/** Typed ranges, English and Korean: "3h", "최근 30분", "yesterday 2pm-4pm", "어제 오후 2시~4시", "2026-11-24 03:00 to 04:00". */

import type { Interval, TimeRange } from "./range";
import { absolute } from "./range";
import type { WallTime, Zone } from "./zone";
import { fromWall, toWall } from "./zone";

const DAY_MS = 86_400_000;

const DURATION_UNITS: readonly [RegExp, string][] = [
  [/^(?:s|sec|secs|seconds?|초)$/, "s"],
  [/^(?:m|min|mins|minutes?|분)$/, "m"],
  [/^(?:h|hr|hrs|hours?|시간)$/, "h"],
  [/^(?:d|days?|일)$/, "d"],
  [/^(?:w|weeks?|주|주일)$/, "w"],
];

/** Null when the text is not a range. The end is never after `nowMs`, because nothing has happened there yet. */
export function parseTypedRange(text: string, nowMs: number, zone: Zone): TimeRange | null {
  const clean = text.trim().toLowerCase().replace(/\s+/g, " ");
  if (clean === "") return null;
  return parseLast(clean) ?? parsePair(clean, nowMs, zone);
}

function parseLast(text: string): TimeRange | null {
  const words = text.replace(/^(?:last|past|the last|지난|최근)\s*/, "").replace(/\s*(?:ago|전부터|동안)$/, "");
  const match = /^(\d+(?:\.\d+)?)?\s*([a-z]+|[가-힣]+)$/.exec(words);
  if (!match) return null;
  const [, amount, word = ""] = match;
  // "hour" alone means one; "h" alone is more likely half-typed.
  if (amount === undefined && word.length < 3) return null;
  const unit = DURATION_UNITS.find(([pattern]) => pattern.test(word))?.[1];
  if (unit === undefined) return null;
  const count = Number(amount ?? 1);
  if (count <= 0) return null;
  const back = unit === "w" ? `${count * 7}d` : `${count}${unit}`;
  return { from: `now-${back}`, to: "now" };
}

interface Part {
  date: { year: number; month: number; day: number } | null;
  time: { hour: number; minute: number; second: number } | null;
  /** am/pm was said, so that "2–4pm" can lend it to its other end. */
  halfDay: "am" | "pm" | null;
}

function parsePair(text: string, nowMs: number, zone: Zone): TimeRange | null {
  const single = parsePart(text, nowMs, zone);
  if (single) return single.date && !single.time ? wholeDay(single.date, nowMs, zone) : sinceThen(single, nowMs, zone);
  for (const [left, right] of splits(text)) {
    const interval = between(left, right, nowMs, zone);
    if (interval) return clamped(interval, nowMs);
  }
  return null;
}

/** Every way to cut the text at a dash, a tilde or a word; dates contain dashes, so several may have to be tried. */
function* splits(text: string): Generator<[string, string]> {
  for (const match of text.matchAll(/\s+(?:to|until|부터)\s+|에서\s*|부터\s*|\s*[~–—]\s*|\s*-\s*/g)) {
    const left = text.slice(0, match.index).trim();
    const right = text.slice(match.index + match[0].length).trim().replace(/까지$/, "");
    if (left && right) yield [left.replace(/^from /, ""), right];
  }
}

function between(left: string, right: string, nowMs: number, zone: Zone): Interval | null {
  const start = parsePart(left, nowMs, zone);
  const end = /^(?:now|지금|현재)$/.test(right) ? "now" : parsePart(right, nowMs, zone);
  if (!start || !end) return null;
  if (end === "now") return { fromMs: instant(start, null, nowMs, zone), toMs: nowMs };
  lendHalfDay(start, end);
  const fromMs = instant(start, null, nowMs, zone);
  let toMs = instant(end, start.date, nowMs, zone);
  if (!end.time) toMs = fromWall({ ...toWall(toMs + DAY_MS + DAY_MS / 2, zone), hour: 0, minute: 0, second: 0 }, zone);
  // "22:00–02:00" crosses midnight.
  if (toMs <= fromMs && !end.date) toMs += DAY_MS;
  return toMs > fromMs ? { fromMs, toMs } : null;
}

function lendHalfDay(start: Part, end: Part): void {
  const [giver, taker] = start.halfDay ? [start, end] : [end, start];
  if (!giver.halfDay || taker.halfDay || !taker.time || !giver.time || taker.time.hour > 11) return;
  if (giver.halfDay === "pm" && (giver === start || taker.time.hour + 12 <= giver.time.hour)) taker.time.hour += 12;
}

function instant(part: Part, otherDate: Part["date"], nowMs: number, zone: Zone): number {
  const date = part.date ?? otherDate ?? toWall(nowMs, zone);
  const time = part.time ?? { hour: 0, minute: 0, second: 0 };
  return fromWall({ year: date.year, month: date.month, day: date.day, ...time }, zone);
}

function wholeDay(date: NonNullable<Part["date"]>, nowMs: number, zone: Zone): TimeRange | null {
  const midnight: WallTime = { ...date, hour: 0, minute: 0, second: 0 };
  const fromMs = fromWall(midnight, zone);
  const next = toWall(fromMs + DAY_MS + DAY_MS / 2, zone);
  return clamped({ fromMs, toMs: fromWall({ ...next, hour: 0, minute: 0, second: 0 }, zone) }, nowMs);
}

function sinceThen(part: Part, nowMs: number, zone: Zone): TimeRange | null {
  return clamped({ fromMs: instant(part, null, nowMs, zone), toMs: nowMs }, nowMs);
}

function clamped({ fromMs, toMs }: Interval, nowMs: number): TimeRange | null {
  return fromMs >= nowMs || fromMs >= toMs ? null : absolute(fromMs, Math.min(toMs, nowMs));
}

function parsePart(text: string, nowMs: number, zone: Zone): Part | null {
  const part: Part = { date: null, time: null, halfDay: null };
  const rest = takeDate(text.trim(), part, nowMs, zone);
  const time = takeTime(rest.replace(/^[t\s]+/, ""), part);
  return time === "" && (part.date || part.time) ? part : null;
}

function takeDate(text: string, part: Part, nowMs: number, zone: Zone): string {
  const named = /^(today|오늘|yesterday|어제|그제|그저께)(?=\s|$|\d|오)/.exec(text);
  if (named) {
    const back = /today|오늘/.test(named[0]) ? 0 : /yesterday|어제/.test(named[0]) ? 1 : 2;
    const today = toWall(nowMs, zone);
    const noon = fromWall({ ...today, hour: 12, minute: 0, second: 0 }, zone);
    part.date = toWall(noon - back * DAY_MS, zone);
    return text.slice(named[0].length).trim();
  }
  const dated = /^(?:(\d{4})[-/.년]\s*)?(\d{1,2})[-/.월]\s*(\d{1,2})일?(?=[\st]|$|오)/.exec(text);
  if (!dated) return text;
  const [whole, year, month, day] = dated;
  const date = { year: Number(year ?? toWall(nowMs, zone).year), month: Number(month), day: Number(day) };
  const check = new Date(Date.UTC(date.year, date.month - 1, date.day));
  if (check.getUTCMonth() !== date.month - 1 || check.getUTCDate() !== date.day) return text;
  part.date = date;
  return text.slice(whole.length).trim();
}

function takeTime(text: string, part: Part): string {
  if (text === "") return "";
  const match =
    /^(오전|오후)?\s*(\d{1,2})(?::(\d{2})(?::(\d{2})(?:\.\d+)?)?|시(?:\s*(\d{1,2})분)?)?\s*(am|pm)?$/.exec(text);
  if (!match) return text;
  const [, korean, hourText, minuteText, secondText, koreanMinute, english] = match;
  const halfDay = korean === "오후" || english === "pm" ? "pm" : korean === "오전" || english === "am" ? "am" : null;
  let hour = Number(hourText);
  const minute = Number(minuteText ?? koreanMinute ?? 0);
  const second = Number(secondText ?? 0);
  if (halfDay && (hour < 1 || hour > 12)) return text;
  if (halfDay) hour = (hour % 12) + (halfDay === "pm" ? 12 : 0);
  if (hour > 23 || minute > 59 || second > 59) return text;
  part.time = { hour, minute, second };
  part.halfDay = halfDay;
  return "";
}
