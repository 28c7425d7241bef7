/** Severity ranges of the OpenTelemetry logs data model. */

export const SEVERITIES = ["FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "UNSET"] as const;
export type Severity = (typeof SEVERITIES)[number];

/** Those that a record can have, mildest first. */
export const SENT_SEVERITIES: readonly Severity[] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

/** The name of a severity number's range. */
export function severityOf(number: number): Severity {
  return number <= 0 ? "UNSET" : (SENT_SEVERITIES[Math.min(5, Math.floor((number - 1) / 4))] ?? "UNSET");
}
