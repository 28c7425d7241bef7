/** Attribute values as text and as terms of the query language. */

import { term } from "../query/compose";

/**
 * A value as the API gives it: JSON as it is, and what JSON cannot hold as an object with one `$` key. The description calls it
 * anything, and so does its type.
 */
export type AttributeValue = unknown;
/** Keys are unique unless the sender broke that rule; then all pairs are in one `$kvlist`. */
export type Attributes = Readonly<Record<string, unknown>>;

type Typed = { $int: string } | { $double: string } | { $bytes: string } | { $kvlist: [string, AttributeValue][] };

/** The object form with one `$` key, for what JSON itself cannot hold. */
function typed(value: AttributeValue): Typed | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const keys = Object.keys(value);
  return keys.length === 1 && /^\$(int|double|bytes|kvlist)$/.test(keys[0] ?? "") ? (value as Typed) : null;
}

/** Every pair as it was sent, keys that came twice as well. */
export function attributePairs(attributes: Attributes): [string, AttributeValue][] {
  const special = typed(attributes);
  return special && "$kvlist" in special ? special.$kvlist : Object.entries(attributes);
}

/** One line: strings as they are, 64-bit integers with every digit, structures as JSON. */
export function attributeText(value: AttributeValue): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (value === null) return "null";
  const special = typed(value);
  if (special && "$int" in special) return special.$int;
  if (special && "$double" in special) return special.$double;
  if (special && "$bytes" in special) return `base64:${special.$bytes}`;
  return jsonText(value);
}

/** JSON for people: integers beyond 2^53 as digits, not as an object. */
export function jsonText(value: AttributeValue, indent = ""): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value !== "object" || value === null) return String(value);
  const next = indent === "" ? "" : `${indent}  `;
  const [open, gap, close] = indent === "" ? ["", " ", ""] : [`\n${next}`, `\n${next}`, `\n${indent}`];
  if (Array.isArray(value)) {
    if (value.length === 0) return "[]";
    return `[${open}${value.map((item) => jsonText(item, next)).join(`,${gap}`)}${close}]`;
  }
  const special = typed(value);
  if (special && !("$kvlist" in special)) return attributeText(value);
  const entries = special ? special.$kvlist : Object.entries(value as Record<string, AttributeValue>);
  if (entries.length === 0) return "{}";
  const pairs = entries.map(([key, item]) => `${JSON.stringify(key)}: ${jsonText(item, next)}`);
  return `{${open}${pairs.join(`,${gap}`)}${close}}`;
}

/** "string", "int" …, for the badge beside a value. */
export function attributeType(value: AttributeValue): string {
  if (typeof value === "string") return "string";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "double";
  if (value === null) return "empty";
  if (Array.isArray(value)) return "array";
  const special = typed(value);
  if (special && "$int" in special) return "int";
  if (special && "$double" in special) return "double";
  if (special && "$bytes" in special) return "bytes";
  return "map";
}

/** The term that finds records with this value; null for structures, which the language cannot compare. */
export function attributeTerm(key: string, operator: "=" | "!=", value: AttributeValue): string | null {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") {
    return term(key, operator, value);
  }
  const special = value === null ? null : typed(value);
  return special && "$int" in special ? `${key}${operator}${special.$int}` : null;
}
