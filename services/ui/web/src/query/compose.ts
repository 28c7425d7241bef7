/** Writing the query language: terms, and the one query that filters and box text make together. */

import { tokenize } from "./tokens";

export type Operator = "=" | "!=" | ">" | ">=" | "<" | "<=" | "=~" | "!~";

export function quoted(text: string): string {
  return `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"')}"`;
}

// Narrower than what the server reads as a word: a key that ends in "!" would run into the operator behind it.
const PLAIN_WORD = /^[^\s"()=<>!]+$/;
const RESERVED = new Set(["AND", "OR", "NOT", "exists", "EXISTS"]);

/** Built-in fields of spans and logs. An attribute that has the same name must be asked for in quotes. */
export const FIELDS: Record<"traces" | "logs", readonly string[]> = {
  traces: [
    "service", "operation", "duration", "status", "kind", "trace_id", "span_id", "parent_span_id", "status_message",
    "event.name", "scope.name", "scope.version",
  ],
  logs: ["service", "severity", "severity_text", "body", "trace_id", "span_id", "event.name", "scope.name", "scope.version"],
};
const ALL_FIELDS = new Set([...FIELDS.traces, ...FIELDS.logs, "name", "service.name"]);

/** The key of a record's attribute (`scope` "record") or of its resource's. */
export function attributeKey(name: string, scope: "record" | "resource"): string {
  if (scope === "resource") return `resource.${PLAIN_WORD.test(name) ? name : quoted(name)}`;
  const ambiguous = ALL_FIELDS.has(name) || name.startsWith("resource.") || RESERVED.has(name);
  return ambiguous || !PLAIN_WORD.test(name) ? quoted(name) : name;
}

/** `key` is as written in the language. A string that reads as a number or boolean gets quotes to stay a string. */
export function term(key: string, operator: Operator, value: string | number | boolean): string {
  return `${key}${operator}${typeof value === "string" ? bareOrQuoted(value) : String(value)}`;
}

function bareOrQuoted(value: string): string {
  const bare = /^[A-Za-z0-9_./:@*+-]+$/.test(value) && !/^[+-]?(\d|\.\d)|^(true|false)$/.test(value);
  // Durations and ids begin with digits too, and nothing is lost by quoting what fields read as text.
  return bare ? value : quoted(value);
}

/** `query` narrowed by one more term. An OR at its top level gets parentheses, or the term would bind to one side only. */
export function narrowed(query: string, extra: string): string {
  const text = query.trim();
  if (text === "") return extra;
  if (hasTerm(text, extra)) return text;
  return `${hasTopLevelOr(text) ? `(${text})` : text} ${extra}`;
}

/** Whether the term stands, on its own, at the top level of the query. */
export function hasTerm(query: string, wanted: string): boolean {
  return ` ${query} `.includes(` ${wanted} `);
}

/** The query without that term. */
export function without(query: string, unwanted: string): string {
  return ` ${query} `.replace(` ${unwanted} `, " ").trim();
}

function hasTopLevelOr(query: string): boolean {
  let depth = 0;
  for (const token of tokenize(query)) {
    if (token.text === "(" && token.kind === "paren") depth += 1;
    if (token.text === ")" && token.kind === "paren") depth -= 1;
    if (depth === 0 && token.kind === "keyword" && token.text === "OR") return true;
  }
  return false;
}

/** All parts that are not empty, each binding as a whole. */
export function conjunction(...parts: readonly string[]): string {
  return parts.reduce((query, part) => (part.trim() ? joined(query, part.trim()) : query), "");
}

function joined(query: string, part: string): string {
  const right = hasTopLevelOr(part) ? `(${part})` : part;
  return query === "" ? part : `${hasTopLevelOr(query) ? `(${query})` : query} ${right}`;
}
