/** Choices by value. A value may be "", which is no key of a collection. */

import type { Key } from "react-aria-components";

export interface Choice<T extends string> {
  value: T;
  label: string;
}

export function keyOf(value: string): string {
  return `=${value}`;
}

export function valueOf(key: Key): string {
  return String(key).slice(1);
}
