/** Numbers for people: grouped, compact, per cent, per second. Locale only changes separators and compact units. */

import type { Messages } from "../i18n/en";
import type { Locale } from "../i18n/locale";

const cache = new Map<string, Intl.NumberFormat>();

function formatter(locale: Locale, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const key = locale + JSON.stringify(options);
  let found = cache.get(key);
  if (!found) {
    found = new Intl.NumberFormat(locale === "ko" ? "ko-KR" : "en-US", options);
    cache.set(key, found);
  }
  return found;
}

/** "12,345". A bigint keeps every digit. */
export function formatCount(value: number | bigint, locale: Locale): string {
  return formatter(locale, { maximumFractionDigits: 0 }).format(value);
}

/** "12.3K" or "1.23만": three significant digits, two below 0.01. */
export function formatCompact(value: number, locale: Locale): string {
  if (!Number.isFinite(value)) return "–";
  const magnitude = Math.abs(value);
  if (magnitude > 0 && magnitude < 1e-4) return value.toExponential(1);
  if (magnitude > 0 && magnitude < 0.01) return formatter(locale, { maximumSignificantDigits: 2 }).format(value);
  // Korean counts in ten thousands; "2.64천" is nobody's way to write 2,640.
  if (locale === "ko" && magnitude >= 1000 && magnitude < 10_000) return formatCount(value, locale);
  if (magnitude < 1000) return formatter(locale, { maximumSignificantDigits: 3 }).format(value);
  return formatter(locale, { notation: "compact", maximumSignificantDigits: 3 }).format(value);
}

/** A unit of time for rates, with its word. */
export interface RateUnit {
  /** From "per second". */
  factor: number;
  suffix: string;
}

/** One unit for all rates that are read side by side. The highest decides: "17.7/min" says more than "0.295/s". */
export function rateUnit(highestPerSecond: number, { perSecond, perMinute, perHour }: Messages["common"]): RateUnit {
  if (highestPerSecond >= 1 || highestPerSecond === 0) return { factor: 1, suffix: perSecond };
  if (highestPerSecond >= 1 / 60) return { factor: 60, suffix: perMinute };
  return { factor: 3600, suffix: perHour };
}

export function formatRate(perSecond: number, { factor, suffix }: RateUnit, locale: Locale): string {
  return `${formatCompact(perSecond * factor, locale)}${suffix}`;
}

/** 0..1 to "2.35%". What is small but not zero never shows as "0%", because zero errors is another story. */
export function formatRatio(value: number, locale: Locale): string {
  if (!Number.isFinite(value)) return "–";
  if (value > 0 && value < 0.0001) return "<0.01%";
  return formatter(locale, { style: "percent", maximumFractionDigits: value < 0.1 ? 2 : 1 }).format(value);
}

const UCUM_WORDS: Record<string, string> = { By: "B", "1": "", s: "s", ms: "ms", us: "µs", ns: "ns", "%": "%" };
const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** A metric value in its OpenTelemetry (UCUM) unit: bytes in binary steps, seconds readable, `{request}` dropped. */
export function formatInUnit(value: number, unit: string, locale: Locale): string {
  if (!Number.isFinite(value)) return "–";
  const [base = "", per] = unit.split("/");
  const suffix = per === undefined ? "" : `/${per}`;
  if (base === "By") {
    const step = value === 0 ? 0 : Math.min(BINARY.length - 1, Math.max(0, Math.floor(Math.log2(Math.abs(value)) / 10)));
    return `${formatCompact(value / 1024 ** step, locale)} ${BINARY[step] ?? "B"}${suffix}`;
  }
  if (base === "s" && value !== 0) {
    const magnitude = Math.abs(value);
    const [scale, word] = magnitude < 1e-3 ? [1e6, "µs"] : magnitude < 1 ? [1e3, "ms"] : [1, "s"];
    return `${formatCompact(value * scale, locale)} ${word}${suffix}`;
  }
  const word = UCUM_WORDS[base] ?? base.replace(/\{[^}]*\}/g, "");
  return `${formatCompact(value, locale)}${word ? ` ${word}` : ""}${suffix}`;
}
